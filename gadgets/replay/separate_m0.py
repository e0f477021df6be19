"""The M0 image of another file: a NIfTI ``*_m0scan`` with its sidecar, or a raw MRD scan, reconstructed first."""

import json
from pathlib import Path
from typing import Any

import nibabel
import numpy as np

from perfline.gadgets.chain import load_chain
from perfline.gadgets.errors import ConfigurationError
from perfline.gadgets.mrd.file_session import FileSession
from perfline.gadgets.mrd.parameter_values import seconds
from perfline.gadgets.scan import ScanOptions, run_scan
from perfline.gadgets.stage_data import SeparateM0, Volume
from perfline.gadgets.stages.slice_affine import slice_affine
from perfline.gadgets.writers.keep_items import KeepItems
from perfline.recon.asl.m0 import mean_m0

__all__ = ["read_separate_m0"]

_REPETITION_TIMES = ("RepetitionTimePreparation", "RepetitionTime")
"""Keys of an M0 file's sidecar, the first that is there."""


def read_separate_m0(path: Path, options: ScanOptions | None = None) -> SeparateM0:
    """Read an M0 image; several volumes are averaged.

    Parameters
    ----------
    path : Path
        ``.nii`` or ``.nii.gz``, first axis along the readout as perfline writes it; or an MRD file of an EPI scan. The
        repetition time comes from the JSON beside a NIfTI file, or from the MRD header.
    options : ScanOptions, optional
        For the reconstruction of an MRD file: its overrides should be those of the ASL scan.

    Returns
    -------
    SeparateM0
        Magnitude, not corrected for its repetition time.

    Raises
    ------
    ConfigurationError
        The file can't be read or gives no image.
    ScanHeaderError
        Its repetition time isn't in seconds.
    """
    if path.name.endswith((".nii", ".nii.gz")):
        return _from_nifti(path)
    keep = KeepItems(Volume)
    # what concerns pairs has no meaning for an M0 scan, and would ask its header for labelling
    overrides = {k: v for k, v in (options or ScanOptions()).overrides.items() if k != "ghost_sharing"}
    summary = run_scan(
        FileSession(path), lambda config: load_chain("epi"), options=ScanOptions(overrides), sinks=[keep]
    )
    volumes = [item for item in keep.items if isinstance(item, Volume)]
    if summary.status != "success" or not volumes or keep.header is None:
        raise ConfigurationError(f"M0 file {path}: {summary.reason or 'no complete volume'}")
    image = mean_m0([volume.image for volume in volumes])
    affine = slice_affine(volumes[0].geometry, image.shape)
    return SeparateM0(image, affine, keep.header.repetition_time, f"M0 file {path.name}")


def _from_nifti(path: Path) -> SeparateM0:
    try:
        image: Any = nibabel.load(path)
        data = np.asarray(image.dataobj, np.float32)
    except (OSError, nibabel.filebasedimages.ImageFileError) as error:
        raise ConfigurationError(f"M0 file {path}: {error}") from error
    if data.ndim == 4:
        data = data.mean(axis=3)
    if data.ndim != 3:
        raise ConfigurationError(f"M0 file {path}: expected 3 or 4 axes, got {data.ndim}")
    has_place = int(image.header["sform_code"]) > 0 or int(image.header["qform_code"]) > 0
    affine = np.asarray(image.affine, np.float64) if has_place else None
    return SeparateM0(np.ascontiguousarray(data.T), affine, _repetition_time(path), f"M0 file {path.name}")


def _repetition_time(path: Path) -> float | None:
    """Repetition time of the JSON beside a NIfTI file [s]."""
    sidecar = path.with_name(path.name.removesuffix(".gz").removesuffix(".nii") + ".json")
    if not sidecar.is_file():
        return None
    try:
        content = json.loads(sidecar.read_text(encoding="utf-8-sig"))
    except ValueError as error:
        raise ConfigurationError(f"{sidecar}: expected JSON ({error})") from error
    for key in _REPETITION_TIMES:
        if key in content:
            return seconds(key, content[key], str(sidecar))
    return None
