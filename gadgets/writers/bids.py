"""A scan as NIfTI files with BIDS-ASL names, sidecars and context: what arrived, and what was made of it.

======================================  =========================================================================
``NAME_asl.nii.gz .json``               magnitude series of all labelled volumes, in the order of acquisition
``NAME_aslcontext.tsv``                 type of each of them
``NAME_m0scan.nii.gz .json``            M0 as it was given to the scan from elsewhere (M0Type Separate)
``NAME_desc-corrected_m0scan.nii.gz``   M0 as it was used: mean, corrected for its repetition time
``NAME_deltam.nii.gz .json``            mean control-label difference
``NAME_desc-tsnr_deltam.nii.gz .json``  its mean over its standard deviation from pair to pair
``NAME_cbf.nii.gz .json``               blood flow; the sidecar lists each parameter with its origin
``...``                                 further maps beside it: see `bids_maps`
``NAME_desc-brain_mask.nii.gz``         where blood flow was computed
``NAME_epi.nii.gz .json``               volumes without labelling; ``NAME_echo-2_epi`` and on for later echoes
``dataset_description.json``            says that perfline made the folder
======================================  =========================================================================

A scan with several delays or arteries gives 4D files, one volume for each; the sidecar lists the delays.
"""

import json
import logging
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from perfline.gadgets.errors import ConfigurationError, OutputError
from perfline.gadgets.stage_data import (
    CbfVolume,
    M0Volume,
    PerfusionAverage,
    ScanHeader,
    SliceGeometry,
    TerritoryMap,
    Volume,
    VolumeLabel,
)
from perfline.gadgets.stages.slice_affine import slice_affine
from perfline.gadgets.summary import ScanSummary
from perfline.gadgets.writers.bids_maps import MAP_NAMES, DerivedMap, flow_maps, stacked, territory_maps
from perfline.gadgets.writers.bids_sidecar import (
    asl_sidecar,
    epi_sidecar,
    m0scan_sidecar,
    perfusion_sidecar,
    sidecar_problems,
)
from perfline.gadgets.writers.json_file import write_json
from perfline.gadgets.writers.nifti import write_nifti
from perfline.gadgets.writers.sink import claim_files, finished_file, partial_path, prepare_folder
from perfline.gadgets.writers.volume_spool import VolumeSpool
from perfline.recon.errors import InputError
from perfline.recon.parameters import VolumeType

__all__ = ["BIDS_VERSION", "BidsSink"]

_LOG = logging.getLogger(__name__)

BIDS_VERSION: Final = "1.11.1"
"""The version of the standard that names and sidecars follow."""

_DESCRIPTION: Final = "dataset_description.json"

_IMAGES: Final = (
    "asl",
    "m0scan",
    "desc-corrected_m0scan",
    "deltam",
    "desc-tsnr_deltam",
    *MAP_NAMES,
    "desc-brain_mask",
    "epi",
)


class _Series:
    """One 4D series on its way to disk."""

    def __init__(self, path: Path, volume: Volume) -> None:
        self.path = path
        self.geometry = volume.geometry
        self.labels: list[VolumeLabel] = []
        self.spool = VolumeSpool(partial_path(path.with_suffix("").with_suffix(".f32")), volume.image.shape)

    def append(self, volume: Volume) -> None:
        self.spool.append(np.abs(volume.image))
        if volume.label is not None:
            self.labels.append(volume.label)


