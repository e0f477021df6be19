"""From the folder of a scan to the content of its report."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from perfline.gadgets.report.content import Block, Report, Section, SideBySide, Text
from perfline.gadgets.report.flow_histogram import histogram_figure
from perfline.gadgets.report.methods_text import methods_text
from perfline.gadgets.report.scan_folder import ScanFolder, clean_text, read_scan_folder
from perfline.gadgets.report.scan_maps import ScanMaps, map_blocks, read_maps
from perfline.gadgets.report.scan_tables import (
    key_figures,
    latency_table,
    loss_blocks,
    lost_words,
    notice_messages,
    parameter_table,
    quality_table,
    region_table,
)
from perfline.gadgets.report.time_courses import course_blocks
from perfline.gadgets.report.wording import counted, delays_text, number_text, value_text
from perfline.gadgets.settings import Settings

__all__ = ["build_report"]

_VERDICTS: Final = {
    "success": "The scan is complete.",
    "abort": "The scan broke off; what had come by then is shown.",
    "fail": "The scan failed.",
}

_MOST_ROWS_BESIDE: Final = 24
"""Of a table that has a page's height and no more."""

_DISCLAIMER: Final = "research software, not a medical device"


def build_report(folder: Path, *, identity: str = "") -> Report:
    """Put together all that the folder of a scan tells.

    Parameters
    ----------
    folder : Path
        What ``perfline replay FILE --out FOLDER`` has left.
    identity : str
        Whose scan it is, for the heading; nothing of that kind is taken from the files.

    Returns
    -------
    Report
        The same for the same files.

    Raises
    ------
    ConfigurationError
        Not the folder of a scan, or a file in it can't be read; the text names it. Or matplotlib is missing.
    """
    scan = read_scan_folder(folder)
    maps = read_maps(scan)
    summary = scan.summary
    status = summary["status"] if summary["status"] in _VERDICTS else "fail"
    verdict = _VERDICTS[status]
    lost = lost_words(summary)
    if status == "success" and lost:
        status, verdict = "losses", f"The scan came to its end. Lost on the way: {lost}."
    reason = f" Reason: {summary['reason'].strip()}" if summary["reason"].strip() else ""
    return Report(
        title="Perfusion report" if "ArterialSpinLabelingType" in summary["parameters"] else "Image report",
        subtitle=_subtitle(scan),
        identity=clean_text(identity).strip(),
        status=status,
        verdict=f"{verdict}{reason}",
        sections=[section for section in _sections(scan, maps) if section.blocks],
        footer=f"{summary['software']}, {_DISCLAIMER}",
    )


def _sections(scan: ScanFolder, maps: ScanMaps) -> list[Section]:
    summary = scan.summary
    figures = key_figures(scan, maps)
    first: list[Block] = [*notice_messages(summary, ("error", "warning")), *([figures] if figures.figures else [])]
    regions = region_table(scan, maps.flow_unit)
    latency, parameters = latency_table(summary), parameter_table(scan, maps)
    return [
        Section("", first),
        Section("Maps", map_blocks(maps)),
        Section("Regions", _known(regions)),
        Section("Left out, and notes", [*loss_blocks(summary), *notice_messages(summary, ("info",))]),
        Section("Blood flow and quality", _quality_blocks(scan, maps)),
        Section("Course of the scan", [*course_blocks(scan, maps.flow_name, maps.flow_unit), *_known(latency)]),
        Section("Parameters", _known(parameters) or [Text("No parameter of the scan is known.")]),
        Section("Methods", [*_methods_blocks(scan, maps), Text(_processing(summary), is_small=True)]),
    ]


def _known(block: Block | None) -> list[Block]:
    return [] if block is None else [block]


def _quality_blocks(scan: ScanFolder, maps: ScanMaps) -> list[Block]:
    histogram, quality = histogram_figure(maps), quality_table(scan.summary, maps.flow_name, maps.flow_unit)
    if histogram is not None and quality is not None and len(quality.rows) <= _MOST_ROWS_BESIDE:
        return [SideBySide(histogram, quality)]
    return [*_known(histogram), *_known(quality)]


def _methods_blocks(scan: ScanFolder, maps: ScanMaps) -> list[Block]:
    text = methods_text(scan, maps)
    references = [Text(f"[{number}] {one}", is_small=True) for number, one in enumerate(text.references, 1)]
    return [Text(text.acquisition), Text(text.quantification), *references]


def _subtitle(scan: ScanFolder) -> str:
    """Labelling, delays, pairs and field in one line, as far as they are known."""
    summary = scan.summary
    parameters = summary["parameters"]

    def said(name: str, pattern: str) -> str:
        entry = parameters.get(name)
        return "" if entry is None else pattern.format(value_text(entry["value"]))

    labeling_type = parameters.get("ArterialSpinLabelingType", {}).get("value")
    pairs = "" if labeling_type is None else "{} {}".format(*counted(summary))
    volumes = f"{number_text(summary.get('n_volumes'))} volumes"
    parts = [
        said("ArterialSpinLabelingType", "{}"),
        delays_text(scan.delays(), labeling_type),
        pairs,
        volumes,
        said("MagneticFieldStrength", "{} T"),
        said("Organ", "{}"),
    ]
    return " · ".join(part for part in parts if part)


def _processing(summary: Mapping[str, Any]) -> str:
    """Software, amount of data, and the settings that someone chose."""
    settings, usual = summary["settings"], vars(Settings())
    chosen = [
        f"{name} = {value_text(value)}"
        for name, value in sorted(settings.items())
        if name in usual and name not in ("asl", "protocol", "series") and value != usual[name]
    ]
    declared = [f"{name} = {value_text(value)}" for name, value in sorted((settings.get("asl") or {}).items())]
    sentences = [
        f"Software: {summary['software']}.",
        f"Readouts: {number_text(summary.get('n_readouts'))}.",
        f"Time of the scan in the chain: {number_text(summary.get('seconds'))} s.",
        f"Protocol: {settings.get('protocol', 'none')}.",
        f"Settings other than the defaults: {', '.join(chosen) or 'none'}.",
    ]
    if declared:
        sentences.append(f"Declared by the protocol: {', '.join(declared)}.")
    return " ".join(sentences)
