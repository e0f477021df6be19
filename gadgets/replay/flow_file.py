"""A map of blood flow from a NIfTI file, and the voxels of it that count."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from perfline.gadgets.errors import ConfigurationError
from perfline.gadgets.replay.nifti_file import nifti_stem, read_nifti_series, read_nifti_sidecar
from perfline.gadgets.replay.region_file import read_regions
from perfline.gadgets.replay.same_grid import Grid, check_same_grid
from perfline.gadgets.stage_data import RegionLabels
from perfline.recon.asl.regions import RegionStatistics, region_statistics

__all__ = ["FlowMap", "read_flow", "read_regions_on", "statistics_by_name", "zero_regions"]

_MANY_ZEROS = 0.05
"""Share of a region that is exactly 0: a map that is 0 outside the head reaches into it."""


@dataclass(frozen=True)
class FlowMap:
    """Blood flow, float32 (n_slices, n_y, n_x), NaN where it doesn't count; ``unit`` as its sidecar says, or ``?``."""

    flow: NDArray[np.float32]
    grid: Grid
    unit: str
    name: str


def read_flow(path: Path, mask_path: Path | None = None) -> FlowMap:
    """Read a map of blood flow.

    Parameters
    ----------
    path : Path
        ``.nii`` or ``.nii.gz``, one volume. Voxels that are NaN are left out.
    mask_path : Path, optional
        On the same grid: where it is 0, voxels are left out too.

    Raises
    ------
    ConfigurationError
        A file can't be read, holds several volumes, or the mask has another grid.
    """
    series = read_nifti_series(path, "map of blood flow")
    if len(series.data) != 1:
        raise ConfigurationError(
            f"map of blood flow {path}: expected one volume, got {len(series.data)}: take out the delay that is meant"
        )
    flow = series.data[0]
    grid = Grid(f"map of blood flow {path}", flow.shape, series.affine)
    if mask_path is not None:
        mask = read_nifti_series(mask_path, "mask")
        if len(mask.data) != 1:
            raise ConfigurationError(f"mask {mask_path}: expected one volume, got {len(mask.data)}")
        check_same_grid(Grid(f"mask {mask_path}", mask.data.shape[1:], mask.affine), grid)
        flow = np.where(mask.data[0] > 0, flow, np.float32(np.nan))
    unit = read_nifti_sidecar(path).get("Units", "?")
    return FlowMap(flow, grid, str(unit), nifti_stem(path))


def read_regions_on(flow: FlowMap, path: Path, names_path: Path | None = None) -> RegionLabels:
    """Read regions that must lie on the grid of a map.

    Raises
    ------
    ConfigurationError
        As `read_regions`; or another grid.
    """
    regions = read_regions(path, names_path)
    check_same_grid(Grid(f"label image {path}", regions.labels.shape, regions.affine), flow.grid)
    return regions


def statistics_by_name(flow: FlowMap, regions: RegionLabels) -> dict[str, RegionStatistics]:
    """Statistics of each region by its name, in ascending order of the labels."""
    return {regions.names[one.label]: one for one in region_statistics(flow.flow, regions.labels)}


def zero_regions(flow: FlowMap, regions: RegionLabels) -> tuple[str, ...]:
    """Names of regions of which more than 5 % is exactly 0: what lies outside the head takes part in their means."""
    shares = region_statistics(np.where(np.isfinite(flow.flow), flow.flow == 0, np.nan), regions.labels)
    return tuple(regions.names[one.label] for one in shares if one.mean > _MANY_ZEROS)
