"""The meta attributes that tell a scanner (FIRE, OpenRecon) and Gadgetron what an image is."""

import json
from collections.abc import Mapping
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from types import MappingProxyType
from typing import Any

from perfline.gadgets.mrd.convert import milliseconds_from_seconds
from perfline.gadgets.mrd.meta import MetaValue
from perfline.gadgets.stage_data import Parameter, RegionPrecision, ScanHeader, SliceGeometry

__all__ = ["common_meta", "parameters_as_json", "precision_meta", "quantitative_meta", "window_meta"]

_HISTORY = MappingProxyType(
    {
        "magnitude": (),
        "perfusion": ("SUB", "AVE"),
        "pair": ("SUB",),
        "cbf": ("SUB", "AVE", "CBF"),
    }
)
"""Steps after the reconstruction, which is named by the trajectory."""

_MOST_VALUES = 64


def common_meta(
    header: ScanHeader,
    geometry: SliceGeometry,
    *,
    name: str,
    comment: str,
    image_type: tuple[str, ...],
    history: str,
    post_labeling_delay: float | None = None,
) -> dict[str, MetaValue]:
    """Entries of every image.

    Parameters
    ----------
    header : ScanHeader
    geometry : SliceGeometry
    name : str
        Short name of the series, added to the protocol's.
    comment : str
    image_type : tuple of str
        DICOM image type.
    history : str
        ``magnitude``, ``perfusion``, ``pair`` or ``cbf``.
    post_labeling_delay : float, optional
        [s]; becomes the inversion time in ms.

    Returns
    -------
    dict
        For `encode_meta`.
    """
    steps = ("PERFLINE", header.trajectory.upper(), *_HISTORY[history])
    meta: dict[str, MetaValue] = {
        "DataRole": "Image",
        "ImageType": "\\".join(image_type),
        "SeriesDescription": f"{header.protocol_name}_{name}" if header.protocol_name else name,
        "SequenceDescriptionAdditional": name,
        "ImageComment": comment,
        "ImageComments": comment,
        "ImageProcessingHistory": steps,
        "ImageRowDir": [f"{value:.18f}" for value in geometry.read_dir],
        "ImageColumnDir": [f"{value:.18f}" for value in geometry.phase_dir],
        "Keep_image_geometry": 1,
        "GADGETRON_DataRole": "Image",
        "GADGETRON_SeqDescription": f"_{name}",
        "GADGETRON_ImageComment": comment,
        "GADGETRON_ImageProcessingHistory": steps,
        "PERFLINE_SoftwareVersion": _software_version(),
    }
    if header.echo_time is not None:
        meta["EchoTime"] = _rounded(milliseconds_from_seconds(header.echo_time))
    if post_labeling_delay is not None:
        meta["InversionTime"] = _rounded(milliseconds_from_seconds(post_labeling_delay))
    return meta


def quantitative_meta(*, role: str, unit: str, n_pairs: int, n_rejected: int, parameters: str) -> dict[str, MetaValue]:
    """Entries that an image of physical values carries besides.

    Parameters
    ----------
    role : str
        ``GADGETRON_DataRole``.
    unit : str
        Of the pixel values.
    n_pairs, n_rejected : int
    parameters : str
        From `parameters_as_json`.

    Notes
    -----
    ``DataRole`` Image and Quantitative keeps the scanner from scaling the values; the two Gadgetron switches do the
    same there (their presence counts, not their value).
    """
    return {
        "DataRole": ("Image", "Quantitative"),
        "GADGETRON_DataRole": role,
        "Skip_processing_after_recon": 1,
        "Use_dedicated_scaling_factor": 1,
        "Units": unit,
        "PERFLINE_NumberOfPairs": n_pairs,
        "PERFLINE_RejectedPairs": n_rejected,
        "PERFLINE_Parameters": parameters,
    }


def precision_meta(precision: RegionPrecision | None, is_target_reached: bool) -> dict[str, MetaValue]:
    """Entries that tell how sure the blood flow of a region is, so that the sequence can stop.

    Parameters
    ----------
    precision : RegionPrecision, optional
        Of the least sure region; None where nothing is known, as after the first pair.
    is_target_reached : bool
        Whether all regions are as sure as wanted at this pair.

    Notes
    -----
    ``PERFLINE_Region``, ``PERFLINE_StandardError`` (of the region's mean, in the unit of the image),
    ``PERFLINE_PairsNeeded`` in all, where there is a target and enough pairs to tell, and ``PERFLINE_TargetReached``, 1
    where the target is reached, else no entry.
    """
    meta: dict[str, MetaValue] = {}
    if precision is not None:
        meta["PERFLINE_Region"] = precision.name
        meta["PERFLINE_StandardError"] = precision.standard_error
        if precision.n_pairs_needed is not None:
            meta["PERFLINE_PairsNeeded"] = precision.n_pairs_needed
    if is_target_reached:
        meta["PERFLINE_TargetReached"] = 1
    return meta


def window_meta(center: float, width: float) -> dict[str, MetaValue]:
    """Display window in whole numbers; empty where whole numbers are too coarse for the values."""
    center_, width_ = round(center), round(width)
    if width_ < 2:
        return {}
    return {
        "WindowCenter": center_,
        "WindowWidth": width_,
        "GADGETRON_WindowCenter": center_,
        "GADGETRON_WindowWidth": width_,
    }


def parameters_as_json(parameters: Mapping[str, Parameter]) -> str:
    """Every parameter in use with unit and origin, as JSON.

    Of lists with an entry for each volume, which every image of a long scan would carry, the length is told instead.
    """
    return json.dumps(
        {
            name: {"value": _plain(one.value), "unit": one.unit, "origin": one.origin}
            for name, one in sorted(parameters.items())
        },
        separators=(",", ":"),
    )


def _plain(value: Any) -> Any:
    if not isinstance(value, (tuple, list)):
        return value
    return [_plain(one) for one in value] if len(value) <= _MOST_VALUES else f"{len(value)} values"


def _rounded(time_ms: float) -> float:
    # 1.8 s is 1800 ms, not 1800.0000000000002
    return round(time_ms, 6)


@cache
def _software_version() -> str:
    try:
        return f"perfline {version('perfline')}"
    except PackageNotFoundError:
        return "perfline (not installed)"
