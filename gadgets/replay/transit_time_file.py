"""Arterial transit times of a NIfTI file."""

from pathlib import Path

import numpy as np

from perfline.gadgets.errors import ConfigurationError
from perfline.gadgets.replay.nifti_file import read_nifti, read_nifti_sidecar
from perfline.gadgets.stage_data import TransitTimeMap

__all__ = ["read_transit_time"]

_LONGEST = 10.0
"""No label lives so long [s]: larger values are milliseconds."""


def read_transit_time(path: Path) -> TransitTimeMap:
    """Read a map such as perfline's own ``*_att.nii.gz``.

    Parameters
    ----------
    path : Path
        ``.nii`` or ``.nii.gz`` in s on the grid of the images; 0 or NaN where it is not known. The ``Units`` of a BIDS
        sidecar beside it, where there is one, must say so.

    Returns
    -------
    TransitTimeMap

    Raises
    ------
    ConfigurationError
        The file can't be read, isn't in seconds, or holds negative times.
    """
    units = read_nifti_sidecar(path).get("Units", "s")
    if units != "s":
        raise ConfigurationError(f"transit time {path}: Units of its sidecar: expected s, got {units!r}")
    seconds, affine = read_nifti(path, "transit time")
    finite = seconds[np.isfinite(seconds)]
    if finite.size == 0 or finite.min() < 0 or finite.max() > _LONGEST:
        got = "none" if finite.size == 0 else f"{finite.min():g} to {finite.max():g}"
        raise ConfigurationError(f"transit time {path}: expected seconds, 0 to {_LONGEST:g}, got {got}")
    return TransitTimeMap(seconds, affine, f"transit time {path.name}")
