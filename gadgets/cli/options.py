"""Options that several commands share, and what is made of them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from perfline.gadgets.errors import ConfigurationError

if TYPE_CHECKING:
    from perfline.gadgets.summary import ScanSummary

__all__ = [
    "EXIT_CODES",
    "RegionFiles",
    "exit_code",
    "key_values",
    "region_options",
    "scan_options",
    "select_chain",
    "sidecar_options",
    "spiral_options",
]

EXIT_CODES = {"success": 0, "fail": 1, "usage": 2, "abort": 3, "missed": 4}
"""Of every command: statuses of a scan, wrong usage or input, and a missed aim of a benchmark."""


def exit_code(summary: "ScanSummary") -> int:
    """Exit code of a command for the summary of its scan; files that could not be written count as a failure."""
    has_errors = any(level == "error" for level, _ in summary.notices)
    return EXIT_CODES["fail" if summary.status == "success" and has_errors else summary.status]


def sidecar_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that say what a scan is and how it is processed."""
    for option in reversed(
        [
            click.option("--chain", "chain_name", default=None, help="Installed chain, or the path of a chain XML."),
            click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Override a setting."),
            click.option(
                "--sidecar",
                type=click.Path(dir_okay=False, path_type=Path),
                help="BIDS *_asl.json; an *_aslcontext.tsv beside it is read too.",
            ),
            click.option(
                "--m0",
                "m0_path",
                type=click.Path(dir_okay=False, path_type=Path),
                help="M0 of another file (M0Type Separate): NIfTI, or raw MRD.",
            ),
        ]
    ):
        command = option(command)
    return spiral_options(region_options(command))


@dataclass(frozen=True)
class RegionFiles:
    """Files that say what the voxels of the images are."""

    regions: Path | None = None
    names: Path | None = None
    pairs: str | None = None
    grey_matter: Path | None = None
    white_matter: Path | None = None
    transit_time: Path | None = None


def region_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the files of regions and tissues; the command gets them as ``region_files``."""
    file_type = click.Path(dir_okay=False, path_type=Path)
    names = [entry.name for entry in fields(RegionFiles)]

    @wraps(command)
    def with_files(**values: Any) -> Any:
        files = RegionFiles(**{name: values.pop(f"given_{name}") for name in names})
        return command(**values, region_files=files)

    wrapped: Callable[..., Any] = with_files
    for option in reversed(
        [
            click.option(
                "--regions",
                "given_regions",
                type=file_type,
                help="Label image on the grid of the images, NIfTI: precision of each region, table of regions.",
            ),
            click.option(
                "--region-names",
                "given_names",
                type=file_type,
                help="Names of the labels: *_dseg.tsv (index, name).",
            ),
            click.option(
                "--region-pairs",
                "given_pairs",
                metavar="LEFT=RIGHT,...",
                help="Regions that mirror each other, by name or label: asymmetry index.",
            ),
            click.option(
                "--grey-matter",
                "given_grey_matter",
                type=file_type,
                help="Share of grey matter, NIfTI on the grid of the images: quality figures of tissues.",
            ),
            click.option(
                "--white-matter", "given_white_matter", type=file_type, help="Share of white matter; both or none."
            ),
            click.option(
                "--transit-time",
                "given_transit_time",
                type=file_type,
                help="Arterial transit times [s] on the grid of the images, NIfTI: for a single delay.",
            ),
        ]
    ):
        wrapped = option(wrapped)
    return wrapped


def _regions_and_tissues(files: RegionFiles) -> dict[str, Any]:
    """Read them.

    Raises
    ------
    ConfigurationError
        A file can't be read, or comes without the other that it needs.
    """
    from perfline.gadgets.replay.region_file import read_regions
    from perfline.gadgets.replay.region_pairs import read_pairs
    from perfline.gadgets.replay.tissue_file import read_tissues
    from perfline.gadgets.replay.transit_time_file import read_transit_time

    if files.regions is None and (files.names is not None or files.pairs is not None):
        raise ConfigurationError("--region-names, --region-pairs: expected --regions FILE with them, got none")
    found: dict[str, Any] = {}
    if files.transit_time is not None:
        found["transit_time"] = read_transit_time(files.transit_time)
    if files.regions is not None:
        regions = read_regions(files.regions, files.names)
        pairs = read_pairs(files.pairs, regions.names, "--region-pairs") if files.pairs is not None else ()
        found["regions"] = replace(regions, pairs=tuple(pairs))
    if files.grey_matter is not None and files.white_matter is not None:
        found["tissues"] = read_tissues(files.grey_matter, files.white_matter)
    elif files.grey_matter is not None or files.white_matter is not None:
        raise ConfigurationError("--grey-matter, --white-matter: expected both, got one")
    return found


def spiral_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the files that a scan with a trajectory of its own may need."""
    file_type = click.Path(dir_okay=False, path_type=Path)
    command = click.option(
        "--field-map",
        "field_map_path",
        type=file_type,
        help="Off-resonance [Hz] on the grid of the images, NIfTI: for spirals.",
    )(command)
    return click.option(
        "--trajectory",
        "trajectory_path",
        type=file_type,
        help="Trajectory of readouts that have none: .npz, MRD .h5, or Pulseq .seq (extra 'pulseq').",
    )(command)


def key_values(entries: Sequence[str]) -> dict[str, str]:
    """Read ``KEY=VALUE`` entries.

    Raises
    ------
    ConfigurationError
        An entry without ``=``.

    Examples
    --------
    >>> key_values(["subtraction_order=surround"])
    {'subtraction_order': 'surround'}
    """
    values = {}
    for entry in entries:
        key, separator, value = entry.partition("=")
        if not separator:
            raise ConfigurationError(f"--set: expected KEY=VALUE, got {entry!r}")
        values[key.strip()] = value.strip()
    return values


def select_chain(name: str) -> Any:
    """Find an installed chain, or read the file of that path.

    Raises
    ------
    ConfigurationError
        Neither is there, or the file is no chain of allowed gadgets.
    """
    from perfline.gadgets.chain import load_chain, parse_chain

    path = Path(name)
    if path.suffix == ".xml" and path.is_file():
        return parse_chain(path.read_bytes(), path.name, is_own=True)
    return load_chain(name)


def scan_options(
    overrides: Sequence[str],
    sidecar: Path | None = None,
    m0_path: Path | None = None,
    trajectory_path: Path | None = None,
    field_map_path: Path | None = None,
    region_files: RegionFiles | None = None,
) -> Any:
    """Make the `ScanOptions` of a command line.

    Raises
    ------
    ConfigurationError
        A file can't be read, or an entry isn't KEY=VALUE.
    """
    from perfline.gadgets.mrd.sidecar import load_sidecar
    from perfline.gadgets.replay.field_map_file import read_field_map
    from perfline.gadgets.replay.separate_m0 import read_separate_m0
    from perfline.gadgets.replay.trajectory_file import read_trajectory
    from perfline.gadgets.scan import ScanOptions
    from perfline.gadgets.stage_data import SideData

    values = key_values(overrides)
    loaded = load_sidecar(sidecar) if sidecar is not None else None
    m0 = read_separate_m0(m0_path, ScanOptions(values)) if m0_path is not None else None
    return ScanOptions(
        overrides=values,
        sidecar=loaded.parameters if loaded else None,
        aslcontext=loaded.aslcontext if loaded else None,
        side=SideData(
            separate_m0=m0,
            trajectory=read_trajectory(trajectory_path) if trajectory_path is not None else None,
            field_map=read_field_map(field_map_path) if field_map_path is not None else None,
            **_regions_and_tissues(region_files or RegionFiles()),
        ),
    )
