"""``perfline replay``: a raw MRD file through the chain in process, or to a server, at full speed or paced."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from perfline.gadgets.cli.options import EXIT_CODES, RegionFiles, exit_code, scan_options, select_chain, sidecar_options
from perfline.gadgets.cli.output_options import output_options, shown, view_options, view_sinks

if TYPE_CHECKING:
    from perfline.gadgets.outputs import OutputOptions
    from perfline.gadgets.replay.faults import FaultInjector

__all__ = ["command"]


@click.command("replay")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option(
    "--paced", type=float, metavar="SPEED", help="Keep the file's timing, SPEED times as fast (1: real time)."
)
@click.option("--to", "address", metavar="HOST:PORT", help="Send to an MRD server instead of running the chain here.")
@click.option(
    "--out", type=click.Path(file_okay=False, path_type=Path), help="Folder for a BIDS tree, MRD images, summary."
)
@click.option(
    "--spool", type=click.Path(file_okay=False, path_type=Path), help="Folder; what is played is kept as a stream."
)
@click.option("--name", default="sub-01", show_default=True, help="Entities of the scan, such as sub-01_ses-2_run-1.")
@click.option("--overwrite", is_flag=True, help="Replace the files of an earlier scan in the folder.")
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON, nothing else.")
@click.option(
    "--fault",
    "fault_entries",
    multiple=True,
    metavar="KIND=RATE",
    help="Spoil this share of the readouts: drop, duplicate, reorder (with one of the next 8), nan, counter (a flipped"
    " bit), channels, samples (one less), delay, cut; corrupt is nan, counter, channels and samples in equal parts.",
)
@click.option("--fault-seed", default=0, show_default=True, help="The same seed gives the same faults.")
@click.option("--fault-after", default=0, show_default=True, help="Leave so many readouts at the start alone.")
@click.option("--fault-delay", default=0.1, show_default=True, help="Of --fault delay [s].")
@output_options(montage=True)
@view_options
@sidecar_options
def command(
    file: Path,
    paced: float | None,
    address: str | None,
    out: Path | None,
    spool: Path | None,
    name: str,
    overwrite: bool,
    outputs: "Callable[[], OutputOptions]",
    view: bool,
    view_port: int,
    as_json: bool,
    fault_entries: tuple[str, ...],
    fault_seed: int,
    fault_after: int,
    fault_delay: float,
    chain_name: str | None,
    overrides: tuple[str, ...],
    sidecar: Path | None,
    m0_path: Path | None,
    trajectory_path: Path | None,
    field_map_path: Path | None,
    region_files: RegionFiles,
) -> None:
    """Play the raw MRD FILE as if the scanner sent it, and show perfusion and CBF as they come out.

    FILE is MRD (HDF5), or a stream that was spooled ('serve --spool'; *.mrdstream), also one that a crash cut off: with
    the options that the server had it gives the images of the live scan. The chain is the one that the scanner asked
    for, where the stream says so, else 'pcasl_epi', unless --chain names another. Without --out nothing is written.
    With --fault the scan is spoilt on purpose, to see what it costs: what was done goes to stderr.
    """
    from perfline.gadgets.replay.faults import FaultInjector, fault_rates

    faults = None
    if fault_entries:
        faults = FaultInjector(fault_rates(fault_entries), seed=fault_seed, after=fault_after, delay=fault_delay)
    if address is not None:
        if sidecar or m0_path or trajectory_path or field_map_path or overrides or region_files != RegionFiles():
            raise click.UsageError(
                "--set, --sidecar, --m0, --trajectory, --field-map, --regions (with its names and pairs), --grey-matter"
                " and --white-matter belong to the server: they have no effect with --to"
            )
        chosen = outputs()
        if spool is not None or view or chosen.with_report or chosen.dicom is not None:
            raise click.UsageError(
                "--spool, --view, --report and DICOM belong to the server: they have no effect with --to"
            )
        sys.exit(_to_server(file, address, chain_name, paced, out, overwrite, faults))
    from perfline.gadgets.cli.run_file import run_file

    with shown(view, view_port) as viewer:
        summary = run_file(
            file,
            chain=select_chain(chain_name) if chain_name else None,
            options=scan_options(overrides, sidecar, m0_path, trajectory_path, field_map_path, region_files),
            paced=paced,
            out=out,
            name=name,
            overwrite=overwrite,
            outputs=outputs(),
            as_json=as_json,
            faults=faults,
            spool=spool,
            others=view_sinks(viewer, file.name),
        )
        _tell(faults)
        if viewer is not None:
            click.echo(f"view: {viewer.url} shows the scan until Ctrl-C", err=True)
            viewer.wait()
    sys.exit(exit_code(summary))


def _tell(faults: "FaultInjector | None") -> None:
    """Say what was put in, beside the summary."""
    if faults is not None:
        what = ", ".join(f"{n} {kind}" for kind, n in faults.counts.items()) or "none"
        n_volumes = len({fault.key for fault in faults.injected})
        click.echo(f"faults put in: {what}; {n_volumes} volumes touched", err=True)


def _to_server(
    file: Path,
    address: str,
    chain: str | None,
    paced: float | None,
    out: Path | None,
    overwrite: bool,
    faults: "FaultInjector | None",
) -> int:
    """Play the file to a server; what comes back goes to ``images.mrd.h5`` in `out`."""
    from perfline.gadgets.replay.send import send_file

    host, separator, port = address.rpartition(":")
    if not separator or not port.isdigit():
        raise click.BadParameter(f"expected HOST:PORT, got {address!r}", param_hint="--to")
    result, files = send_file(file, (host, int(port)), chain, paced=paced, out=out, overwrite=overwrite, faults=faults)
    _tell(faults)
    for text in (*result.texts, *result.errors):
        click.echo(text)
    click.echo(f"sent {result.n_readouts} readouts ({result.n_bytes / 1e6:.1f} MB), {result.n_images} images came back")
    for path in files:
        click.echo(str(path))
    if result.failure:
        click.echo(f"perfline: {result.failure}", err=True)
        return EXIT_CODES["abort"]
    has_failed = bool(result.errors) or any(text.startswith("ERR") for text in result.texts)
    return EXIT_CODES["fail" if has_failed else "success"]
