"""A labelled series that is already images: a NIfTI file as a session, through the stages of a live scan.

The volumes travel as the images of a split chain do, so that subtraction and quantification are those of a scanner's
stream, not a second implementation.
"""

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from perfline.gadgets.chain import Chain, build_stages
from perfline.gadgets.errors import ConfigurationError, MissingParameterError, TimeUnitError
from perfline.gadgets.mrd.images import ImageMaker
from perfline.gadgets.mrd.memory_session import MemorySession
from perfline.gadgets.mrd.messages import Close, HeaderXml, Image, Message
from perfline.gadgets.mrd.parameter_sources import Stated, stated_value
from perfline.gadgets.mrd.scan_header import parse_scan_header
from perfline.gadgets.mrd.sidecar import load_sidecar, read_aslcontext
from perfline.gadgets.replay.nifti_file import NiftiSeries, nifti_stem, read_nifti_series
from perfline.gadgets.replay.nifti_header import header_xml, volume_geometry
from perfline.gadgets.replay.same_grid import Grid, check_same_grid
from perfline.gadgets.replay.separate_m0 import read_separate_m0
from perfline.gadgets.replay.sidecar_changes import changed_sidecar, old_name_hint
from perfline.gadgets.scan import ScanOptions
from perfline.gadgets.stage_data import ScanHeader, SeparateM0, SideData, SliceGeometry, Volume, VolumeKey

__all__ = ["IMAGE_CHAIN", "Declarations", "NiftiScan", "NiftiSession", "read_nifti_scan"]

_LOG = logging.getLogger(__name__)

IMAGE_CHAIN: Final = Chain("images", ("asl_subtraction", "cbf_quantification"), MappingProxyType({}), None)
"""What is left of the chain where the images are there already."""


@dataclass(frozen=True)
class Declarations:
    """What a person declares beside the files: ``aslcontext``, definitions and units as `changed_sidecar` takes them.

    ``sidecar_path`` and ``m0_path`` stand in for the files beside the images.
    """

    sidecar_path: Path | None = None
    m0_path: Path | None = None
    aslcontext: Sequence[str] | None = None
    definitions: Mapping[str, Any] = field(default_factory=dict)
    units: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class NiftiScan:
    """A series ready to be quantified: ``session`` and ``options`` are for `run_scan`, with `IMAGE_CHAIN`.

    ``header`` is what the scan will read of its header; ``grid`` is that of the images.
    """

    session: "NiftiSession"
    options: ScanOptions
    header: ScanHeader
    grid: Grid
    inputs: tuple[Path, ...]


class NiftiSession(MemorySession):
    """Delivers a header and volumes; what is sent is thrown away, what is said goes to the log.

    Parameters
    ----------
    header : ScanHeader
    series : NiftiSeries

    Raises
    ------
    ConfigurationError
        As `volume_geometry`.
    """

    def __init__(self, header: ScanHeader, series: NiftiSeries) -> None:
        super().__init__(_messages(header, series.data, volume_geometry(series)))

    def send(self, images: Sequence[Image]) -> None:
        """Keep nothing: results go to the sinks."""

    def send_text(self, level: str, text: str) -> None:
        """Write to the log."""
        _LOG.log(logging.INFO if level == "DBG" else logging.WARNING, "%s", text)


def read_nifti_scan(
    path: Path,
    declared: Declarations | None = None,
    overrides: Mapping[str, Any] | None = None,
    side: SideData | None = None,
) -> NiftiScan:
    """Read a labelled series with all that lies beside it.

    Parameters
    ----------
    path : Path
        ``NAME_asl.nii.gz``, magnitude, 4 axes; ``NAME_asl.json`` and ``NAME_aslcontext.tsv`` are read where they are,
        and ``NAME_m0scan.nii.gz`` where M0Type is Separate. Another ``NAME.nii.gz`` has ``NAME.json``.
    declared : Declarations, optional
        Stands above the sidecar. An M0 file without an M0Type means Separate.
    overrides : mapping, optional
        Settings, for `ScanOptions`.
    side : SideData, optional
        Regions and tissue maps, on the grid of the images; M0 is read here.

    Returns
    -------
    NiftiScan

    Raises
    ------
    ConfigurationError
        A file can't be read, holds NaN or negative values, or doesn't fit the others.
    ScanHeaderError, MissingParameterError, TimeUnitError
        A parameter is wrong or missing; the text names it, and the option that gives it.
    """
    declared = declared or Declarations()
    series = _read_magnitudes(path)
    grid = Grid(path.name, series.data.shape[1:], series.affine)
    side = side or SideData()
    _check_grids(side, grid)
    sidecar, context = _read_sidecar(path, declared)
    settings = IMAGE_CHAIN.settings(overrides)
    parameters = changed_sidecar(sidecar, declared.definitions, declared.units)
    if declared.m0_path is not None and parameters.get("M0Type") is None:
        parameters["M0Type"] = Stated("Separate", "option --m0")
    if declared.aslcontext is not None:
        context = None
        parameters["aslcontext"] = Stated(list(declared.aslcontext), "option --aslcontext")
    _check_context(context or declared.aslcontext, len(series.data))
    try:
        m0_path, m0 = _read_m0(path, declared, parameters)
        header = parse_scan_header(
            header_xml(series, parameters),
            sidecar=parameters,
            protocol=settings.asl,
            aslcontext=context,
            separate_m0=m0,
        )
        options = ScanOptions(dict(overrides or {}), parameters, context, replace(side, separate_m0=m0))
        # what doesn't fit the stages is told before the first volume
        build_stages(IMAGE_CHAIN.gadgets, header, settings, options.side)
    except TimeUnitError as error:
        raise TimeUnitError(f"{error}, or say --assume-unit KEY=ms (or us)") from error
    except MissingParameterError as error:
        raise MissingParameterError(f"{error}, or say --define KEY=VALUE{old_name_hint(sidecar)}") from error
    inputs = (path,) if m0_path is None else (path, m0_path)
    return NiftiScan(NiftiSession(header, series), options, header, grid, inputs)


