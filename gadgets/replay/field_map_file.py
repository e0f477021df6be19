"""Off-resonance of a NIfTI file."""

from pathlib import Path

import numpy as np

from perfline.gadgets.errors import ConfigurationError
from perfline.gadgets.replay.nifti_file import read_nifti, read_nifti_sidecar
from perfline.gadgets.stage_data import FieldMap

__all__ = ["read_field_map"]


def read_field_map(path: Path) -> FieldMap:
    """Read a field map; several volumes are averaged.

    Parameters
    ----------
    path : Path
        ``.nii`` or ``.nii.gz`` in Hz on the grid of the images, first axis along the readout as perfline writes it. The
        ``Units`` of a BIDS sidecar beside it, where there is one, must say so.

    Returns
    -------
    FieldMap

    Raises
    ------
    ConfigurationError
        The file can't be read, isn't in Hz, or holds NaN.
    """
    if not path.name.endswith((".nii", ".nii.gz")):
        raise ConfigurationError(f"field map {path}: expected .nii or .nii.gz")
    units = read_nifti_sidecar(path).get("Units", "Hz")
    if units != "Hz":
        raise ConfigurationError(f"field map {path}: Units of its sidecar: expected Hz, got {units!r}")
    frequency, affine = read_nifti(path, "field map")
    bad = int(np.count_nonzero(~np.isfinite(frequency)))
    if bad:
        raise ConfigurationError(f"field map {path}: expected finite values, got {bad} that are NaN or infinite")
    return FieldMap(frequency, affine, f"field map {path.name}")
