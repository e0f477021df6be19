"""``perfline serve``: the MRD server."""

import contextlib
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from perfline.gadgets.cli.options import RegionFiles, scan_options, select_chain, sidecar_options

__all__ = ["command"]


@click.command("serve")
@click.option("--host", default="127.0.0.1", show_default=True, help="Interface to listen on.")
@click.option("--port", default=9002, show_default=True, help="0: any free port.")
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), help="Folder; each scan gets scan_0001, ...")
@click.option("--montage/--no-montage", default=False, show_default=True, help="Write a PNG montage (extra 'view').")
@click.option("--scans", type=int, help="Stop after so many scans.")
@click.option("--timeout", default=120.0, show_default=True, help="Longest silence of a client [s].")
@click.option("--verbose", is_flag=True, help="Log each event.")
@sidecar_options
def command(
    host: str,
    port: int,
    out: Path | None,
    montage: bool,
    scans: int | None,
    timeout: float,
    verbose: bool,
    chain_name: str | None,
    overrides: tuple[str, ...],
    sidecar: Path | None,
    m0_path: Path | None,
    trajectory_path: Path | None,
    field_map_path: Path | None,
    region_files: RegionFiles,
) -> None:
    """Accept scans from MRD clients (FIRE, OpenRecon, gadgetron_ismrmrd_client, 'perfline replay --to').

    A client names an installed chain, or sends a chain of allowed gadgets; --chain is for one that sends neither. One
    scan runs at a time. Whoever can connect can start one: the server listens on loopback unless --host says otherwise.
    """
    from perfline.gadgets.outputs import output_sinks
    from perfline.gadgets.server.server import Server
    from perfline.gadgets.summary import ScanSummary
    from perfline.gadgets.writers.sink import Sink
    from perfline.gadgets.writers.summary_text import format_summary

    logging.basicConfig(
        level=logging.INFO if verbose else logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )

    def make_sinks(number: int) -> Sequence[Sink]:
        if out is None:
            return ()
        return output_sinks(out / _scan_name(out, number), "sub-01", overwrite=False, with_montage=montage)

    def report(summary: ScanSummary) -> None:
        content: dict[str, Any] = summary.as_dict()
        click.echo(format_summary({key: value for key, value in content.items() if key != "parameters"}))

    server = Server(
        host=host,
        port=port,
        default_chain=select_chain(chain_name) if chain_name else None,
        options=scan_options(overrides, sidecar, m0_path, trajectory_path, field_map_path, region_files),
        make_sinks=make_sinks,
        on_summary=report,
        timeout=timeout,
    )
    server.bind()
    click.echo(f"listening on {server.address[0]}:{server.address[1]}")
    with contextlib.suppress(KeyboardInterrupt):
        server.serve(scans)


def _scan_name(folder: Path, number: int) -> str:
    """First free ``scan_NNNN`` from `number` on: an earlier server's scans stay."""
    while (folder / f"scan_{number:04d}").exists():
        number += 1
    return f"scan_{number:04d}"
