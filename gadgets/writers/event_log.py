"""What happens in a scan, as it happens: one JSON object for each line, with no word on who was scanned.

Of the header only the facts of a list are told; texts pass through `PublicText`. Times are UTC, and seconds since the
log was opened.
"""

import json
import os
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from importlib.metadata import version
from math import isfinite
from pathlib import Path
from typing import Any, Final

from perfline.gadgets.errors import OutputError
from perfline.gadgets.settings import installed_protocols
from perfline.gadgets.stage_data import (
    CbfVolume,
    Delivered,
    Dropped,
    M0Volume,
    Motion,
    Notice,
    PerfusionAverage,
    ScanHeader,
    ScanQuality,
    Volume,
    VolumeKey,
)
from perfline.gadgets.summary import ScanSummary
from perfline.gadgets.writers.json_file import plain_value
from perfline.gadgets.writers.public_text import PublicText
from perfline.gadgets.writers.sink import as_output_error

__all__ = ["EventLogSink"]

_MOST_EVENTS: Final = {"dropped": 1000, "notice": 200}
"""Lines of one kind; of the others `_MOST_OTHERS`. What comes after is counted, and told at the end."""

_MOST_OTHERS: Final = 50_000

_MOST_VALUES: Final = 16
"""Of a list of the header, such as delays."""


class EventLogSink:
    """Appends events to a file, each whole and at once, so that it can be followed while the scan runs.

    Events: ``started``, ``volume``, ``m0``, ``perfusion``, ``cbf`` (each when it has been sent, with its latency),
    ``pair`` (blood flow, its standard error and the temporal SNR after so many pairs), ``motion``, ``dropped``,
    ``notice``, ``ended``. A log that can't be written is reported like any file, and costs the scan nothing else.

    Parameters
    ----------
    path : Path
        Must not exist, unless `overwrite`.
    overwrite : bool
        Replace an earlier log.
    """

    name = "log"

    def __init__(self, path: Path, *, overwrite: bool = False) -> None:
        self._path = path
        self._overwrite = overwrite
        self._file: int | None = None
        self._has_begun = False
        self._has_failed = False
        self._failure: OutputError | None = None
        self._public = PublicText()
        self._start = time.monotonic()
        self._counts: Counter[str] = Counter()
        self._sent: dict[str, Mapping[str, Any]] = {}

    def open(self, header: ScanHeader) -> None:
        """Begin the log; what goes wrong is told at the first item, so that the scan can go on."""
        self._public = PublicText(header.xml)
        self._start = time.monotonic()
        try:
            self._append("started", {"software": f"perfline {version('perfline')}", **_facts(header)})
        except OutputError as error:
            self._failure = error

    def write(self, item: object) -> None:
        """Tell what the item says.

        Raises
        ------
        OutputError
            The log can't be written; raised once, and nothing more is written.
        """
        if self._failure is not None:
            failure, self._failure = self._failure, None
            raise failure
        if isinstance(item, Delivered):
            self._append(item.what, {**self._sent.pop(item.what, {}), "latency": item.seconds})
        elif isinstance(item, Volume):
            self._sent["volume"] = _of_volume(item)
        elif isinstance(item, M0Volume):
            self._sent["m0"] = {}
        elif isinstance(item, PerfusionAverage | CbfVolume):
            name = "cbf" if isinstance(item, CbfVolume) else "perfusion"
            self._sent[name] = {"n_pairs": item.n_pairs, "n_rejected": item.n_rejected}
        elif isinstance(item, ScanQuality):
            self._append("pair", _of_quality(item))
        elif isinstance(item, Motion):
            self._append("motion", _of_motion(item))
        elif isinstance(item, Dropped):
            where = {"volume": _of_key(item.key), "slice": item.slice}
            self._append("dropped", {"what": item.what, "reason": self._public(item.reason), **where})
        elif isinstance(item, Notice):
            self._append("notice", {"level": item.level, "text": self._public(item.text)})

    def close(self, summary: ScanSummary | None) -> Sequence[Path]:
        """Tell how the scan ended; a scan that was refused has this line alone.

        Raises
        ------
        OutputError
            The log can't be written.
        """
        if self._failure is not None:
            raise self._failure
        try:
            if summary is not None:
                self._append("ended", _of_summary(summary, self._public, self._left_out()))
        finally:
            if self._file is not None:
                os.close(self._file)
                self._file = None
        return (self._path,) if self._has_begun else ()

    def _left_out(self) -> dict[str, int]:
        return {name: n - most for name, n in self._counts.items() if n > (most := _most(name))}

    def _append(self, event: str, content: Mapping[str, Any]) -> None:
        """Write one line, in one call."""
        self._counts[event] += 1
        if self._has_failed or self._counts[event] > _most(event):
            return
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        head = {"time": now, "seconds": round(time.monotonic() - self._start, 4), "event": event}
        line = json.dumps({**head, **_rounded(plain_value(content))}, allow_nan=False) + "\n"
        try:
            with as_output_error("log", self._path):
                if self._file is None:
                    self._file = self._create()
                if os.write(self._file, line.encode("ascii")) < len(line):
                    raise OSError("only a part of a line was written: is the disk full?")
        except OutputError:
            self._has_failed = True
            if self._file is not None and not self._has_begun:
                # a log that tells nothing
                with suppress(OSError):
                    self._path.unlink()
            raise
        self._has_begun = True

    def _create(self) -> int:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        if self._overwrite:
            self._path.unlink(missing_ok=True)
        return os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)


