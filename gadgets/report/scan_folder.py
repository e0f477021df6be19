"""The folder that a scan has left: its summary, and its maps and tables by what their names say."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any, Final

from perfline.gadgets.errors import ConfigurationError
from perfline.gadgets.replay.nifti_file import NiftiSeries, read_nifti_series, read_nifti_sidecar
from perfline.gadgets.replay.table_file import read_table
from perfline.gadgets.settings import Settings

__all__ = [
    "FIT_STATUS",
    "FLOW_MASKS",
    "TERRITORIES",
    "TERRITORY_PROBABILITIES",
    "FileKind",
    "ScanFolder",
    "clean_text",
    "file_kind",
    "head_regions",
    "read_scan_folder",
]

SUMMARY: Final = "summary.json"

_TYPES: Final[Mapping[str, type]] = {
    "status": str,
    "reason": str,
    "n_pairs": int,
    "n_pairs_rejected": int,
    "stages": list,
    "parameters": dict,
    "figures": dict,
    "settings": dict,
    "latency": dict,
    "drop_reasons": dict,
    "notices": list,
    "rejected": list,
    "regions": list,
    "files": list,
    "software": str,
}
"""What must be in a summary, and as what."""

_ENTRIES: Final[Mapping[str, Mapping[str, type]]] = {
    "stages": {"name": str},
    "parameters": {"value": object, "unit": str, "origin": str},
    "latency": dict.fromkeys(("n", "median", "percentile_95", "worst"), object),
    "notices": {"level": str, "text": str},
    "rejected": {"pair": int, "reason": str},
    "regions": {"name": str, **dict.fromkeys(("mean", "standard_error", "n_pairs"), object)},
}
"""What each of their entries must hold; a number may be null."""

_LONGEST_TEXT: Final = 2000
"""Characters of any one text: what a header may hold is not to fill a report."""


@dataclass(frozen=True)
class FileKind:
    """What the name of a BIDS file says: its suffix, and the entities that tell maps apart (empty: none)."""

    suffix: str
    desc: str = ""
    label: str = ""


FIT_STATUS: Final = FileKind("dseg", "fitstatus")
TERRITORIES: Final = FileKind("dseg", "territories")
TERRITORY_PROBABILITIES: Final = FileKind("probseg", "territories")
FLOW_MASKS: Final = (FileKind("mask", "brain"), FileKind("mask", "kidney"))
"""Where blood flow was computed: of a scan one of these."""


@dataclass(frozen=True)
class ScanFolder:
    """A folder, the summary in it, and the files that the summary lists, relative to the folder."""

    path: Path
    summary: Mapping[str, Any]

    @cached_property
    def _images(self) -> dict[FileKind, Path]:
        """Images by what they are; of several with one name the first."""
        found: dict[FileKind, Path] = {}
        for name in self.summary["files"]:
            if name.endswith((".nii.gz", ".nii")):
                found.setdefault(file_kind(name), self.path / name)
        return found

    def name_of(self, kind: FileKind) -> str:
        """Name of a map without its folder, or nothing where the scan has none."""
        path = self._images.get(kind)
        return "" if path is None else path.name

    def image(self, kind: FileKind) -> NiftiSeries | None:
        """Read a map; None where the scan has none.

        Raises
        ------
        ConfigurationError
            The summary lists it, but it can't be read.
        """
        path = self._images.get(kind)
        return None if path is None else read_nifti_series(path, "map")

    def sidecar(self, kind: FileKind) -> Mapping[str, Any]:
        """What is beside a map as JSON; empty where there is none.

        Raises
        ------
        ConfigurationError
            It isn't a JSON object.
        """
        path = self._images.get(kind)
        sidecar = {} if path is None else read_nifti_sidecar(path)
        return {name: _clean(value) for name, value in sidecar.items()}

    def delays(self) -> tuple[float, ...]:
        """Delays of the perfusion images [s], of time-encoded ones those of the sub-boli; empty where none is known."""
        value = self.sidecar(FileKind("deltam")).get("PostLabelingDelay")
        if value is None:
            value = self.summary["parameters"].get("PostLabelingDelay", {}).get("value")
        values = value if isinstance(value, list) else [value]
        return tuple(float(one) for one in values if isinstance(one, int | float))

    def table(self, name: str, columns: tuple[str, ...]) -> list[dict[str, str]] | None:
        """Read a table at the root of the folder; None where it isn't there.

        Raises
        ------
        ConfigurationError
            It can't be read, or lacks a column.
        """
        path = self.path / name
        return _read_rows(path, columns) if path.is_file() else None

    def region_table(self) -> list[dict[str, str]] | None:
        """Read the table of regions; None where there is none.

        Raises
        ------
        ConfigurationError
            It can't be read, or lacks a column.
        """
        for name in self.summary["files"]:
            if name.endswith(".tsv") and ("desc-regions_" in name or name.endswith("_regions.tsv")):
                return _read_rows(self.path / name, ("name", "mean", "standard_error"))
        return None


def read_scan_folder(folder: Path) -> ScanFolder:
    """Read the summary of a scan.

    Parameters
    ----------
    folder : Path
        What ``perfline replay FILE --out FOLDER`` has left.

    Returns
    -------
    ScanFolder
        Control characters in its texts are blanks, and very long texts are cut.

    Raises
    ------
    ConfigurationError
        Not such a folder, a broken summary, or one that lists files outside the folder.
    """
    path = folder / SUMMARY
    if not path.is_file():
        raise ConfigurationError(f"{folder}: expected the folder of a scan, with a {SUMMARY}")
    try:
        summary = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ConfigurationError(f"{path}: {error}") from error
    _check(summary, path)
    return ScanFolder(folder, {name: _clean(value) for name, value in summary.items()})


def file_kind(name: str) -> FileKind:
    """Read the suffix and the entities of a file name.

    Examples
    --------
    >>> file_kind("perf/sub-01_task-rest_desc-standarderror_cbf.nii.gz")
    FileKind(suffix='cbf', desc='standarderror', label='')
    """
    *entities, suffix = PurePosixPath(name).name.split(".")[0].split("_")
    values = dict(entity.split("-", 1) for entity in entities if "-" in entity)
    return FileKind(suffix, values.get("desc", ""), values.get("label", ""))


def head_regions(summary: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Precision of the head as a whole: one, or one for each artery, or for each delay that is not fitted."""
    return [region for region in summary["regions"] if not region.get("label")]


