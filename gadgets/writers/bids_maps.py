"""The derived maps of a scan as NIfTI images with sidecars: blood flow by one formula, by a fit, of arteries.

==========================================  =======================================================================
``NAME_cbf``                                blood flow; 4D for several delays or arteries that are not fitted together.
                                            ``rbf`` in its place for the kidney
``NAME_desc-standarderror_cbf``             its standard error
``NAME_att``                                arterial transit time of a fit [s]
``NAME_desc-standarderror_att``             its standard error
``NAME_desc-arterial_cbv``                  arterial blood volume, where it is fitted, and
``NAME_desc-standarderrorarterial_cbv``     its standard error
``NAME_desc-reducedchisquare_statmap``      of the fit
``NAME_desc-fitstatus_dseg``                code of what failed, 0 for a sound fit (`perfline.recon.asl.fit_status`)
``NAME_desc-territories_dseg``              number of the artery that most probably feeds a voxel
``NAME_desc-territories_probseg``           probability of each artery, 4D
``NAME_desc-brain_mask``                    where blood flow was computed; ``desc-kidney_mask`` for the kidney
==========================================  =======================================================================
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from perfline.gadgets.stage_data import (
    CbfVolume,
    KineticFit,
    PerfusionAverage,
    ScanHeader,
    SliceGeometry,
    TerritoryMap,
)
from perfline.gadgets.writers.bids_sidecar import cbf_sidecar, perfusion_sidecar
from perfline.gadgets.writers.display_windows import FLOW_WINDOWS, TRANSIT_TIME_WINDOW
from perfline.recon.asl.fit_status import FitStatus

__all__ = ["AVERAGE_NAMES", "MAP_NAMES", "DerivedMap", "average_maps", "flow_maps", "territory_maps"]

AVERAGE_NAMES: Final = ("deltam", "desc-tsnr_deltam")

MAP_NAMES: Final = (
    "cbf",
    "desc-standarderror_cbf",
    "rbf",
    "desc-standarderror_rbf",
    "att",
    "desc-standarderror_att",
    "desc-arterial_cbv",
    "desc-standarderrorarterial_cbv",
    "desc-reducedchisquare_statmap",
    "desc-fitstatus_dseg",
    "desc-territories_dseg",
    "desc-territories_probseg",
    "desc-brain_mask",
    "desc-kidney_mask",
)

_ORGANS: Final = {"CBF": "Cerebral", "RBF": "Renal"}


@dataclass(frozen=True)
class DerivedMap:
    """One image to be written: the end of its name, the voxels, and what its sidecar says."""

    end: str
    image: NDArray[np.generic]
    geometry: SliceGeometry
    sidecar: dict[str, Any]
    window: tuple[float, float] | None = None


def average_maps(header: ScanHeader, averages: Sequence[PerfusionAverage], sources: Sequence[str]) -> list[DerivedMap]:
    """Maps of the mean over the pairs.

    Parameters
    ----------
    header : ScanHeader
    averages : sequence of PerfusionAverage
        One; or one for each delay, or for each artery, in order.
    sources : sequence of str
        BIDS URIs of the images that they were made from.
    """
    geometry = averages[0].geometry
    text = "Temporal signal-to-noise ratio of control minus label: mean over standard deviation of the pairs"
    return [
        DerivedMap(
            "deltam",
            _stacked([average.mean for average in averages]),
            geometry,
            perfusion_sidecar(header, averages, "Mean of control minus label", "arbitrary", sources),
        ),
        DerivedMap(
            "desc-tsnr_deltam",
            _stacked([average.tsnr for average in averages]),
            geometry,
            perfusion_sidecar(header, averages, text, "1", sources),
        ),
    ]


def flow_maps(header: ScanHeader, volumes: Sequence[CbfVolume], sources: Sequence[str]) -> list[DerivedMap]:
    """Maps of the latest blood flow.

    Parameters
    ----------
    header : ScanHeader
    volumes : sequence of CbfVolume
        One; or one for each delay, or for each artery, in order.
    sources : sequence of str
        BIDS URIs of the images that they were made from.
    """
    first = volumes[0]
    name = "CBF" if header.asl is None else header.asl.flow_name
    window = None if first.unit == "relative" else FLOW_WINDOWS[name]
    way = "single-delay estimate" if first.fit is None else "fit over delays"
    if first.fit is not None and np.any(first.fit.status == FitStatus.LOOKED_UP):
        way = "look-up of the delays that came"
    text = f"{_ORGANS[name]} blood flow, {way}"
    about = cbf_sidecar(header, volumes, text, sources)
    error_text = (
        "Standard error of the blood flow, from the spread of the pairs"
        if first.fit is None
        else "Standard error of the blood flow, from the fit and the spread of the pairs"
    )
    errors = perfusion_sidecar(header, volumes, error_text, about["Units"], sources)
    maps = [
        DerivedMap(name.lower(), _stacked([volume.cbf for volume in volumes]), first.geometry, about, window),
        DerivedMap(
            f"desc-standarderror_{name.lower()}",
            _stacked([volume.standard_error for volume in volumes]),
            first.geometry,
            errors,
        ),
    ]
    if first.fit is not None:
        maps += _fit_maps(header, first, first.fit, sources)
    return [*maps, _mask(header, volumes[-1], sources)]


def _mask(header: ScanHeader, flow: CbfVolume, sources: Sequence[str]) -> DerivedMap:
    is_kidney = header.asl is not None and header.asl.organ == "kidney"
    about = {
        "Description": "Where blood flow was computed",
        "Type": "ROI" if is_kidney else "Brain",
        "Sources": list(sources),
    }
    end = "desc-kidney_mask" if is_kidney else "desc-brain_mask"
    return DerivedMap(end, flow.mask.astype(np.uint8), flow.geometry, about)


def _fit_maps(header: ScanHeader, flow: CbfVolume, fit: KineticFit, sources: Sequence[str]) -> list[DerivedMap]:
    def sidecar(text: str, units: str) -> dict[str, Any]:
        return perfusion_sidecar(header, [flow], text, units, sources)

    codes = {str(status.value): status.name for status in FitStatus}
    volume = []
    if fit.arterial_blood_volume is not None and fit.arterial_blood_volume_error is not None:
        text = "Arterial blood volume, fraction of the voxel"
        volume = [
            DerivedMap("desc-arterial_cbv", fit.arterial_blood_volume, flow.geometry, sidecar(text, "1")),
            DerivedMap(
                "desc-standarderrorarterial_cbv",
                fit.arterial_blood_volume_error,
                flow.geometry,
                sidecar(f"Standard error: {text}", "1"),
            ),
        ]
    return [
        *volume,
        DerivedMap(
            "att", fit.arterial_transit_time, flow.geometry, sidecar("Arterial transit time", "s"), TRANSIT_TIME_WINDOW
        ),
        DerivedMap(
            "desc-standarderror_att",
            fit.arterial_transit_time_error,
            flow.geometry,
            sidecar("Standard error of the arterial transit time", "s"),
        ),
        DerivedMap(
            "desc-reducedchisquare_statmap",
            fit.reduced_chi_square,
            flow.geometry,
            sidecar("Reduced chi-square of the fit over delays", "1"),
        ),
        DerivedMap(
            "desc-fitstatus_dseg",
            fit.status,
            flow.geometry,
            {**sidecar("How the fit of a voxel ended", "1"), "Levels": codes},
        ),
    ]


def territory_maps(found: TerritoryMap, sources: Sequence[str]) -> list[DerivedMap]:
    """Maps of the territories.

    Parameters
    ----------
    found : TerritoryMap
    sources : sequence of str
        BIDS URIs of the images that they were made from.
    """
    common = {"Sources": list(sources), "NumberOfBlocks": found.n_blocks}
    return [
        DerivedMap(
            "desc-territories_dseg",
            found.artery,
            found.geometry,
            {
                "Description": "Artery that most probably feeds a voxel, in the order of EncodingMatrix; 0: not known",
                **common,
            },
        ),
        DerivedMap(
            "desc-territories_probseg",
            found.probability,
            found.geometry,
            {"Description": "Probability of each artery, given that one of them feeds the voxel", **common},
        ),
    ]


def _stacked(images: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
    """One 3D image, or several as 4D."""
    return images[0] if len(images) == 1 else np.stack(images)
