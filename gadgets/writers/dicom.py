"""The perfusion maps of a scan as DICOM series.

::

    FOLDER/dicom/deltam/deltam.dcm      Enhanced MR, one file a series
    FOLDER/dicom/cbf/cbf.dcm            rbf for the kidney
    FOLDER/dicom/att/att.dcm            of a fit over delays
    FOLDER/dicom/cbf/cbf_0001.dcm ...   classic MR in their place: one file a slice

Several delays, labelling durations or arteries give a series each, such as ``cbf_pld-1800ms``. A folder appears when
all its files are written.
"""

import logging
import shutil
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from perfline.gadgets.errors import ConfigurationError, OutputError
from perfline.gadgets.stage_data import CbfVolume, M0Volume, PerfusionAverage, ScanHeader, SliceGeometry, Volume
from perfline.gadgets.summary import ScanSummary
from perfline.gadgets.writers.dicom_geometry import slice_planes
from perfline.gadgets.writers.dicom_identity import ANONYMOUS, DicomIdentity, ScanUids
from perfline.gadgets.writers.dicom_quantity import stored_pixels
from perfline.gadgets.writers.dicom_reference import ReferenceSeries, read_reference
from perfline.gadgets.writers.dicom_series import DicomSeries, SignalScale, perfusion_series
from perfline.gadgets.writers.extras import require
from perfline.gadgets.writers.sink import as_output_error, partial_path, prepare_folder
from perfline.recon.errors import InputError
from perfline.recon.parameters import VolumeType

if TYPE_CHECKING:
    from pydicom import Dataset

    from perfline.gadgets.writers.dicom_dataset import DicomContext, StoredSeries

__all__ = ["DicomSink"]

_LOG = logging.getLogger(__name__)

_FOLDER: Final = "dicom"
_SERIES_NAMES: Final = ("deltam", "cbf", "rbf", "att")