def clean_text(text: str) -> str:
    """Make a text that any format can hold: no control characters, no halves of a character, not endless.

    Examples
    --------
    >>> clean_text("two\\nlines\\x00")
    'two lines '
    """
    whole = text.encode("utf-8", "replace").decode("utf-8")
    plain = "".join(mark if mark.isprintable() else " " for mark in whole)
    return plain if len(plain) <= _LONGEST_TEXT else f"{plain[:_LONGEST_TEXT]}… ({len(plain)} characters)"


def _check(summary: object, path: Path) -> None:
    if not isinstance(summary, dict):
        raise ConfigurationError(f"{path}: expected the summary of a scan, got {type(summary).__name__}")
    for name, kind in _TYPES.items():
        if not isinstance(summary.get(name), kind):
            raise ConfigurationError(f"{path}: {name}: expected {kind.__name__}, got {summary.get(name)!r:.60}")
    for name, keys in _ENTRIES.items():
        entries = summary[name].values() if isinstance(summary[name], dict) else summary[name]
        for entry in entries:
            is_whole = isinstance(entry, dict) and all(
                key in entry and isinstance(entry[key], kind) for key, kind in keys.items()
            )
            if not is_whole:
                raise ConfigurationError(f"{path}: {name}: expected entries with {', '.join(keys)}, got {entry!r:.60}")
    for name, usual in vars(Settings()).items():
        value = summary["settings"].get(name, usual)
        if isinstance(usual, int | float) and not isinstance(value, int | float):
            raise ConfigurationError(f"{path}: settings: {name}: expected a number, got {value!r:.60}")
    for name in summary["files"]:
        if not isinstance(name, str) or not name or ".." in Path(name).parts or Path(name).is_absolute():
            raise ConfigurationError(f"{path}: files: expected names inside the folder, got {name!r:.60}")


def _clean(value: Any) -> Any:
    """The same with all its texts, and names, cleaned."""
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, list):
        return [_clean(entry) for entry in value]
    if isinstance(value, dict):
        return {_clean(key): _clean(entry) for key, entry in value.items()}
    return value


def _read_rows(path: Path, columns: tuple[str, ...]) -> list[dict[str, str]]:
    rows = read_table(path, "table", columns)
    return [{_clean(column): _clean(entry) for column, entry in row.items()} for row in rows]
