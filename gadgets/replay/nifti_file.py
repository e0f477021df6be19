"""A NIfTI image as perfline keeps images: axes slice, y, x, and an affine where the file knows its place."""

import json
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
from numpy.typing import NDArray

from perfline.gadgets.errors import ConfigurationError

__all__ = ["NiftiSeries", "nifti_stem", "read_nifti", "read_nifti_series", "read_nifti_sidecar"]


@dataclass(frozen=True)
class NiftiSeries:
    """What a file holds: ``data`` is float32 (n_volumes, n_slices, n_y, n_x), ``voxel_size`` (x, y, z) in mm.

    ``affine`` is float64 (4, 4) from voxel (x, y, z) to RAS; None where both transforms of the file are unknown.
    """

    data: NDArray[np.float32]
    affine: NDArray[np.float64] | None
    voxel_size: tuple[float, float, float]


def read_nifti(path: Path, what: str) -> tuple[NDArray[np.float32], NDArray[np.float64] | None]:
    """Read an image; several volumes are averaged.

    Parameters
    ----------
    path : Path
        ``.nii`` or ``.nii.gz``, first axis along the readout as perfline writes it.
    what : str
        Begins the text of an error.

    Returns
    -------
    image : float32 array (n_slices, n_y, n_x)
    affine : float64 array (4, 4), or None
        From voxel (x, y, z) to RAS; None where both transforms of the file are unknown.

    Raises
    ------
    ConfigurationError
        The file can't be read, or hasn't 3 or 4 axes.
    """
    series = read_nifti_series(path, what)
    # one volume is handed on as it is: a mean would round
    image = series.data[0] if len(series.data) == 1 else series.data.mean(axis=0)
    return image, series.affine


def read_nifti_series(path: Path, what: str) -> NiftiSeries:
    """Read all volumes of an image.

    Parameters
    ----------
    path, what
        As in `read_nifti`.

    Raises
    ------
    ConfigurationError
        The file can't be read, hasn't 3 or 4 axes, or holds complex numbers.
    """
    try:
        image: Any = nibabel.load(path)
        if np.dtype(image.get_data_dtype()).kind not in "iuf":
            raise ConfigurationError(f"{what} {path}: expected real numbers, got {image.get_data_dtype()}")
        data = np.asarray(image.dataobj, np.float32)
    except (OSError, EOFError, zlib.error, nibabel.filebasedimages.ImageFileError) as error:
        raise ConfigurationError(f"{what} {path}: {error}") from error
    if data.ndim not in (3, 4):
        raise ConfigurationError(f"{what} {path}: expected 3 or 4 axes, got {data.ndim}")
    has_place = int(image.header["sform_code"]) > 0 or int(image.header["qform_code"]) > 0
    affine = np.asarray(image.affine, np.float64) if has_place else None
    x, y, z = (float(size) for size in image.header.get_zooms()[:3])
    volumes = data.T if data.ndim == 4 else data.T[np.newaxis]
    return NiftiSeries(np.ascontiguousarray(volumes), affine, (x, y, z))


def nifti_stem(path: Path) -> str:
    """Name of a file without ``.nii`` or ``.nii.gz``."""
    return path.name.removesuffix(".gz").removesuffix(".nii")


def read_nifti_sidecar(path: Path) -> dict[str, Any]:
    """Read the JSON beside a NIfTI file; empty where there is none.

    Raises
    ------
    ConfigurationError
        It isn't a JSON object.
    """
    sidecar = path.with_name(nifti_stem(path) + ".json")
    if not sidecar.is_file():
        return {}
    try:
        content = json.loads(sidecar.read_text(encoding="utf-8-sig"))
    except ValueError as error:
        raise ConfigurationError(f"{sidecar}: expected JSON ({error})") from error
    if not isinstance(content, dict):
        raise ConfigurationError(f"{sidecar}: expected a JSON object, got {type(content).__name__}")
    return content