class DicomSink:
    """Save the maps of a scan as DICOM series at `close`.

    Parameters
    ----------
    folder : Path
        Output folder of the scan; the series go into its folder ``dicom``.
    reference : Path, optional
        Folder with a series of the same examination and geometry: patient, study and coordinate system are taken from
        it.
    classic : bool
        One file a slice (MR Image Storage) instead of one a series (Enhanced MR Image Storage).
    identity : DicomIdentity, optional
        The patient, where there is no reference; the default is a placeholder.
    overwrite : bool
        Remove the series of an earlier scan at `open`, instead of refusing.

    Raises
    ------
    ConfigurationError
        A library of the extra ``dicom`` is missing; or both a reference and an identity are given.

    Attributes
    ----------
    problems : tuple of str
        After `close`: series some of whose values had no pixel.
    """

    name = "dicom"
    problems: tuple[str, ...] = ()

    def __init__(
        self,
        folder: Path,
        *,
        reference: Path | None = None,
        classic: bool = False,
        identity: DicomIdentity | None = None,
        overwrite: bool = False,
    ) -> None:
        require("DICOM", "dicom", "pydicom", "highdicom")
        if reference is not None and identity is not None:
            raise ConfigurationError("identity: expected none beside a reference series, which tells the patient")
        self._folder = folder / _FOLDER
        self._reference_folder = reference
        self._is_classic = classic
        # what a reference doesn't tell of the patient stays empty
        self._identity = identity or (ANONYMOUS if reference is None else DicomIdentity("", ""))
        self._overwrite = overwrite
        self._start()

    def _start(self) -> None:
        self._header: ScanHeader | None = None
        self._reference: ReferenceSeries | None = None
        self._first_image: NDArray[np.generic] | None = None
        self._is_refused = False
        self._m0_signal: SignalScale | None = None
        self._control_signal: SignalScale | None = None
        self._averages: dict[tuple[float, float, int], PerfusionAverage] = {}
        self._flows: dict[tuple[float, float, int], CbfVolume] = {}

    def open(self, header: ScanHeader) -> None:
        """Make the folder, and read the reference series.

        Raises
        ------
        OutputError
            The folder can't be written, or an earlier scan is there; the reference can't be read, or has another grid
            than the scan will have. Where the scan lies only its first image tells: see `write`.
        """
        self._start()
        self.problems = ()
        if self._reference_folder is not None:
            self._reference = read_reference(self._reference_folder)
            self._reference.check_grid(header)
        try:
            prepare_folder(self._folder)
            self._claim()
        except OutputError:
            self._remove_if_empty()
            raise
        self._header = header

    def write(self, item: object) -> None:
        """Keep the latest of each map.

        Raises
        ------
        OutputError
            At the first image: the reference series has another geometry; nothing will be written.
        """
        if isinstance(item, Volume):
            self._begin(item.image, item.geometry)
            self._look_at_control(item)
        elif isinstance(item, M0Volume):
            self._m0_signal = _signal(item.image, is_m0=True)
        elif isinstance(item, PerfusionAverage):
            self._begin(item.mean, item.geometry)
            self._averages[item.post_labeling_delay, item.labeling_duration, item.artery or 0] = item
        elif isinstance(item, CbfVolume):
            self._begin(item.cbf, item.geometry)
            # the delay of a fit is NaN, and NaN is no key
            times = (0.0, 0.0) if item.fit is not None else (item.post_labeling_delay, item.labeling_duration)
            self._flows[*times, item.artery or 0] = item

    def close(self, summary: ScanSummary | None) -> Sequence[Path]:
        """Write all series.

        Raises
        ------
        OutputError
            Some could not be written; the others are there.
        """
        if self._header is None:
            return ()
        files, errors = ([], []) if self._is_refused else self._write_all(self._header)
        self._start()
        if not files:
            self._remove_if_empty()
        if errors:
            raise OutputError("; ".join(dict.fromkeys(errors)))
        return tuple(files)

    def _remove_if_empty(self) -> None:
        with suppress(OSError):  # it is not empty, or gone
            self._folder.rmdir()

    def _claim(self) -> None:
        """Make sure that the series of an earlier scan are neither lost nor mixed with those of this one."""
        old = sorted(
            path
            for name in _SERIES_NAMES
            for pattern in (name, f"{name}_*", f".partial-{name}*")
            for path in self._folder.glob(pattern)
        )
        finished = [path for path in old if not path.name.startswith(".")]
        if finished and not self._overwrite:
            raise OutputError(f"{finished[0]}: already there; choose another folder, or allow overwriting")
        for path in old:
            # what is not ours in it stays, and is an error
            with as_output_error("old series", path):
                for file in path.glob("*.dcm"):
                    file.unlink()
                path.rmdir()

    def _begin(self, image: NDArray[np.generic], geometry: SliceGeometry) -> None:
        """Keep the first image, and see whether it lies where the reference lies."""
        if self._first_image is not None:
            return
        self._first_image = image
        if self._reference is None:
            return
        try:
            planes = slice_planes(geometry, image.shape)
            if planes is not None:
                self._reference.check_place(planes, image.shape)
        except (OutputError, InputError) as error:
            self._is_refused = True
            raise OutputError(str(error)) from error

    def _look_at_control(self, volume: Volume) -> None:
        is_control = volume.label is not None and volume.label.volume_type is VolumeType.CONTROL
        if self._control_signal is None and is_control:
            self._control_signal = _signal(np.abs(volume.image), is_m0=False)

    def _write_all(self, header: ScanHeader) -> tuple[list[Path], list[str]]:
        """Files of all series, and why others could not be written."""
        from perfline.gadgets.writers.dicom_dataset import DicomContext

        files: list[Path] = []
        errors: list[str] = []
        if self._first_image is None:
            return files, errors
        uids = ScanUids.of_scan(header.xml, self._first_image)
        attributes = {} if self._reference is None else self._reference.attributes
        context = DicomContext(header, uids, self._identity, attributes, datetime.now())
        averages = [self._averages[group] for group in sorted(self._averages)]
        flows = [self._flows[group] for group in sorted(self._flows)]
        for series in perfusion_series(header, averages, flows, self._m0_signal or self._control_signal):
            try:
                files += self._write_series(context, series)
            except (OutputError, InputError) as error:
                errors.append(str(error))
        return files, errors

    def _write_series(self, context: "DicomContext", series: DicomSeries) -> list[Path]:
        from perfline.gadgets.writers.dicom_dataset import StoredSeries

        planes = slice_planes(series.geometry, series.image.shape)
        if planes is None:
            raise OutputError(
                f"{self._folder}: the raw data don't say where the slices lie, without which DICOM has no images"
            )
        pixels, n_clipped = stored_pixels(series.image, series.quantity.slope)
        if n_clipped:
            problem = f"{series.folder}: {n_clipped} voxels are beyond the range of the pixels"
            self.problems = (*self.problems, problem)
            _LOG.warning(problem)
        made_of = [series.folder, f"classic {self._is_classic}", version("perfline"), repr(series.asl)]
        made_of += [repr((series.delays, series.durations, series.n_pairs, series.n_rejected, series.derivation))]
        made_of.append(repr((planes.positions.tolist(), planes.orientation)))
        made_to = [repr(context.identity), repr(sorted(context.reference.items()))]
        uid = context.uids.series(made_of + made_to, pixels)
        stored = StoredSeries(series, planes, pixels, n_clipped, uid)
        return self._save(series.folder, self._datasets(context, stored))

    def _datasets(self, context: "DicomContext", stored: "StoredSeries") -> "dict[str, Dataset]":
        """Files of a series by name."""
        from perfline.gadgets.writers.dicom_classic import classic_datasets
        from perfline.gadgets.writers.dicom_enhanced import enhanced_dataset

        name = stored.series.folder
        if not self._is_classic:
            return {f"{name}.dcm": enhanced_dataset(context, stored)}
        return {
            f"{name}_{number:04d}.dcm": dataset for number, dataset in enumerate(classic_datasets(context, stored), 1)
        }

    def _save(self, name: str, datasets: "dict[str, Dataset]") -> list[Path]:
        """Write a series: its folder takes its final name when all files are in it."""
        folder = self._folder / name
        partial = partial_path(folder)
        try:
            with as_output_error("series", folder):
                partial.mkdir()
                for file_name, dataset in datasets.items():
                    dataset.save_as(partial / file_name, enforce_file_format=True)
                partial.rename(folder)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
        return [folder / file_name for file_name in datasets]


def _signal(image: NDArray[np.float32], *, is_m0: bool) -> SignalScale | None:
    """The largest signal of an image, or nothing where it has none."""
    finite = image[np.isfinite(image)]
    largest = float(finite.max()) if finite.size else 0.0
    return SignalScale(largest, is_m0) if largest > 0 else None
