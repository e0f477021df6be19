"""Images to NIfTI: axes from (slice, y, x) to (x, y, z), patient coordinates from LPS to RAS, units stated."""

from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from perfline.gadgets.stage_data import SliceGeometry
from perfline.gadgets.stages.slice_affine import slice_affine
from perfline.gadgets.writers.sink import finished_file
from perfline.recon.errors import InputError

if TYPE_CHECKING:
    import nibabel

__all__ = ["nifti_image", "write_nifti"]

_XFORM_UNKNOWN: Final = 0
_XFORM_SCANNER: Final = 1
"""``NIFTI_XFORM_SCANNER_ANAT``: the coordinates are those of the scanner."""

_DTYPES: Final = (np.float32, np.int16, np.uint8)


def nifti_image(
    image: NDArray[np.generic],
    affine: NDArray[np.float64] | None,
    voxel_size: tuple[float, float, float],
    *,
    repetition_time: float | None = None,
    window: tuple[float, float] | None = None,
) -> "nibabel.Nifti1Image":
    """Make a NIfTI image in memory; the data are a view, not a copy.

    Parameters
    ----------
    image : float32, int16 or uint8 array (n_slices, n_y, n_x) or (n_volumes, n_slices, n_y, n_x)
    affine : float64 array (4, 4), optional
        RAS, as `slice_affine` gives it. None: the codes of both transforms say "unknown".
    voxel_size : (x, y, z)
        [mm]; used where there is no affine.
    repetition_time : float, optional
        Time from volume to volume [s]; a zero in the header stands for unknown.
    window : (low, high), optional
        Values a viewer should show as black and white.

    Returns
    -------
    nibabel.Nifti1Image
        (x, y, z) or (x, y, z, volume).

    Raises
    ------
    InputError
        Wrong number of axes or type of values.
    """
    if image.ndim not in (3, 4):
        raise InputError(f"image: expected 3 or 4 axes (volume, slice, y, x), got {image.shape}")
    if image.dtype.type not in _DTYPES:
        raise InputError(f"image: expected float32, int16 or uint8, got {image.dtype}")
    # a tenth of a second, spent where a file is written and not where a scan is waited for
    import nibabel

    # the header is complete before the image is made, and no affine is given then: nibabel would add a code of its own
    header = nibabel.Nifti1Header()
    header.set_data_dtype(image.dtype)
    header.set_data_shape(image.T.shape)
    header.set_xyzt_units("mm", "sec")
    header.set_dim_info(freq=0, phase=1, slice=2)
    zooms = voxel_size if affine is None else tuple(np.linalg.norm(affine[:3, :3], axis=0))
    header.set_zooms([float(size) for size in (*zooms, *((repetition_time or 0.0,) if image.ndim == 4 else ()))])
    if affine is None:
        header.set_qform(None, _XFORM_UNKNOWN)
        header.set_sform(None, _XFORM_UNKNOWN)
    else:
        header.set_qform(affine, _XFORM_SCANNER)
        header.set_sform(affine, _XFORM_SCANNER)
    header["descrip"] = f"perfline {version('perfline')}".encode()
    if window is not None:
        header["cal_min"], header["cal_max"] = window
    return nibabel.Nifti1Image(image.T, None, header=header)


def write_nifti(
    path: Path,
    image: NDArray[np.generic],
    geometry: SliceGeometry,
    *,
    repetition_time: float | None = None,
    window: tuple[float, float] | None = None,
) -> None:
    """Write one NIfTI file; it appears complete or not at all.

    Parameters
    ----------
    path : Path
        Ending in ``.nii`` or ``.nii.gz``.
    image : float32, int16 or uint8 array (n_slices, n_y, n_x) or (n_volumes, n_slices, n_y, n_x)
        May be a memory map: volumes are read one by one.
    geometry : SliceGeometry
    repetition_time : float, optional
        [s]
    window : (low, high), optional

    Raises
    ------
    InputError
        As for `slice_affine` and `nifti_image`.
    OutputError
        The file can't be written.
    """
    import nibabel

    affine = slice_affine(geometry, image.shape)
    nifti = nifti_image(image, affine, geometry.voxel_size, repetition_time=repetition_time, window=window)
    with finished_file(path) as partial:
        nibabel.save(nifti, partial)