def _messages(header: ScanHeader, volumes: NDArray[np.float32], geometry: SliceGeometry) -> Iterator[Message]:
    maker = ImageMaker(header, is_complex=True)
    yield HeaderXml(header.xml)
    for index, magnitude in enumerate(volumes):
        volume = Volume(magnitude.astype(np.complex64), VolumeKey(index), geometry, float("nan"), 0.0)
        yield from maker.images_of(volume)
    yield Close()


def _read_magnitudes(path: Path) -> NiftiSeries:
    series = read_nifti_series(path, "ASL series")
    if len(series.data) < 2:
        raise ConfigurationError(f"ASL series {path}: expected several volumes (4 axes), got {len(series.data)}")
    is_bad = ~np.isfinite(series.data).reshape(len(series.data), -1).all(axis=1)
    if is_bad.any():
        which = np.flatnonzero(is_bad).tolist()
        shown = ", ".join(str(index) for index in which[:6]) + (", ..." if len(which) > 6 else "")
        raise ConfigurationError(
            f"ASL series {path}: expected finite values, got NaN or infinity in {len(which)} of {len(series.data)}"
            f" volumes ({shown})"
        )
    lowest = float(series.data.min())
    if lowest < 0:
        raise ConfigurationError(
            f"ASL series {path}: expected magnitudes, zero or more, got values down to {lowest:g}: is it a difference,"
            " a phase, or smoothed beyond zero?"
        )
    return series


def _check_grids(side: SideData, grid: Grid) -> None:
    if side.regions is not None:
        check_same_grid(Grid("label image", side.regions.labels.shape, side.regions.affine), grid)
    if side.tissues is not None:
        check_same_grid(Grid("tissue maps", side.tissues.grey_matter.shape, side.tissues.affine), grid)


def _read_sidecar(path: Path, declared: Declarations) -> tuple[Mapping[str, Any], tuple[str, ...] | None]:
    """The sidecar and the context that are given, or lie beside the images; empty where there are none."""
    beside = path.with_name(f"{nifti_stem(path)}.json")
    if declared.sidecar_path is not None or beside.is_file():
        sidecar = load_sidecar(declared.sidecar_path or beside)
        if sidecar.aslcontext is not None:
            return sidecar.parameters, sidecar.aslcontext
        parameters = sidecar.parameters
    else:
        parameters = {}
    context = path.with_name(f"{nifti_stem(path).removesuffix('_asl')}_aslcontext.tsv")
    return parameters, read_aslcontext(context) if context.is_file() else None


def _check_context(context: Sequence[str] | None, n_volumes: int) -> None:
    if context is None:
        raise MissingParameterError(
            "aslcontext is not given: which volumes are control, label and m0scan? Put NAME_aslcontext.tsv beside"
            " NAME_asl.nii.gz, or say it with --aslcontext, for example 'm0scan,(label,control)*48'"
        )
    if len(context) != n_volumes:
        raise ConfigurationError(f"aslcontext: expected the {n_volumes} volumes of the series, got {len(context)}")


def _read_m0(
    path: Path, declared: Declarations, parameters: Mapping[str, Any]
) -> tuple[Path | None, SeparateM0 | None]:
    m0_path = declared.m0_path
    if m0_path is None and stated_value(parameters, "M0Type") == "Separate":
        stem = f"{nifti_stem(path).removesuffix('_asl')}_m0scan"
        found = [path.with_name(f"{stem}{end}") for end in (".nii.gz", ".nii")]
        m0_path = next((one for one in found if one.is_file()), None)
    if m0_path is None:
        return None, None
    return m0_path, read_separate_m0(m0_path, units=declared.units)
