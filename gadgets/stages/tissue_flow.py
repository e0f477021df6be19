"""Blood flow of grey and white matter apart: perfusion and M0 split by tissue maps, then the same quantification."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from perfline.gadgets.errors import ScanHeaderError
from perfline.gadgets.settings import Settings
from perfline.gadgets.stage_data import CbfVolume, M0Volume, PerfusionAverage, ScanHeader, TissueMaps
from perfline.gadgets.stages.delays import delay_groups
from perfline.gadgets.stages.fit_delays import FitDelays
from perfline.gadgets.stages.quantify import Quantify
from perfline.gadgets.stages.stage import Stage
from perfline.recon.asl.partial_volume import TissueParts, split_tissues

__all__ = ["GREY_MATTER", "WHITE_MATTER", "tissue_flow"]

GREY_MATTER, WHITE_MATTER = "grey_matter", "white_matter"


def tissue_flow(
    header: ScanHeader,
    settings: Settings,
    tissues: TissueMaps,
    averages: Sequence[PerfusionAverage],
    m0: M0Volume,
    mask: NDArray[np.bool_],
) -> dict[str, CbfVolume]:
    """Correct the blood flow for partial volume.

    Parameters
    ----------
    header : ScanHeader
        With ``asl`` resolved.
    settings : Settings
    tissues : TissueMaps
        On the grid of the images.
    averages : sequence of PerfusionAverage
        The last of each delay.
    m0 : M0Volume
    mask : bool array (n_slices, n_y, n_x)
        Where blood flow was computed without the correction.

    Returns
    -------
    dict of CbfVolume
        `GREY_MATTER` and `WHITE_MATTER`: what each tissue alone would have; 0 outside the mask, NaN inside it where a
        voxel holds too little of the tissue. There are no standard errors: the window of the regression makes
        neighbours depend on each other.

    Raises
    ------
    ScanHeaderError
        A vessel-encoded scan, or one of several delays whose flow was not fitted, or no M0 image.

    References
    ----------
    Asllani I, Borogovac A, Brown TR 2008, Magn Reson Med 60:1362-1371.
    """
    _check(header, averages, m0)
    parts = [split_tissues(average.mean, tissues.grey_matter, tissues.white_matter) for average in averages]
    m0_parts = split_tissues(m0.image, tissues.grey_matter, tissues.white_matter)
    flows = {}
    for tissue in (GREY_MATTER, WHITE_MATTER):
        own_m0 = _part(m0_parts, tissue)
        own_averages = [
            replace(average, mean=_part(part, tissue)) for average, part in zip(averages, parts, strict=True)
        ]
        usable = mask & np.isfinite(own_m0) & (own_m0 > 0)
        stage = _quantification(header, settings, usable)
        flows[tissue] = _last_flow(stage, replace(m0, image=own_m0), own_averages, mask)
    return flows


def _check(header: ScanHeader, averages: Sequence[PerfusionAverage], m0: M0Volume) -> None:
    if header.asl is None or any(average.artery is not None for average in averages):
        raise ScanHeaderError(
            "partial volume correction: expected one perfusion image for each delay, not one of each artery"
        )
    if not m0.n_volumes:
        raise ScanHeaderError(f"partial volume correction: needs an M0 image, M0Type is {header.asl.m0_type}")


def _part(parts: TissueParts, tissue: str) -> NDArray[np.float32]:
    return np.ascontiguousarray(parts.grey_matter if tissue == GREY_MATTER else parts.white_matter)


def _quantification(header: ScanHeader, settings: Settings, mask: NDArray[np.bool_]) -> Stage:
    """The stage that the chain has for this scan."""
    if header.asl is not None and len(delay_groups(header.asl)) > 1:
        return FitDelays(header, settings, mask)
    return Quantify(header, mask)


def _last_flow(stage: Stage, m0: M0Volume, averages: Sequence[PerfusionAverage], mask: NDArray[np.bool_]) -> CbfVolume:
    flow = None
    for item in (m0, *averages):
        for result in stage.process(item):
            if isinstance(result, CbfVolume):
                flow = result
    if flow is None:
        raise ScanHeaderError("partial volume correction: the perfusion images gave no blood flow")
    unknown = mask & ~flow.mask
    nan = np.float32(np.nan)
    return replace(
        flow, cbf=np.where(unknown, nan, flow.cbf), standard_error=np.where(mask, nan, np.float32(0)), mask=mask
    )
