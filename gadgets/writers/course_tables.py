"""The course of a scan as two tables: ``volumes.tsv``, a row for each volume, and ``pairs.tsv``, one for each map."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from perfline.gadgets.stage_data import ScanHeader
from perfline.gadgets.summary import ScanSummary
from perfline.gadgets.writers.scan_course import PairPoint, ScanCourse, VolumePoint
from perfline.gadgets.writers.sink import claim_files, prepare_folder
from perfline.gadgets.writers.table import write_table

__all__ = ["CourseSink", "pair_row", "volume_row"]


class CourseSink:
    """Write the tables at the end of a scan; a table without a row is not written.

    Parameters
    ----------
    folder : Path
    overwrite : bool
        Remove the files of an earlier scan at `open`, instead of refusing.
    """

    name = "course"

    def __init__(self, folder: Path, *, overwrite: bool = False) -> None:
        self._volumes = folder / "volumes.tsv"
        self._pairs = folder / "pairs.tsv"
        self._overwrite = overwrite
        self._course = ScanCourse()

    def open(self, header: ScanHeader) -> None:
        """Make the folder.

        Raises
        ------
        OutputError
            It can't be written, or earlier tables are there.
        """
        prepare_folder(self._volumes.parent)
        claim_files([self._volumes, self._pairs], self._overwrite)
        self._course = ScanCourse()

    def write(self, item: object) -> None:
        """Note what the item tells."""
        self._course.take(item)

    def close(self, summary: ScanSummary | None) -> Sequence[Path]:
        """Write the files.

        Raises
        ------
        OutputError
            They can't be written.
        """
        course, self._course = self._course, ScanCourse()
        files = []
        if volumes := course.volumes:
            write_table(self._volumes, [volume_row(point) for point in volumes])
            files.append(self._volumes)
        if pairs := course.pairs:
            figures = sorted({name for point in pairs for name in point.figures} - {"mean_cbf"})
            has_arteries = any(point.artery is not None for point in pairs)
            write_table(self._pairs, [pair_row(point, figures, has_arteries=has_arteries) for point in pairs])
            files.append(self._pairs)
        return tuple(files)


def volume_row(point: VolumePoint) -> dict[str, Any]:
    """Row of ``volumes.tsv``; the motion is that of the volume's centre along, and about, L, P and S.

    Examples
    --------
    >>> row = volume_row(VolumePoint(2, "label", 4.5, 0.012, 0.006, (0.1, -0.2, 0.3), (0.0, 0.5, 0.0), 0.81))
    >>> row["volume"], row["time_s"], row["translation_p_mm"], row["rotation_p_deg"]
    (2, 4.5, -0.2, 0.5)
    """
    row: dict[str, Any] = {
        "volume": point.number,
        "volume_type": point.volume_type or None,
        "time_s": point.time_s,
        "ghost_level": point.ghost_level,
        "latency_s": point.latency_s,
    }
    row |= {f"translation_{axis}_mm": value for axis, value in zip("lps", point.translation, strict=True)}
    row |= {f"rotation_{axis}_deg": value for axis, value in zip("lps", point.rotation, strict=True)}
    return row | {"displacement_mm": point.displacement}


def pair_row(point: PairPoint, figures: Sequence[str], *, has_arteries: bool = False) -> dict[str, Any]:
    """Row of ``pairs.tsv``.

    Parameters
    ----------
    point : PairPoint
    figures : sequence of str
        Names of the last columns; what a map has no figure of is None there.
    has_arteries : bool
        Whether the number of the artery is the second column.

    Examples
    --------
    >>> pair_row(PairPoint(3, 41.5, 1.25, {"mean_cbf": 41.5, "median_tsnr": 0.75}, 0, 0.008), ["median_tsnr"])
    {'pairs': 3, 'mean_cbf': 41.5, 'standard_error': 1.25, 'n_rejected': 0, 'latency_s': 0.008, 'median_tsnr': 0.75}
    """
    row: dict[str, Any] = {"pairs": point.n_pairs}
    if has_arteries:
        row["artery"] = point.artery
    row |= {
        "mean_cbf": point.mean_cbf,
        "standard_error": point.standard_error,
        "n_rejected": point.n_rejected,
        "latency_s": point.latency_s,
    }
    return row | {name: point.figures.get(name) for name in figures}
