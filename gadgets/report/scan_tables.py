"""The tables of a report: parameters with their origin, quality, regions, what was left out, latency."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final

from perfline.gadgets.report.content import Block, KeyFigure, KeyFigures, Messages, Table, Text
from perfline.gadgets.report.scan_folder import FileKind, ScanFolder, head_regions
from perfline.gadgets.report.scan_maps import ScanMaps
from perfline.gadgets.report.wording import counted, figure_words, number_text, parameter_name, value_text
from perfline.gadgets.writers.flow_words import counted_in, one_of, region_name, words_for
from perfline.gadgets.writers.summary_text import FIGURE_NAMES

__all__ = [
    "key_figures",
    "latency_table",
    "loss_blocks",
    "lost_words",
    "notice_messages",
    "parameter_table",
    "quality_table",
    "region_table",
]

_GROUPS: Final[Mapping[str, tuple[str, ...]]] = {
    "Acquisition": (
        "MagneticFieldStrength",
        "MRAcquisitionType",
        "EchoTime",
        "RepetitionTime",
        "RepetitionTimePreparation",
        "FlipAngle",
        "SliceTiming",
        "SliceEncodingDirection",
    ),
    "Labeling and M0": (
        "ArterialSpinLabelingType",
        "LabelingDuration",
        "PostLabelingDelay",
        "BolusCutOffFlag",
        "BolusCutOffDelayTime",
        "BolusCutOffTechnique",
        "EncodingMatrix",
        "LookLocker",
        "BackgroundSuppression",
        "BackgroundSuppressionNumberPulses",
        "BackgroundSuppressionEfficiency",
        "VascularCrushing",
        "VascularCrushingVENC",
        "aslcontext",
        "aslcontext_cycle",
        "M0Type",
        "M0Estimate",
        "M0RepetitionTime",
        "M0FlipAngle",
    ),
    "Quantification": (
        "Organ",
        "LabelingEfficiency",
        "BloodT1",
        "Haematocrit",
        "PartitionCoefficient",
        "TissueT1",
        "GreyMatterT1",
    ),
}

_MOST_HEADS: Final = 4
_LONGEST_NAME: Final = 40
_MOST_REASONS: Final = 15
_MOST_PLACES: Final = 3
_PARTS: Final = frozenset({"readout", "navigators", "waveform"})
"""What may be dropped, and the image still be made."""

_MOST_REGIONS: Final = 60
_MOST_PAIRS: Final = 30


def key_figures(folder: ScanFolder, maps: ScanMaps) -> KeyFigures:
    """The few numbers that one looks for first."""
    summary = folder.summary
    figures, settings = summary["figures"], summary["settings"]
    unit, name = maps.flow_unit, maps.flow_name
    found = []
    heads = head_regions(summary)
    if len(heads) > 1:
        for head in heads[:_MOST_HEADS]:
            value = _with_error(head["mean"], head["standard_error"])
            found.append(KeyFigure(f"Mean {name}, {region_name(head['name'], name)[:_LONGEST_NAME]}", value, unit))
    elif maps.flow is not None and "mean_cbf" in figures:
        error = heads[0]["standard_error"] if heads else None
        found.append(
            KeyFigure(words_for(f"Mean {name} of the head", name), _with_error(figures["mean_cbf"], error), unit)
        )
    if "mean_grey_matter" in figures:
        found.append(KeyFigure(f"{name} of grey matter", number_text(figures["mean_grey_matter"], 3), unit))
    if summary.get("n_pairs") or summary.get("n_pairs_rejected"):
        n_used, what = counted(summary)
        pairs = f"{n_used} / {summary.get('n_pairs_rejected', 0)}"
        found.append(KeyFigure(what.capitalize(), pairs, "used / rejected"))
    if number_text(figures.get("median_tsnr")) != "n/a":
        found.append(
            KeyFigure(
                f"Temporal SNR of a {one_of(counted_in(summary))}", number_text(figures["median_tsnr"], 3), "median"
            )
        )
    target = settings.get("target_standard_error")
    if target and summary["regions"]:
        is_reached = all(region.get("is_target_reached") for region in summary["regions"])
        reached = "reached" if is_reached else "not reached"
        found.append(KeyFigure("Target of the error", number_text(target), f"{unit}, {reached} at the end"))
    # best of grey matter alone, where it is known
    place, variation = "", figures.get("spatial_variation")
    if number_text(figures.get("spatial_variation_grey_matter")) != "n/a":
        place, variation = ", grey matter", figures["spatial_variation_grey_matter"]
    if number_text(variation) != "n/a":
        found.append(KeyFigure(f"Spatial variation of {name}{place}", number_text(100 * variation, 3), "%"))
    return KeyFigures(tuple(found))


def notice_messages(summary: Mapping[str, Any], levels: Sequence[str]) -> list[Messages]:
    """What the scan has said at some levels, in their order."""
    texts: dict[str, list[str]] = {"error": [], "warning": [], "info": []}
    for notice in summary["notices"]:
        texts[notice["level"] if notice["level"] in texts else "info"].append(str(notice["text"]))
    return [Messages(level, tuple(texts[level])) for level in levels if texts[level]]


def parameter_table(folder: ScanFolder, maps: ScanMaps) -> Table | None:
    """All parameters in use, in groups, assumed values marked; None where nothing is known."""
    parameters = folder.summary["parameters"]
    known = {name for names in _GROUPS.values() for name in names}
    groups = {title: [name for name in names if name in parameters] for title, names in _GROUPS.items()}
    groups["Others"] = sorted(set(parameters) - known)
    labeling_type = parameters.get("ArterialSpinLabelingType", {}).get("value")
    rows: list[tuple[str, str, str, str]] = []
    titles = set()
    for title, names in groups.items():
        group = [_parameter_row(name, parameters[name], labeling_type) for name in names]
        group += _image_rows(folder, maps) if title == "Acquisition" else []
        if group:
            titles.add(len(rows))
            rows += [(title, "", "", ""), *group]
    if not rows:
        return None
    marked = frozenset(number for number, row in enumerate(rows) if row[3].startswith("default"))
    note = "Marked: not declared by the scan, a default was assumed." if marked else ""
    head = ("Parameter", "Value", "Unit", "Origin")
    return Table(head, tuple(rows), (0.29, 0.3, 0.08, 0.33), marked=marked, titles=frozenset(titles), note=note)


def quality_table(summary: Mapping[str, Any], flow_name: str, unit_of_flow: str) -> Table | None:
    """All quality figures in words; None where there are none."""
    figures = summary["figures"]
    names = [*(name for name in FIGURE_NAMES if name in figures), *sorted(set(figures) - set(FIGURE_NAMES))]
    what = counted_in(summary)
    rows = tuple(figure_words(name, figures[name], flow_name, unit_of_flow, what) for name in names)
    if not rows:
        return None
    note = "Of the map that was made last." if len(head_regions(summary)) > 1 else ""
    if summary.get("figures_of"):
        note = f"Of {summary['figures_of']} together."
    return Table(("Quality", "Value", "Unit"), rows, (0.55, 0.19, 0.26), right=frozenset({1}), note=note)


def region_table(folder: ScanFolder, unit: str) -> Table | None:
    """Blood flow of the regions, as far as some were given.

    Raises
    ------
    ConfigurationError
        The table can't be read.
    """
    rows: Sequence[Mapping[str, Any]] | None = folder.region_table()
    if rows is None:
        rows = [region for region in folder.summary["regions"] if region.get("label")]
    if not rows:
        return None
    what = counted_in(folder.summary)
    needed = {region["name"]: region.get("n_pairs_needed") for region in folder.summary["regions"]}
    columns = {
        "mean": "Mean",
        "standard_error": "Standard error",
        "standard_deviation": "SD of voxels",
        "n_voxels": "Voxels",
        "n_voxels_left_out": "Left out",
        "n_pairs": what.capitalize(),
        "asymmetry_index": "Asymmetry [%]",
    }
    used = [name for name in columns if any(_cell(row.get(name)) != "n/a" for row in rows)]
    has_needed = any(value is not None for value in needed.values())
    head = ("Region", *(columns[name] for name in used), *((f"{what.capitalize()} needed",) if has_needed else ()))
    body = tuple(
        (
            str(row["name"]),
            *(_cell(row.get(name)) for name in used),
            *((_cell(needed.get(row["name"])),) if has_needed else ()),
        )
        for row in rows[:_MOST_REGIONS]
    )
    n_numbers = len(head) - 1
    widths = (0.28, *([0.72 / n_numbers] * n_numbers))
    more = (
        f"{len(rows) - _MOST_REGIONS} more regions are in the table of the folder. "
        if len(rows) > _MOST_REGIONS
        else ""
    )
    note = (
        f"{more}Blood flow in {unit}; standard error of the mean from the scatter of the {what}, without the errors of"
        " M0 and of the constants."
    )
    if "asymmetry_index" in used:
        note += " Asymmetry: 200 (left - right) / (left + right)."
    return Table(head, body, widths, right=frozenset(range(1, len(head))), note=note)


def lost_words(summary: Mapping[str, Any]) -> str:
    """How many volumes, pairs and the like were dropped; empty where none was, since readouts alone may be foreign."""
    numbers: Counter[str] = Counter()
    for reason, n in summary["drop_reasons"].items():
        numbers[reason.partition(":")[0]] += _count(n)
    if not numbers.keys() - _PARTS:
        return ""
    plural = (f"{n} {what if n == 1 or what.endswith('s') else what + 's'}" for what, n in numbers.most_common())
    return ", ".join(plural)


def loss_blocks(summary: Mapping[str, Any]) -> list[Block]:
    """Pairs that were left out with their reasons, and what was dropped; that there was nothing is said, too."""
    blocks: list[Block] = []
    what = "pair" if summary.get("n_blocks") is None else "block"
    rejected = [(f"{what} {one['pair']}", str(one["reason"])) for one in summary["rejected"]]
    if rejected:
        blocks.append(_reason_table(f"{what.capitalize()}s left out", rejected, _MOST_PAIRS))
    ranked = sorted(summary["drop_reasons"].items(), key=lambda entry: (-_count(entry[1]), entry[0]))
    places = _places(summary)
    drops = [(f"{_count(n)} x", f"{reason}{places.get(reason, '')}") for reason, n in ranked]
    if drops:
        blocks.append(_reason_table("Dropped", drops, _MOST_REASONS))
    has_pairs = "ArterialSpinLabelingType" in summary["parameters"]
    return blocks or [
        Text(f"No {what} was left out, and nothing was dropped." if has_pairs else "Nothing was dropped.")
    ]


def latency_table(summary: Mapping[str, Any]) -> Table | None:
    """Latencies by what was sent; None where nothing was."""
    rows = tuple(
        (
            name.replace("_", " "),
            *(number_text(_milliseconds(entry[key]), 3) for key in ("median", "percentile_95", "worst")),
            number_text(entry["n"]),
        )
        for name, entry in summary["latency"].items()
    )
    if not rows:
        return None
    return Table(
        ("Image", "Median [ms]", "95 % [ms]", "Worst [ms]", "Number"),
        rows,
        (0.32, 0.17, 0.17, 0.17, 0.17),
        right=frozenset({1, 2, 3, 4}),
        note="From the last readout of an image to the end of its sending.",
    )


def _with_error(mean: object, error: object) -> str:
    spread = "" if number_text(error) == "n/a" else f" ± {number_text(error, 2)}"
    return f"{number_text(mean, 3)}{spread}"


def _parameter_row(name: str, entry: Mapping[str, Any], labeling_type: object) -> tuple[str, str, str, str]:
    # the name is in the first column
    origin = str(entry["origin"]).removesuffix(f" {name}")
    return parameter_name(name, labeling_type), value_text(entry["value"]), str(entry["unit"] or ""), origin


def _image_rows(folder: ScanFolder, maps: ScanMaps) -> list[tuple[str, str, str, str]]:
    """What the images themselves tell."""
    if maps.geometry is None or not maps.rows:
        return []
    n_slices, n_y, n_x = maps.rows[0].volume.shape
    kind = next((kind for kind in (FileKind("asl"), FileKind("epi")) if folder.name_of(kind)), FileKind("asl"))
    rows = [
        ("Matrix and slices of the images", f"{n_x} x {n_y} x {n_slices}", "", "images"),
        ("Voxel size of the images", " x ".join(f"{size:.4g}" for size in maps.geometry.voxel_size), "mm", "images"),
    ]
    acquired = folder.sidecar(kind).get("AcquisitionVoxelSize")
    if isinstance(acquired, list) and all(isinstance(size, int | float) for size in acquired):
        rows.append(("Acquired voxel size", " x ".join(f"{size:.4g}" for size in acquired), "mm", "header, encoding"))
    return rows


def _places(summary: Mapping[str, Any]) -> dict[str, str]:
    """Volume and slice of what was dropped, by its reason, as far as the summary lists them."""
    found: dict[str, list[str]] = {}
    for drop in summary.get("drops") or ():
        if isinstance(drop, Mapping) and drop.get("volume"):
            slice_ = "" if drop.get("slice") is None else f", slice {drop['slice']}"
            found.setdefault(f"{drop.get('what')}: {drop.get('reason')}", []).append(f"{drop['volume']}{slice_}")
    texts = {}
    for reason, places in found.items():
        names = list(dict.fromkeys(place for place in places if place not in reason))
        more = f" and {len(names) - _MOST_PLACES} more" if len(names) > _MOST_PLACES else ""
        texts[reason] = f" ({'; '.join(names[:_MOST_PLACES])}{more})" if names else ""
    return texts


def _reason_table(title: str, rows: Sequence[tuple[str, str]], most: int) -> Table:
    more = f"{len(rows) - most} more are in the summary of the folder." if len(rows) > most else ""
    return Table(("What", "Reason"), tuple(rows[:most]), (0.14, 0.86), title=title, note=more)


def _cell(value: object) -> str:
    """A number of a summary, or the text of a table, with four digits."""
    if not isinstance(value, str):
        return number_text(value)
    try:
        number = float(value)
    except ValueError:
        return value
    return number_text(int(number) if number.is_integer() else number)


def _count(value: object) -> int:
    return value if isinstance(value, int) else 0


def _milliseconds(value: object) -> float | None:
    return 1e3 * value if isinstance(value, int | float) else None
