"""A scan as a BIDS tree of NIfTI files with sidecars: what arrived, and what was made of it (`bids_tree`).

======================================  =========================================================================
raw                                     ``OUT/sub-01/perf/sub-01_...``
``asl.nii.gz .json``                    magnitude series of all labelled volumes, in the order of acquisition
``aslcontext.tsv``                      type of each of them
``m0scan.nii.gz .json``                 M0 as it was given to the scan from elsewhere (M0Type Separate)
derivative                              ``OUT/derivatives/perfline/sub-01/perf/sub-01_...``
``desc-corrected_m0scan.nii.gz .json``  M0 as it was used: mean, corrected for its repetition time
``deltam.nii.gz .json``                 mean control-label difference
``desc-tsnr_deltam.nii.gz .json``       its mean over its standard deviation from pair to pair
``cbf.nii.gz .json``                    blood flow; the sidecar lists each parameter with its origin
``...``                                 further maps beside it: see `bids_maps`
``desc-brain_mask.nii.gz .json``        where blood flow was computed; ``desc-kidney_mask`` of kidneys
``epi.nii.gz .json``                    volumes without labelling (``spiral`` where they are), ``echo-2_epi`` and on
                                        for later echoes: raw BIDS wants to know what such a series is for
======================================  =========================================================================

A scan with several delays or arteries gives 4D files, one volume for each; the sidecar lists the delays. Both datasets
are described in their roots: see `bids_dataset`.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from perfline.gadgets.errors import OutputError
from perfline.gadgets.stage_data import (
    CbfVolume,
    M0Volume,
    PerfusionAverage,
    ScanHeader,
    SliceGeometry,
    TerritoryMap,
    Volume,
)
from perfline.gadgets.stages.slice_affine import slice_affine
from perfline.gadgets.summary import ScanSummary
from perfline.gadgets.writers.bids_dataset import BIDS_VERSION, describe_datasets
from perfline.gadgets.writers.bids_maps import (
    AVERAGE_NAMES,
    MAP_NAMES,
    DerivedMap,
    average_maps,
    flow_maps,
    territory_maps,
)
from perfline.gadgets.writers.bids_problems import m0scan_problems, series_problems
from perfline.gadgets.writers.bids_series import Series, beside, volume_spacing
from perfline.gadgets.writers.bids_sidecar import asl_sidecar, corrected_m0_sidecar, epi_sidecar, m0scan_sidecar
from perfline.gadgets.writers.bids_tree import BidsTree
from perfline.gadgets.writers.json_file import write_json
from perfline.gadgets.writers.nifti import write_nifti
from perfline.gadgets.writers.sink import claim_files, finished_file, prepare_folder
from perfline.recon.errors import InputError

__all__ = ["BIDS_VERSION", "BidsSink"]

_LOG = logging.getLogger(__name__)

_RAW: Final = ("asl", "m0scan")

_DERIVATIVES: Final = ("desc-corrected_m0scan", *AVERAGE_NAMES, *MAP_NAMES, "epi", "spiral")


class BidsSink:
    """Save a scan as NIfTI in a BIDS tree; complete files appear at `close`, also when the scan broke off.

    Parameters
    ----------
    folder : Path
        Root of the tree, made where it is missing.
    name : str
        Entities of the scan, such as ``sub-01`` or ``sub-01_ses-2_run-1``: see `BidsTree`.
    overwrite : bool
        Remove the files of an earlier scan of the same name at `open`, instead of refusing.

    Raises
    ------
    ConfigurationError
        The name is something else.

    Attributes
    ----------
    problems : tuple of str
        After `close`: what keeps the raw dataset from being valid BIDS, such as required fields that nobody declared,
        and images whose place contradicts itself; one line for each file.
    """

    name = "nifti"

    def __init__(self, folder: Path, name: str, *, overwrite: bool = False) -> None:
        self.problems: tuple[str, ...] = ()
        self._tree = BidsTree(folder, name)
        self._overwrite = overwrite
        self._start()

    def _start(self) -> None:
        self._header: ScanHeader | None = None
        self._series: dict[str, Series] = {}
        self._m0: M0Volume | None = None
        self._averages: dict[tuple[float, float, int], PerfusionAverage] = {}
        self._cbf: dict[tuple[float, float, int], CbfVolume] = {}
        self._territories: TerritoryMap | None = None
        self._files: list[Path] = []

    def open(self, header: ScanHeader) -> None:
        """Make the root.

        Raises
        ------
        OutputError
            It can't be written, or an earlier scan is there.
        """
        tree = self._tree
        prepare_folder(tree.folder)
        for folder in (tree.raw_folder, tree.derivative_folder):
            # those that are not there are made when something comes to be in them
            prepare_folder(next(place for place in (folder, *folder.parents) if place.exists()))
        own = [tree.raw(f"{end}.{kind}") for end in _RAW for kind in ("nii.gz", "json")]
        own += [tree.derivative(f"{end}.{kind}") for end in _DERIVATIVES for kind in ("nii.gz", "json")]
        later_echoes = sorted(tree.derivative_folder.glob(f"{tree.name}_echo-*.*"))
        # raw volumes that a broken run has left are data, too
        broken = [
            path
            for folder in (tree.raw_folder, tree.derivative_folder)
            for path in sorted(folder.glob(f".partial-{tree.name}_*.f32"))
        ]
        claim_files([*own, tree.raw("aslcontext.tsv"), *later_echoes, *broken], self._overwrite)
        self._start()
        self.problems = ()
        self._header = header

    def write(self, item: object) -> None:
        """Append a volume to its series on disk; keep the latest M0, average and CBF.

        Raises
        ------
        OutputError
            The disk is full or gone.
        """
        if isinstance(item, Volume):
            self._append(item)
        elif isinstance(item, M0Volume):
            self._m0 = item
        elif isinstance(item, PerfusionAverage):
            self._averages[item.post_labeling_delay, item.labeling_duration, item.artery or 0] = item
        elif isinstance(item, CbfVolume):
            # the delay of a fit is NaN, and NaN is no key
            times = (0.0, 0.0) if item.fit is not None else (item.post_labeling_delay, item.labeling_duration)
            self._cbf[*times, item.artery or 0] = item
        elif isinstance(item, TerritoryMap):
            self._territories = item

    def close(self, summary: ScanSummary | None) -> Sequence[Path]:
        """Write all files.

        Raises
        ------
        OutputError
            Some could not be written; the others are there. The raw volumes of a series that could not be written stay
            beside it, in a file that the message names.
        """
        if self._header is None:
            return ()
        header, errors = self._header, []
        jobs: list[Callable[[ScanHeader], None]] = [
            *(partial(self._write_series, end, series) for end, series in self._series.items()),
            self._write_m0,
            self._write_averages,
            self._write_cbf,
            self._write_descriptions,
        ]
        for job in jobs:
            try:
                job(header)
            except OutputError as error:
                errors.append(str(error))
        files = tuple(self._files)
        self._start()
        for folder in (self._tree.raw_folder, self._tree.derivative_folder):
            _remove_if_empty(folder, self._tree.folder)
        for problem in self.problems:
            _LOG.warning(problem)
        if errors:
            raise OutputError("; ".join(errors))
        return files

    def _append(self, volume: Volume) -> None:
        echo = volume.key.contrast
        readout = "epi" if self._header is None or self._header.spiral is None else "spiral"
        end = "asl" if volume.label is not None else f"echo-{echo + 1}_{readout}" if echo else readout
        if end not in self._series:
            place = self._tree.raw if end == "asl" else self._tree.derivative
            self._series[end] = Series(place(f"{end}.nii.gz"), volume)
        self._series[end].append(volume)

    def _write_series(self, end: str, series: Series, header: ScanHeader) -> None:
        if series.spool.n_volumes == 0:
            series.spool.discard()
            return
        if end == "asl":
            sidecar = asl_sidecar(header, series.labels)
            spacing = volume_spacing(sidecar, series.labels)
        else:
            # the header's echo time is that of the first echo
            sidecar = epi_sidecar(header, is_first_echo=not end.startswith("echo-"))
            spacing = sidecar.get("RepetitionTime")
        try:
            self._write_image(series.path, series.spool.volumes(), series.geometry, sidecar, repetition_time=spacing)
        except OutputError as error:
            series.spool.close()
            sizes = " x ".join(str(size) for size in (series.spool.n_volumes, *series.spool.shape))
            raise OutputError(f"{error} (the volumes are kept in {series.spool.path}: float32, {sizes})") from error
        series.spool.discard()
        if end == "asl":
            self._write_context(sidecar, series)

    def _write_context(self, sidecar: Mapping[str, Any], series: Series) -> None:
        types = [label.volume_type for label in series.labels]
        path = self._tree.raw("aslcontext.tsv")
        with finished_file(path) as unfinished:
            unfinished.write_text("\n".join(["volume_type", *types]) + "\n", encoding="utf-8")
        self._files.append(path)
        self._tell(beside(series.path, ".json"), series_problems(sidecar, types))

    def _write_m0(self, header: ScanHeader) -> None:
        m0 = self._m0
        if m0 is None or m0.n_volumes == 0:  # one number for all voxels is in the sidecar of the series
            return
        source = self._tree.raw("asl.nii.gz")
        if header.asl is not None and header.asl.m0_type == "Separate":
            # as it came: who reads an m0scan corrects it for its repetition time, and would do so twice
            sidecar = m0scan_sidecar(header, m0, self._tree.uri(source, from_raw=True))
            source = self._tree.raw("m0scan.nii.gz")
            self._write_image(source, m0.image / np.float32(m0.correction), m0.geometry, sidecar)
            self._tell(beside(source, ".json"), m0scan_problems(sidecar))
        about = corrected_m0_sidecar(m0, self._sources(source))
        self._write_image(self._tree.derivative("desc-corrected_m0scan.nii.gz"), m0.image, m0.geometry, about)

    def _write_averages(self, header: ScanHeader) -> None:
        averages = [self._averages[delay] for delay in sorted(self._averages)]
        if averages:
            self._write_maps(average_maps(header, averages, self._sources(self._tree.raw("asl.nii.gz"))))

    def _write_cbf(self, header: ScanHeader) -> None:
        volumes = [self._cbf[group] for group in sorted(self._cbf)]
        if not volumes:
            return
        ends = ("deltam.nii.gz", "desc-corrected_m0scan.nii.gz")
        sources = self._sources(*(self._tree.derivative(end) for end in ends))
        maps = flow_maps(header, volumes, sources)
        if self._territories is not None:
            maps += territory_maps(self._territories, sources)
        self._write_maps(maps)

    def _write_maps(self, maps: Sequence[DerivedMap]) -> None:
        for one in maps:
            path = self._tree.derivative(f"{one.end}.nii.gz")
            self._write_image(path, one.image, one.geometry, one.sidecar, window=one.window)

    def _write_image(
        self,
        path: Path,
        image: NDArray[np.generic],
        geometry: SliceGeometry,
        sidecar: Mapping[str, Any],
        *,
        repetition_time: float | None = None,
        window: tuple[float, float] | None = None,
    ) -> None:
        prepare_folder(path.parent)
        placed, why = _placed(geometry, image.shape)
        problem = f"images are written without patient coordinates: {why}"
        if why and problem not in self.problems:
            self.problems = (*self.problems, problem)
        write_nifti(path, image, placed, repetition_time=repetition_time, window=window)
        self._files.append(path)
        about = beside(path, ".json")
        write_json(about, sidecar)
        self._files.append(about)

    def _write_descriptions(self, header: ScanHeader) -> None:
        if self._files:
            has_derivatives = any(path.is_relative_to(self._tree.derivatives) for path in self._files)
            self._files += describe_datasets(self._tree, with_derivatives=has_derivatives)

    def _sources(self, *paths: Path) -> list[str]:
        """BIDS URIs of those images that were written."""
        return [self._tree.uri(path) for path in paths if path in self._files]

    def _tell(self, path: Path, problems: Sequence[str]) -> None:
        if problems:
            self.problems = (*self.problems, f"{path.name}: not valid BIDS: {'; '.join(problems)}")


def _remove_if_empty(folder: Path, root: Path) -> None:
    """Remove the folders from this one up to the root that hold nothing."""
    while folder != root:
        with suppress(OSError):
            folder.rmdir()
        folder = folder.parent


def _placed(geometry: SliceGeometry, shape: tuple[int, ...]) -> tuple[SliceGeometry, str]:
    """Give up the place of the slices where it contradicts itself, and why: the image must be saved anyway."""
    try:
        slice_affine(geometry, shape)
    except InputError as error:
        unknown = np.zeros((shape[-3], 3))
        return replace(geometry, positions=unknown, is_known=False), str(error)
    return geometry, ""
