"""Options that several commands share, and what is made of them."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from perfline.gadgets.errors import ConfigurationError

if TYPE_CHECKING:
    from perfline.gadgets.summary import ScanSummary

__all__ = ["EXIT_CODES", "exit_code", "key_values", "scan_options", "select_chain", "sidecar_options"]

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
    return command


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
        return parse_chain(path.read_bytes(), path.name)
    return load_chain(name)


def scan_options(overrides: Sequence[str], sidecar: Path | None, m0_path: Path | None) -> Any:
    """Make the `ScanOptions` of a command line.

    Raises
    ------
    ConfigurationError
        A file can't be read, or an entry isn't KEY=VALUE.
    """
    from perfline.gadgets.mrd.sidecar import load_sidecar
    from perfline.gadgets.replay.separate_m0 import read_separate_m0
    from perfline.gadgets.scan import ScanOptions
    from perfline.gadgets.stage_data import SideData

    values = key_values(overrides)
    loaded = load_sidecar(sidecar) if sidecar is not None else None
    m0 = read_separate_m0(m0_path, ScanOptions(values)) if m0_path is not None else None
    return ScanOptions(
        overrides=values,
        sidecar=loaded.parameters if loaded else None,
        aslcontext=loaded.aslcontext if loaded else None,
        side=SideData(separate_m0=m0),
    )
