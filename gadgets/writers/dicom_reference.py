"""A DICOM series of the same examination: patient, study and coordinate system of the series that perfline writes."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from perfline.gadgets.errors import OutputError
from perfline.gadgets.stage_data import ScanHeader
from perfline.gadgets.writers.dicom_geometry import SlicePlanes
from perfline.gadgets.writers.extras import require
from perfline.recon.geometry import corner_distance

if TYPE_CHECKING:
    from pydicom import Dataset

__all__ = ["ReferenceSeries", "read_reference"]

_COPIED: Final = (
    "PatientName",
    "PatientID",
    "IssuerOfPatientID",
    "PatientBirthDate",
    "PatientSex",
    "PatientAge",
    "PatientSize",
    "PatientWeight",
    "StudyInstanceUID",
    "StudyDate",
    "StudyTime",
    "StudyID",
    "StudyDescription",
    "AccessionNumber",
    "ReferringPhysicianName",
    "FrameOfReferenceUID",
    "PositionReferenceIndicator",
    "PatientPosition",
    "Manufacturer",
    "ManufacturerModelName",
    "DeviceSerialNumber",
    "SoftwareVersions",
    "StationName",
    "InstitutionName",
)
"""Attributes of patient, study, coordinate system and scanner that a new series takes over, where they are there."""

_NEEDED: Final = ("StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID", "Rows", "Columns")

_SAME_PLACE: Final = 0.01
"""Slices closer than this share of the slice thickness are the same slice, acquired again."""

_MAX_DISTANCE: Final = 0.5
"""Of a voxel, between corresponding corners: as for all other files that are laid over a scan."""


@dataclass(frozen=True)
class ReferenceSeries:
    """What a series tells. ``attributes`` are plain values by keyword; ``planes`` are of slices of ``shape``."""

    attributes: dict[str, Any]
    planes: SlicePlanes
    shape: tuple[int, int, int]
    folder: Path

    def check_grid(self, header: ScanHeader) -> None:
        """See whether the scan will have the same grid.

        Raises
        ------
        OutputError
            Another number of slices, rows or columns, or another pixel spacing; the text names both.
        """
        expected = (header.n_slices, header.phase_axis.n_recon, header.readout_axis.n_recon)
        if self.shape != expected:
            raise OutputError(
                f"reference series {self.folder}: expected the grid of the scan {expected} (slices, rows, columns),"
                f" got {self.shape}"
            )
        sizes = (header.phase_axis.voxel_size, header.readout_axis.voxel_size)
        if np.abs(np.subtract(sizes, self.planes.pixel_spacing)).max() > _SAME_PLACE * min(sizes):
            raise OutputError(
                f"reference series {self.folder}: expected the pixel spacing of the scan {_rounded(sizes)} mm (rows,"
                f" columns), got {_rounded(self.planes.pixel_spacing)} mm"
            )

    def check_place(self, planes: SlicePlanes, shape: tuple[int, ...]) -> None:
        """See whether the scan lies where the series lies.

        Raises
        ------
        OutputError
            Another grid, or a corner more than half a voxel away; the text names position, orientation and spacing of
            both.
        """
        size = min(*planes.pixel_spacing, planes.spacing)
        own = planes.affine()
        if shape == self.shape:
            reference = _along(self.planes, own[:3, 2]).affine()
            if corner_distance(shape, own, reference) <= _MAX_DISTANCE * size:
                return
        raise OutputError(
            f"reference series {self.folder}: another geometry than that of the scan: expected"
            f" {_described(planes, shape)}, got {_described(_along(self.planes, own[:3, 2]), self.shape)}"
        )


def read_reference(folder: Path) -> ReferenceSeries:
    """Read a series, of single frames or of several, in the order of its slices.

    Parameters
    ----------
    folder : Path
        All DICOM files in it, and in the folders below, belong to one series; others are passed over. Slices that are
        there several times, as those of a time series, count once.

    Raises
    ------
    OutputError
        No DICOM image, several series, or slices that don't form a stack.
    ConfigurationError
        pydicom, an optional extra, is missing.
    """
    if not folder.is_dir():
        raise OutputError(f"reference series {folder}: not a folder")
    first: Dataset | None = None
    frames: list[tuple[Any, ...]] = []
    for path, dataset in _datasets(folder):
        first = first if first is not None else dataset
        _check_same_series(folder, path, first, dataset)
        frames.extend(_frames(folder, path, dataset))
    if first is None:
        raise OutputError(f"reference series {folder}: no DICOM image in it")
    return ReferenceSeries(
        attributes={name: _plain(first[name].value) for name in _COPIED if name in first},
        planes=(planes := _stack(folder, frames)),
        shape=(len(planes.positions), int(first.Rows), int(first.Columns)),
        folder=folder,
    )


def _datasets(folder: Path) -> "Iterator[tuple[Path, Dataset]]":
    require("reference series", "dicom", "pydicom")
    from pydicom import dcmread
    from pydicom.errors import InvalidDicomError

    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        try:
            dataset = dcmread(path, stop_before_pixels=True)
        except InvalidDicomError:
            continue
        except OSError as error:
            raise OutputError(f"reference series {folder}: {path.name} can't be read: {error}") from error
        if "Rows" in dataset:
            yield path, dataset


def _check_same_series(folder: Path, path: Path, first: "Dataset", dataset: "Dataset") -> None:
    for name in _NEEDED:
        if not dataset.get(name):
            raise OutputError(f"reference series {folder}: {path.name} has no {name}")
        if name != "SeriesInstanceUID" and dataset[name].value != first[name].value:
            raise OutputError(
                f"reference series {folder}: expected one {name}, got {first[name].value} and {dataset[name].value}"
            )
    if dataset.SeriesInstanceUID != first.SeriesInstanceUID:
        raise OutputError(
            f"reference series {folder}: expected one series, got {first.SeriesInstanceUID} and"
            f" {dataset.SeriesInstanceUID} ({path.name})"
        )


def _frames(folder: Path, path: Path, dataset: "Dataset") -> Iterator[tuple[Any, ...]]:
    """Position, orientation, pixel spacing and thickness of each frame of a file."""
    shared = dataset.get("SharedFunctionalGroupsSequence")
    groups = dataset.get("PerFrameFunctionalGroupsSequence")
    if groups is None:
        yield _frame(folder, path, dataset, dataset, dataset)
        return
    for group in groups:
        parts = []
        for name in ("PlanePositionSequence", "PlaneOrientationSequence", "PixelMeasuresSequence"):
            holder = group if name in group else shared[0] if shared else group
            if name not in holder:
                raise OutputError(f"reference series {folder}: {path.name} has no {name}")
            parts.append(holder[name].value[0])
        yield _frame(folder, path, *parts)


def _frame(folder: Path, path: Path, place: "Dataset", orientation: "Dataset", measures: "Dataset") -> tuple[Any, ...]:
    found = []
    for part, name, n in (
        (place, "ImagePositionPatient", 3),
        (orientation, "ImageOrientationPatient", 6),
        (measures, "PixelSpacing", 2),
    ):
        value = part.get(name)
        if value is None or len(value) != n:
            raise OutputError(f"reference series {folder}: {path.name} has no {name}")
        found.append(np.array(value, np.float64))
    return *found, float(measures.get("SliceThickness") or 0.0)


def _stack(folder: Path, frames: list[tuple[Any, ...]]) -> SlicePlanes:
    _, orientation, pixel_spacing, thickness = frames[0]
    for _, other_orientation, other_spacing, _ in frames:
        if np.abs(other_orientation - orientation).max() > 1e-3 or not np.allclose(other_spacing, pixel_spacing):
            raise OutputError(f"reference series {folder}: its slices have several orientations or pixel spacings")
    row, column = orientation[:3], orientation[3:]
    normal = np.cross(row, column)
    places = np.array([position for position, *_ in frames])
    heights = places @ normal
    order = np.argsort(heights, kind="stable")
    near = _SAME_PLACE * (thickness or 1.0)
    is_new = np.concatenate([[True], np.diff(heights[order]) > near])
    positions = places[order][is_new]
    steps = np.diff(positions, axis=0)
    if len(steps) and np.abs(steps - steps.mean(axis=0)).max() > 0.02 * np.linalg.norm(steps.mean(axis=0)):
        raise OutputError(f"reference series {folder}: its slices are not equally spaced along one line")
    spacing = float(np.linalg.norm(steps.mean(axis=0))) if len(steps) else thickness
    return SlicePlanes(positions, row, column, (float(pixel_spacing[0]), float(pixel_spacing[1])), thickness, spacing)


def _along(planes: SlicePlanes, step: NDArray[np.float64]) -> SlicePlanes:
    """The same stack, in the order in which it goes along `step`."""
    if (planes.positions[-1] - planes.positions[0]) @ step >= 0:
        return planes
    reverse = planes.positions[::-1]
    return SlicePlanes(reverse, planes.row, planes.column, planes.pixel_spacing, planes.thickness, planes.spacing)


def _described(planes: SlicePlanes, shape: tuple[int, ...]) -> str:
    return (
        f"{' x '.join(str(size) for size in shape)} (slices, rows, columns), position {_rounded(planes.positions[0])},"
        f" orientation {_rounded(planes.orientation, 4)}, spacing {_rounded((*planes.pixel_spacing, planes.spacing))}"
    )


def _rounded(values: Any, digits: int = 3) -> list[float]:
    return [round(float(value), digits) + 0.0 for value in values]


def _plain(value: Any) -> Any:
    """A value without its encoding: names as text, lists as lists."""
    if isinstance(value, list | tuple) or type(value).__name__ == "MultiValue":
        return [_plain(one) for one in value]
    return value if isinstance(value, int | float) or value is None else str(value)
