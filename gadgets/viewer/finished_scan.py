"""A scan that ended earlier, from the files it left, as the messages that a running one would have sent."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from multiprocessing.connection import Client
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from perfline.gadgets.errors import ConfigurationError, StreamError
from perfline.gadgets.replay.nifti_file import NiftiSeries
from perfline.gadgets.replay.nifti_header import volume_geometry
from perfline.gadgets.replay.table_file import read_table
from perfline.gadgets.report.scan_folder import FIT_STATUS, FLOW_MASKS, FileKind, ScanFolder, read_scan_folder
from perfline.gadgets.stage_data import (
    CbfVolume,
    Dropped,
    KineticFit,
    M0Volume,
    Notice,
    PerfusionAverage,
    RegionPrecision,
    ScanQuality,
    Volume,
    VolumeKey,
    VolumeLabel,
)
from perfline.gadgets.viewer.parameter_rows import about_folder, rows_of_summary
from perfline.gadgets.viewer.wire import Batch, Began, Course, Ended, Message, Picture, send
from perfline.gadgets.writers.scan_course import PairPoint, VolumePoint
from perfline.recon.parameters import VolumeType

__all__ = ["finished_scan", "show_finished_scan"]

_NAN: Final = float("nan")
_NOTHING: Final = np.empty((0, 0, 0), np.float32)

_SOME_REGION: Final = "the least sure region"
"""Its name is not in the table of pairs."""


def show_finished_scan(address: Path, messages: Sequence[Message]) -> None:
    """Show a scan in a viewer.

    Parameters
    ----------
    address : Path
        That of the `ViewerProcess`.
    messages : sequence
        From `finished_scan`.

    Raises
    ------
    StreamError
        The viewer has gone.
    """
    try:
        with Client(str(address), "AF_UNIX") as connection:
            for message in messages:
                send(connection, message)
    except OSError as error:
        raise StreamError(f"live view: the viewer can't be reached ({error})") from error


def finished_scan(folder: Path) -> tuple[Message, ...]:
    """Read what a scan has left.

    Parameters
    ----------
    folder : Path

    Raises
    ------
    ConfigurationError
        The folder has no summary of a scan, or a file that the summary lists can't be read.
    """
    found = read_scan_folder(folder)
    summary = found.summary
    pictures = tuple(_pictures(found))
    flows = [picture for picture in pictures if isinstance(picture, CbfVolume)]
    flow_name = "RBF" if found.name_of(FileKind("rbf")) else "CBF"
    is_labelled = any(isinstance(picture, PerfusionAverage | CbfVolume) for picture in pictures)
    rows = rows_of_summary(summary["parameters"])
    target = summary["settings"].get("target_standard_error")
    quality = _quality(summary)
    items = (*_messages(summary), *map(_without_arrays, flows[-1:]), quality)
    name = flow_name if is_labelled else None
    return (
        Began(folder.resolve().name, about_folder(found), name, rows, _pairs_of_block(summary)),
        Batch(items, pictures, 0),
        Course(_volume_points(found), _pair_points(found, quality.regions)),
        Ended(summary["status"], summary["reason"], target if isinstance(target, int | float) else 0.0),
    )


def _pairs_of_block(summary: Mapping[str, Any]) -> int | None:
    n_blocks, n_pairs = summary.get("n_blocks"), summary.get("n_pairs")
    if not isinstance(n_blocks, int) or not isinstance(n_pairs, int):
        return None
    # a scan that ended before its first map has no blocks
    return n_pairs // n_blocks if n_blocks else 1


def _messages(summary: Mapping[str, Any]) -> Iterator[object]:
    for notice in summary["notices"]:
        yield Notice(str(notice["level"]), str(notice["text"]))
    for reason, n_drops in summary["drop_reasons"].items():
        what, _, why = reason.partition(": ")
        for _ in range(n_drops if isinstance(n_drops, int) else 1):
            yield Dropped(what, why)


def _quality(summary: Mapping[str, Any]) -> ScanQuality:
    regions = tuple(
        RegionPrecision(
            name=str(one["name"]),
            mean=_number(one["mean"]),
            standard_error=_number(one["standard_error"]),
            n_pairs=int(one["n_pairs"]),
            n_pairs_needed=one.get("n_pairs_needed"),
            is_target_reached=bool(one.get("is_target_reached")),
            label=int(one.get("label") or 0),
        )
        for one in summary["regions"]
    )
    figures_of = str(summary.get("figures_of") or "")
    return ScanQuality(
        figures={name: _number(value) for name, value in summary["figures"].items()},
        regions=regions,
        rejected=tuple((int(one["pair"]), str(one["reason"])) for one in summary["rejected"]),
        n_pairs=int(summary.get("n_pairs") or 0),
        source=(),
        figures_of=figures_of,
        precision=_of_all(regions, figures_of) if figures_of else None,
    )


def _of_all(regions: Sequence[RegionPrecision], which: str) -> RegionPrecision | None:
    """The least sure region of all arteries together."""
    known = [one for one in regions if one.name.endswith(f", {which}") and math.isfinite(one.standard_error)]
    return max(known, key=lambda one: one.standard_error, default=None)


def _pictures(found: ScanFolder) -> Iterator[Picture]:
    """What was last to be seen in the scan; of its series the last control."""
    yield from _last_volume(found)
    m0 = found.image(FileKind("m0scan", "corrected")) or found.image(FileKind("m0scan"))
    if m0 is not None:
        yield M0Volume(m0.data[0], volume_geometry(m0), 1, 1.0, ())
    n_pairs = int(found.summary.get("n_pairs") or 0)
    n_rejected = int(found.summary.get("n_pairs_rejected") or 0)
    deltam = found.image(FileKind("deltam"))
    if deltam is not None:
        geometry = volume_geometry(deltam)
        groups = _groups(found, FileKind("deltam"), deltam)
        numbers = _numbers_of_pairs(found, len(groups), n_pairs, n_rejected)
        for image, (delay, artery), (used, left_out) in zip(deltam.data, groups, numbers, strict=True):
            yield PerfusionAverage(image, _NOTHING, _NOTHING, used, left_out, geometry, delay, _NAN, (), artery=artery)
    yield from _flows(found, n_pairs, n_rejected)


def _numbers_of_pairs(found: ScanFolder, n_images: int, n_pairs: int, n_rejected: int) -> list[tuple[int, int]]:
    """Pairs of each perfusion image, used and rejected: what its sidecar lists, else those of the scan."""
    sidecar = found.sidecar(FileKind("deltam"))
    lists = [sidecar.get(name) for name in ("NumberOfPairs", "NumberOfRejectedPairs")]
    if all(isinstance(one, list) and len(one) == n_images for one in lists):
        used, left_out = ([int(_number(value)) for value in one] for one in lists if one is not None)
        return list(zip(used, left_out, strict=True))
    return [(n_pairs, n_rejected)] * n_images


def _last_volume(found: ScanFolder) -> Iterator[Volume]:
    for kind in (FileKind("asl"), FileKind("epi")):
        series = found.image(kind)
        if series is not None:
            types = _volume_types(found)[: len(series.data)]
            controls = [number for number, name in enumerate(types) if name == VolumeType.CONTROL]
            label = VolumeLabel(VolumeType.CONTROL, controls[-1], None, None, None) if controls else None
            image = series.data[controls[-1] if controls else -1].astype(np.complex64)
            yield Volume(image, VolumeKey(0), volume_geometry(series), _NAN, 0.0, label)
            return


def _volume_types(found: ScanFolder) -> list[str]:
    """Types of the volumes of the series, where it has any."""
    for name in found.summary["files"]:
        if name.endswith("_aslcontext.tsv"):
            return [row["volume_type"] for row in read_table(found.path / name, "aslcontext", ("volume_type",))]
    return []


def _flows(found: ScanFolder, n_pairs: int, n_rejected: int) -> Iterator[CbfVolume]:
    name = "rbf" if found.name_of(FileKind("rbf")) else "cbf"
    flows = found.image(FileKind(name))
    if flows is None:
        return
    errors = found.image(FileKind(name, "standarderror"))
    mask = next((mask for mask in map(found.image, FLOW_MASKS) if mask is not None), None)
    inside = np.isfinite(flows.data[0]) if mask is None else mask.data[0] > 0
    unit = "relative" if found.sidecar(FileKind(name)).get("Units") == "arbitrary" else "mL/100g/min"
    geometry = volume_geometry(flows)
    unknown = np.full_like(flows.data, np.nan)
    fit = _fit(found)
    regions = _quality(found.summary).regions
    least_sure = max(
        (one for one in regions if math.isfinite(one.standard_error)), key=lambda one: one.standard_error, default=None
    )
    for image, error, (delay, artery) in zip(
        flows.data,
        unknown if errors is None else errors.data,
        _groups(found, FileKind(name), flows),
        strict=True,
    ):
        _check_shape(found, image, error, inside)
        yield CbfVolume(
            cbf=image,
            standard_error=error,
            mask=inside,
            unit=unit,
            n_pairs=n_pairs,
            n_rejected=n_rejected,
            geometry=geometry,
            post_labeling_delay=delay,
            labeling_duration=_NAN,
            source=(),
            fit=fit,
            artery=artery,
            precision=least_sure,
            is_target_reached=bool(regions) and all(one.is_target_reached for one in regions),
        )


def _fit(found: ScanFolder) -> KineticFit | None:
    times = found.image(FileKind("att"))
    if times is None:
        return None
    status = found.image(FIT_STATUS)
    codes = np.zeros(times.data[0].shape, np.uint8) if status is None else status.data[0].astype(np.uint8)
    _check_shape(found, times.data[0], codes)
    return KineticFit(times.data[0], _NOTHING, None, None, _NOTHING, codes, (), ())


def _groups(found: ScanFolder, kind: FileKind, series: NiftiSeries) -> list[tuple[float, int | None]]:
    """Delay and artery of each image of a file: what its sidecar lists, else they are of different arteries."""
    delays = found.sidecar(kind).get("PostLabelingDelay")
    n_images = len(series.data)
    if isinstance(delays, list) and len(delays) == n_images and len(set(map(str, delays))) == n_images:
        return [(_number(delay), None) for delay in delays]
    if n_images == 1:
        return [(_number(delays), None)]
    return [(_NAN, number + 1) for number in range(n_images)]


def _check_shape(found: ScanFolder, *images: NDArray[Any]) -> None:
    shapes = {image.shape for image in images}
    if len(shapes) > 1:
        raise ConfigurationError(f"{found.path}: expected maps of one grid, got {' and '.join(map(str, shapes))}")


def _without_arrays(flow: CbfVolume) -> CbfVolume:
    return replace(flow, cbf=_NOTHING, standard_error=_NOTHING, mask=_NOTHING > 0, fit=None)


def _volume_points(found: ScanFolder) -> tuple[VolumePoint, ...]:
    rows = found.table("volumes.tsv", ("volume", "volume_type", "ghost_level", "latency_s")) or []
    return tuple(
        VolumePoint(
            number=int(_number(row["volume"])),
            volume_type="" if row["volume_type"] == "n/a" else row["volume_type"],
            time_s=_number(row.get("time_s")),
            ghost_level=_number(row["ghost_level"]),
            latency_s=_number(row["latency_s"]),
            displacement=_number(row.get("displacement_mm")),
        )
        for row in rows
    )


def _pair_points(found: ScanFolder, regions: Sequence[RegionPrecision]) -> tuple[PairPoint, ...]:
    known = {"pairs", "artery", "mean_cbf", "standard_error", "n_rejected", "latency_s"}
    rows = found.table("pairs.tsv", ("pairs", "mean_cbf", "standard_error", "n_rejected")) or []
    region = _SOME_REGION if any(one.label for one in regions) else ""
    return tuple(
        PairPoint(
            n_pairs=int(_number(row["pairs"])),
            mean_cbf=_number(row["mean_cbf"]),
            standard_error=_number(row["standard_error"]),
            figures={name: _number(value) for name, value in row.items() if name not in known},
            n_rejected=int(_number(row["n_rejected"])),
            latency_s=_number(row.get("latency_s")),
            region=region,
            artery=None if row.get("artery", "n/a") == "n/a" else int(_number(row["artery"])),
        )
        for row in rows
    )


def _number(value: object) -> float:
    """NaN for what is not known."""
    try:
        return float(value) if isinstance(value, int | float | str) else _NAN
    except ValueError:
        return _NAN