class BidsSink:
    """Save a scan as NIfTI with BIDS names; complete files appear at `close`, also when the scan broke off.

    Parameters
    ----------
    folder : Path
        Made where it is missing.
    name : str
        Start of all file names, for example ``sub-01``; letters, digits, ``-`` and ``_``.
    overwrite : bool
        Remove the files of an earlier scan of the same name at `open`, instead of refusing.

    Raises
    ------
    ConfigurationError
        The name has other characters.

    Attributes
    ----------
    problems : tuple of str
        After `close`: what keeps the series from being valid BIDS, such as required fields that nobody declared.
    """

    name = "nifti"

    def __init__(self, folder: Path, name: str, *, overwrite: bool = False) -> None:
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]*", name):
            raise ConfigurationError(f"name of the files: expected letters, digits, - and _, got {name!r}")
        self.problems: tuple[str, ...] = ()
        self._folder = folder
        self._name = name
        self._overwrite = overwrite
        self._start()

    def _start(self) -> None:
        self._header: ScanHeader | None = None
        self._series: dict[str, _Series] = {}
        self._m0: M0Volume | None = None
        self._averages: dict[tuple[float, float, int], PerfusionAverage] = {}
        self._cbf: dict[tuple[float, float, int], CbfVolume] = {}
        self._territories: TerritoryMap | None = None
        self._files: list[Path] = []

    def open(self, header: ScanHeader) -> None:
        """Make the folder.

        Raises
        ------
        OutputError
            It can't be written, or an earlier scan is there.
        """
        prepare_folder(self._folder)
        own = [self._path(f"{image}.{ending}") for image in _IMAGES for ending in ("nii.gz", "json")]
        # raw volumes that a broken run has left are data, too
        others = [path for end in ("asl.f32", "*epi.f32") for path in self._folder.glob(f".partial-{self._name}_{end}")]
        echoes = sorted(self._folder.glob(f"{self._name}_echo-*_epi.*"))
        claim_files([*own, self._path("aslcontext.tsv"), *echoes, *others], self._overwrite)
        self._start()
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
            self._write_description,
        ]
        for job in jobs:
            try:
                job(header)
            except OutputError as error:
                errors.append(str(error))
        files = tuple(self._files)
        self._start()
        if errors:
            raise OutputError("; ".join(errors))
        return files

    def _path(self, end: str) -> Path:
        return self._folder / f"{self._name}_{end}"

    def _append(self, volume: Volume) -> None:
        echo = volume.key.contrast
        end = "asl" if volume.label is not None else f"echo-{echo + 1}_epi" if echo else "epi"
        if end not in self._series:
            self._series[end] = _Series(self._path(f"{end}.nii.gz"), volume)
        self._series[end].append(volume)

    def _write_series(self, end: str, series: _Series, header: ScanHeader) -> None:
        if series.spool.n_volumes == 0:
            series.spool.discard()
            return
        sidecar = asl_sidecar(header, series.labels) if end == "asl" else epi_sidecar(header)
        if end.startswith("echo-"):
            sidecar.pop("EchoTime", None)  # the header's is that of the first echo
        spacing = _volume_spacing(sidecar, series.labels) if end == "asl" else sidecar.get("RepetitionTime")
        try:
            self._write_image(end, series.spool.volumes(), series.geometry, sidecar, repetition_time=spacing)
        except OutputError as error:
            series.spool.close()
            sizes = " x ".join(str(size) for size in (series.spool.n_volumes, *series.spool.shape))
            raise OutputError(f"{error} (the volumes are kept in {series.spool.path}: float32, {sizes})") from error
        series.spool.discard()
        if end == "asl":
            self._write_context(sidecar, series.labels)

    def _write_context(self, sidecar: Mapping[str, Any], labels: Sequence[VolumeLabel]) -> None:
        types = [label.volume_type for label in labels]
        path = self._path("aslcontext.tsv")
        with finished_file(path) as unfinished:
            unfinished.write_text("\n".join(["volume_type", *types]) + "\n", encoding="utf-8")
        self._files.append(path)
        self.problems = sidecar_problems(sidecar, types)
        for problem in self.problems:
            _LOG.warning("%s: %s", path.name, problem)

    def _write_m0(self, header: ScanHeader) -> None:
        m0 = self._m0
        if m0 is None or m0.n_volumes == 0:  # one number for all voxels is in the sidecar of the series
            return
        if header.asl is not None and header.asl.m0_type == "Separate":
            # as it came: who reads an m0scan corrects it for its repetition time, and would do so twice
            raw = m0.image / np.float32(m0.correction)
            self._write_image("m0scan", raw, m0.geometry, m0scan_sidecar(header, f"{self._name}_asl.nii.gz"))
        sidecar = {
            "Description": "M0 as used for the blood flow: mean of the M0 volumes, corrected for incomplete recovery",
            "Units": "arbitrary",
            "NumberOfVolumes": m0.n_volumes,
            "RecoveryCorrectionFactor": m0.correction,
        }
        self._write_image("desc-corrected_m0scan", m0.image, m0.geometry, sidecar)

    def _write_averages(self, header: ScanHeader) -> None:
        averages = [self._averages[delay] for delay in sorted(self._averages)]
        if not averages:
            return
        source, geometry = f"{self._name}_asl.nii.gz", averages[0].geometry
        about = perfusion_sidecar(header, averages, "Mean of control minus label", "arbitrary", source)
        self._write_image("deltam", stacked([average.mean for average in averages]), geometry, about)
        text = "Temporal signal-to-noise ratio of control minus label: mean over standard deviation of the pairs"
        about = perfusion_sidecar(header, averages, text, "1", source)
        self._write_image("desc-tsnr_deltam", stacked([average.tsnr for average in averages]), geometry, about)

    def _write_cbf(self, header: ScanHeader) -> None:
        volumes = [self._cbf[group] for group in sorted(self._cbf)]
        if not volumes:
            return
        source, geometry = f"{self._name}_deltam.nii.gz", volumes[0].geometry
        maps = flow_maps(header, volumes, source)
        if self._territories is not None:
            maps += territory_maps(self._territories, source)
        for one in maps:
            self._write_map(one)
        about = {"Description": "Where blood flow was computed", "Type": "Brain", "Sources": [f"bids::{source}"]}
        self._write_image("desc-brain_mask", volumes[-1].mask.astype(np.uint8), geometry, about)

    def _write_map(self, one: DerivedMap) -> None:
        self._write_image(one.end, one.image, one.geometry, one.sidecar, window=one.window)

    def _write_image(
        self,
        end: str,
        image: NDArray[np.generic],
        geometry: SliceGeometry,
        sidecar: Mapping[str, Any],
        *,
        repetition_time: float | None = None,
        window: tuple[float, float] | None = None,
    ) -> None:
        path = self._path(f"{end}.nii.gz")
        placed = _placed(geometry, image.shape, path.name)
        write_nifti(path, image, placed, repetition_time=repetition_time, window=window)
        self._files.append(path)
        path = self._path(f"{end}.json")
        write_json(path, sidecar)
        self._files.append(path)

    def _write_description(self, header: ScanHeader) -> None:
        """Describe the folder, unless someone else has done so."""
        path = self._folder / _DESCRIPTION
        if not self._files or not _is_ours(path):
            return
        content = {
            "Name": "Reconstructed images and blood flow",
            "BIDSVersion": BIDS_VERSION,
            "DatasetType": "derivative",
            "GeneratedBy": [{"Name": "perfline", "Version": version("perfline")}],
        }
        write_json(path, content)
        self._files.append(path)


