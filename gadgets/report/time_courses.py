"""How a scan went: blood flow, its error and the signal from pair to pair; motion, ghost and latency by volume."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from perfline.gadgets.report.charts import Course, draw_courses
from perfline.gadgets.report.content import Block, Figure, Text
from perfline.gadgets.report.map_figures import FULL_WIDTH
from perfline.gadgets.report.scan_folder import ScanFolder, head_regions
from perfline.gadgets.report.wording import counted
from perfline.gadgets.writers.flow_words import counted_in, one_of

__all__ = ["course_blocks", "pair_courses", "volume_courses"]

PAIRS: Final = "pairs.tsv"
VOLUMES: Final = "volumes.tsv"

_Rows = Sequence[Mapping[str, str]]


def course_blocks(folder: ScanFolder, flow_name: str, unit: str) -> list[Block]:
    """Draw what the tables of a scan hold; a table that is missing is said.

    Parameters
    ----------
    folder : ScanFolder
    flow_name, unit : str
        Of the blood flow.

    Raises
    ------
    ConfigurationError
        A table can't be read.
    """
    pairs = folder.table(PAIRS, ("pairs", "mean_cbf", "standard_error"))
    volumes = folder.table(VOLUMES, ("volume",))
    courses: list[Course] = []
    if pairs is not None:
        courses += pair_courses(pairs, folder.summary, flow_name, unit)
    if volumes is not None:
        courses += volume_courses(volumes)
    blocks: list[Block] = []
    # a scan without blood flow has no table of pairs
    wanted = [(PAIRS, pairs)] if folder.summary["regions"] else []
    missing = [name for name, rows in [*wanted, (VOLUMES, volumes)] if rows is None]
    if missing:
        blocks.append(Text(f"Not in the folder, and not shown here: {' and '.join(missing)}.", is_small=True))
    if courses:
        alt = f"Time courses: {', '.join(course.title for course in courses)}"
        blocks.append(Figure(draw_courses(courses), FULL_WIDTH, alt, is_chart=True))
    if pairs is not None and volumes is not None and not courses:
        blocks.append(Text("The tables of the scan hold no course.", is_small=True))
    return blocks


def pair_courses(rows: _Rows, summary: Mapping[str, Any], flow_name: str, unit: str) -> list[Course]:
    """Courses over the pairs or blocks that have come, used or not; of several arteries those of all together.

    None are drawn where the table mixes several delays, which it does not tell apart.

    Parameters
    ----------
    rows : sequence of mapping
        Of ``pairs.tsv``.
    summary : mapping
        For the target, the rejected pairs, and whether the error is that of the head.
    flow_name, unit : str
    """
    part = ""
    if rows and "artery" in rows[0]:
        # of all together, where the table has them
        first = min((row["artery"] for row in rows), key=lambda artery: (artery != "n/a", artery))
        rows = [row for row in rows if row["artery"] == first]
        part = ", all arteries" if first == "n/a" else f", artery {first}"
    elif len(head_regions(summary)) > 1:
        return []
    used = _column(rows, "pairs")
    n_used, what = counted(summary)
    if what == "blocks" and n_used:
        # a fit counts the sub-boli of a block
        used /= summary["n_pairs"] // n_used
    # a pair that is left out has its place, too
    came = used + np.nan_to_num(_column(rows, "n_rejected"))
    mean, error = _column(rows, "mean_cbf"), _column(rows, "standard_error")
    has_regions = any(region.get("label") for region in summary["regions"])
    target = summary["settings"].get("target_standard_error") or None
    # pairs are numbered from 0, and the axis counts them
    marks = tuple(float(one["pair"]) + 1 for one in summary["rejected"] if isinstance(one["pair"], int))
    of_what = "of the least sure region" if has_regions else f"of the mean {flow_name}"
    names = ("mean ± standard error", "") if not has_regions and np.isfinite(error).any() else None
    x_name = f"{what} that have come"
    courses = [
        Course(
            f"Mean {flow_name}{part}",
            unit,
            x_name,
            came,
            mean,
            band=None if has_regions else error,
            names=names,
            marks=marks,
            is_from_zero=False,
        ),
        Course(f"Standard error {of_what}{part}", unit, x_name, came, error, target=target, marks=marks),
        Course(
            f"Temporal SNR of a {one_of(counted_in(summary))}, median",
            "",
            x_name,
            came,
            _column(rows, "median_tsnr"),
            marks=marks,
        ),
    ]
    return [course for course in courses if np.isfinite(course.y).any()]


def volume_courses(rows: _Rows) -> list[Course]:
    """Courses over the volumes.

    Parameters
    ----------
    rows : sequence of mapping
        Of ``volumes.tsv``.
    """
    return [course for course in _volume_courses(rows) if np.isfinite(course.y).any()]


def _volume_courses(rows: _Rows) -> Iterator[Course]:
    number = _column(rows, "volume")
    shift = np.sqrt(sum(_column(rows, f"translation_{axis}_mm") ** 2 for axis in "lps"))
    moved = _column(rows, "displacement_mm")
    if np.isfinite(shift).any():
        names = ("from the volume before", "from the first volume")
        yield Course("Displacement", "mm", "volume", number, moved, second=shift, names=names)
    else:
        yield Course("Displacement from the volume before", "mm", "volume", number, moved)
    yield Course("Ghost level", "%", "volume", number, 100 * _column(rows, "ghost_level"))
    yield Course("Latency of a volume", "ms", "volume", number, 1e3 * _column(rows, "latency_s"))


def _column(rows: _Rows, name: str) -> NDArray[np.float64]:
    """Numbers of a column; NaN where one is unknown, or the table has no such column."""
    return np.array([_number(row.get(name, "")) for row in rows], np.float64)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return float("nan")
