"""The stages of each gadget: what a chain's names stand for, for a given scan."""

from collections.abc import Callable, Mapping
from math import isnan
from types import MappingProxyType
from typing import Final

from perfline.gadgets.errors import MissingParameterError, ScanHeaderError
from perfline.gadgets.settings import Settings
from perfline.gadgets.stage_data import ScanHeader, SideData
from perfline.gadgets.stages.accumulate import Accumulate
from perfline.gadgets.stages.assess import Assess
from perfline.gadgets.stages.average import Average
from perfline.gadgets.stages.average_selected import AverageSelected, is_selective
from perfline.gadgets.stages.calibrate import Calibrate
from perfline.gadgets.stages.check_flow import CheckFlow
from perfline.gadgets.stages.decode import Decode
from perfline.gadgets.stages.delays import is_fitted
from perfline.gadgets.stages.fit_delays import FitDelays
from perfline.gadgets.stages.follow_motion import FollowMotion
from perfline.gadgets.stages.label import Label
from perfline.gadgets.stages.pair import Pair
from perfline.gadgets.stages.quantify import Quantify
from perfline.gadgets.stages.reconstruct_epi import ReconstructEpi
from perfline.gadgets.stages.stage import Stage
from perfline.gadgets.stages.subtract import Subtract
from perfline.gadgets.stages.territories import Territories
from perfline.recon.parameters import SubtractionDomain, SubtractionOrder

__all__ = ["BUILDERS"]

Builder = Callable[[ScanHeader, Settings, SideData], list[Stage]]


def _epi_recon(header: ScanHeader, settings: Settings, side: SideData) -> list[Stage]:
    if header.spiral is not None:
        raise ScanHeaderError(
            f"epi_recon: expected encoding.trajectory epi, got {header.trajectory}: that is for spiral_recon, or for"
            " realtime_perfusion, which takes both"
        )
    return [Accumulate(header, settings), ReconstructEpi(header, settings)]


def _spiral_recon(header: ScanHeader, settings: Settings, side: SideData) -> list[Stage]:
    if header.spiral is None:
        raise ScanHeaderError(
            f"spiral_recon: expected another encoding.trajectory than {header.trajectory}: that is for epi_recon, or"
            " for realtime_perfusion, which takes both"
        )
    # an EPI scan starts without them
    from perfline.gadgets.stages.accumulate_spiral import AccumulateSpiral
    from perfline.gadgets.stages.reconstruct_spiral import ReconstructSpiral

    return [AccumulateSpiral(header, settings, side), ReconstructSpiral(header, settings, side.field_map)]


def _any_recon(header: ScanHeader, settings: Settings, side: SideData) -> list[Stage]:
    recon = _epi_recon if header.spiral is None else _spiral_recon
    return recon(header, settings, side)


def _asl_subtraction(header: ScanHeader, settings: Settings, side: SideData) -> list[Stage]:
    _require_asl(header, "asl_subtraction")
    order, domain = SubtractionOrder(settings.subtraction_order), SubtractionDomain(settings.subtraction_domain)
    if header.asl is not None and header.asl.encoding_matrix:
        return [Label(header), Decode(header, domain)]
    last_pair = header.limits["repetition"].maximum if _is_one_pair_per_repetition(header) else None
    return [Label(header), Pair(order, domain, last_pair), Subtract(domain)]


def _cbf_quantification(header: ScanHeader, settings: Settings, side: SideData) -> list[Stage]:
    _require_asl(header, "cbf_quantification")
    average: Stage = AverageSelected(header, settings) if is_selective(settings) else Average()
    stages: list[Stage] = [average, Calibrate(header, side.separate_m0)]
    end: list[Stage] = [CheckFlow(header), Assess(header, settings, side)]
    if settings.motion == "follow":
        end.append(FollowMotion(header))
    if header.asl is not None and is_fitted(header.asl):
        if side.transit_time is not None:
            raise ScanHeaderError(
                f"{side.transit_time.name}: expected none for a scan of several delays, which measures transit times"
            )
        return [*stages, FitDelays(header, settings), *end]
    if side.transit_time is not None and header.asl is not None and isnan(header.asl.perfused_tissue_t1):
        raise MissingParameterError(
            f"GreyMatterT1 is not given, for {side.transit_time.name}, and has no default at this field strength: put"
            " it into the sidecar (*_asl.json), the protocol file, or the userParameters of the MRD header"
        )
    stages.append(Quantify(header, transit_time=side.transit_time))
    if header.asl is not None and header.asl.encoding_matrix:
        stages.append(Territories(header))
    return [*stages, *end]


def _realtime_perfusion(header: ScanHeader, settings: Settings, side: SideData) -> list[Stage]:
    return [
        *_any_recon(header, settings, side),
        *_asl_subtraction(header, settings, side),
        *_cbf_quantification(header, settings, side),
    ]


def _is_one_pair_per_repetition(header: ScanHeader) -> bool:
    """Whether ``idx.repetition`` numbers the pairs, so that its limit names the last one."""
    limits = header.limits
    return limits["set"].count == 2 and limits["phase"].count == 1 and limits["average"].count == 1


def _require_asl(header: ScanHeader, gadget: str) -> None:
    if header.asl is None:
        raise ScanHeaderError(
            f"{gadget}: the scan declares no arterial spin labelling: expected ArterialSpinLabelingType in a sidecar,"
            " in the protocol's [asl] or in the header's userParameters (images alone: perfline recon)"
        )


BUILDERS: Final[Mapping[str, Builder]] = MappingProxyType(
    {
        "realtime_perfusion": _realtime_perfusion,
        "epi_recon": _epi_recon,
        "spiral_recon": _spiral_recon,
        "asl_subtraction": _asl_subtraction,
        "cbf_quantification": _cbf_quantification,
    }
)
"""What each of `perfline.gadgets.chain.GADGETS` consists of."""