def _most(event: str) -> int:
    return _MOST_EVENTS.get(event, _MOST_OTHERS)


def _rounded(value: Any) -> Any:
    """Plain values with six digits."""
    if isinstance(value, float):
        return float(f"{value:.6g}")
    if isinstance(value, dict):
        return {key: _rounded(entry) for key, entry in value.items()}
    return [_rounded(entry) for entry in value] if isinstance(value, list) else value


def _facts(header: ScanHeader) -> dict[str, Any]:
    """What the log tells of a header: sizes, times, field and labelling; no texts but those that we have words for."""
    phase, readout = header.phase_axis, header.readout_axis
    facts = {
        "trajectory": "epi" if header.spiral is None else "spiral",
        "matrix": [readout.n_recon, phase.n_recon, header.n_slices],
        "is_3d": header.partition_axis is not None,
        "n_coils": header.n_coils,
        "acceleration": header.acceleration,
        "n_navigators": header.n_navigators,
        "field_strength": header.field_strength,
        "repetition_time": header.repetition_time,
        "echo_times": header.echo_times[:_MOST_VALUES],
        "n_warnings": len(header.warnings),
    }
    asl = header.asl
    if asl is None:
        return facts
    labelling = {
        "type": str(asl.labeling_type),
        "m0_type": asl.m0_type,
        "organ": asl.organ,
        "post_labeling_delays": sorted(set(asl.post_labeling_delay))[:_MOST_VALUES],
        "labeling_durations": sorted(set(asl.labeling_duration))[:_MOST_VALUES],
        "n_volumes": len(asl.volume_types) or None,
        "n_cycles": len(asl.encoding_matrix) or None,
        "background_suppression_pulses": asl.background_suppression_pulses,
    }
    return {**facts, "labelling": labelling}


def _of_key(key: VolumeKey | None) -> dict[str, Any] | None:
    if key is None:
        return None
    names = ("repetition", "set", "phase", "contrast", "average", "is_m0")
    return {name: value for name in names if (value := getattr(key, name)) or name == "repetition"}


def _of_volume(volume: Volume) -> dict[str, Any]:
    label = volume.label
    told = {} if label is None else {"type": str(label.volume_type), "number": label.index, "pair": label.pair}
    return {**told, "volume": _of_key(volume.key), "ghost_level": volume.ghost_level}


def _of_quality(quality: ScanQuality) -> dict[str, Any]:
    # regions have names of their own, from a table of the user: the first is the head
    head = quality.regions[0] if quality.regions else None
    flow = {} if head is None else {"mean_flow": head.mean, "standard_error": head.standard_error}
    figures = {name: value for name, value in quality.figures.items() if name.isidentifier() and isfinite(value)}
    which = {"figures_of": quality.figures_of} if quality.figures_of else {}
    return {"n_pairs": quality.n_pairs, **flow, **which, "n_rejected": len(quality.rejected), "figures": figures}


def _of_motion(motion: Motion) -> dict[str, Any]:
    return {
        "volume": _of_key(motion.key),
        "translation": motion.translation,
        "rotation": motion.rotation,
        "displacement": motion.displacement,
    }


def _of_summary(summary: ScanSummary, public: PublicText, left_out: Mapping[str, int]) -> dict[str, Any]:
    protocol = summary.settings.get("protocol")
    return {
        "status": summary.status,
        "reason": public(summary.reason),
        "protocol": protocol if protocol in (*installed_protocols(), "none") else "own",
        "n_readouts": summary.n_readouts,
        "n_bytes": summary.n_bytes,
        "n_volumes": summary.n_volumes,
        "n_pairs": summary.n_pairs,
        "n_pairs_rejected": summary.n_pairs_rejected,
        "n_dropped": dict(Counter(drop.what for drop in summary.drops)),
        "latency": {
            name: {"n": one.n, "median": one.median, "percentile_95": one.percentile_95, "worst": one.worst}
            for name, one in summary.latency.items()
        },
        "scan_seconds": summary.seconds,
        "n_files": len(summary.files),
        "left_out": dict(left_out),
    }
