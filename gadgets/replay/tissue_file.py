"""Shares of grey and white matter in each voxel, from NIfTI files."""

from pathlib import Path

import numpy as np

from perfline.gadgets.errors import ConfigurationError
from perfline.gadgets.replay.nifti_file import read_nifti_series
from perfline.gadgets.replay.same_grid import Grid, check_same_grid
from perfline.gadgets.stage_data import TissueMaps

__all__ = ["read_tissues"]

_ROUNDING = 1e-3
"""Resampled shares leave the range from 0 to 1 by that much."""


def read_tissues(grey_path: Path, white_path: Path) -> TissueMaps:
    """Read two tissue maps.

    Parameters
    ----------
    grey_path, white_path : Path
        ``.nii`` or ``.nii.gz``, share of the tissue from 0 to 1, such as BIDS ``*_label-GM_probseg``, already on the
        grid of the ASL images.

    Returns
    -------
    TissueMaps

    Raises
    ------
    ConfigurationError
        A file can't be read, holds several volumes, NaN, or shares that are not from 0 to 1; the two have different
        grids, or together more than 1.
    """
    maps, grids = [], []
    for what, path in (("grey-matter map", grey_path), ("white-matter map", white_path)):
        series = read_nifti_series(path, what)
        if len(series.data) != 1:
            raise ConfigurationError(f"{what} {path}: expected one volume, got {len(series.data)}")
        image = series.data[0]
        bad = int(np.count_nonzero(~np.isfinite(image)))
        if bad:
            raise ConfigurationError(f"{what} {path}: expected finite values, got {bad} that are NaN or infinite")
        if image.min() < -_ROUNDING or image.max() > 1 + _ROUNDING:
            raise ConfigurationError(
                f"{what} {path}: expected shares from 0 to 1, got {image.min():g} to {image.max():g}"
            )
        maps.append(np.clip(image, 0, 1))
        grids.append(Grid(f"{what} {path}", image.shape, series.affine))
    check_same_grid(grids[1], grids[0])
    most = float((maps[0] + maps[1]).max())
    if most > 1 + 10 * _ROUNDING:
        raise ConfigurationError(f"tissue maps: expected at most 1 together in every voxel, got {most:g}")
    affine = grids[0].affine if grids[0].affine is not None else grids[1].affine
    return TissueMaps(maps[0], maps[1], affine)