def _placed(geometry: SliceGeometry, shape: tuple[int, ...], name: str) -> SliceGeometry:
    """Give up the place of the slices, with a warning, where it contradicts itself: the image must be saved anyway."""
    try:
        slice_affine(geometry, shape)
    except InputError as error:
        _LOG.warning("%s: written without patient coordinates: %s", name, error)
        unknown = np.zeros((shape[-3], 3))
        return replace(geometry, positions=unknown, is_known=False)
    return geometry


def _volume_spacing(sidecar: Mapping[str, Any], labels: Sequence[VolumeLabel]) -> float | None:
    """Time from volume to volume, where that of all control and label volumes is the same."""
    times = sidecar.get("RepetitionTimePreparation")
    if not isinstance(times, list):
        return times
    pairs = (VolumeType.CONTROL, VolumeType.LABEL)
    different = {time for time, label in zip(times, labels, strict=True) if label.volume_type in pairs}
    return different.pop() if len(different) == 1 else None


def _is_ours(path: Path) -> bool:
    """Whether a dataset description is missing or was written by perfline."""
    if not path.exists():
        return True
    try:
        content = json.loads(path.read_text("utf-8"))
        return bool(content["GeneratedBy"][0]["Name"] == "perfline")
    except (OSError, ValueError, LookupError, TypeError):
        return False
