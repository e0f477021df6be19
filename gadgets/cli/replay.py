"""``perfline replay``: a raw MRD file through the chain in process, or to a server, at full speed or paced."""

import sys
from pathlib import Path

import click

from perfline.gadgets.cli.options import EXIT_CODES, exit_code, scan_options, select_chain, sidecar_options

__all__ = ["command"]


@click.command("replay")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option(
    "--paced", type=float, metavar="SPEED", help="Keep the file's timing, SPEED times as fast (1: real time)."
)
@click.option("--to", "address", metavar="HOST:PORT", help="Send to an MRD server instead of running the chain here.")
@click.option(
    "--out", type=click.Path(file_okay=False, path_type=Path), help="Folder for NIfTI, MRD, montage, summary."
)
@click.option("--name", default="sub-01", show_default=True, help="Start of the NIfTI files' names.")
@click.option("--overwrite", is_flag=True, help="Replace the files of an earlier scan in the folder.")
@click.option("--montage/--no-montage", default=True, show_default=True, help="Write a PNG montage (extra 'view').")
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON, nothing else.")
@sidecar_options
def command(
    file: Path,
    paced: float | None,
    address: str | None,
    out: Path | None,
    name: str,
    overwrite: bool,
    montage: bool,
    as_json: bool,
    chain_name: str | None,
    overrides: tuple[str, ...],
    sidecar: Path | None,
    m0_path: Path | None,
) -> None:
    """Play the raw MRD FILE as if the scanner sent it, and show perfusion and CBF as they come out.

    The chain is 'pcasl_epi' unless --chain names another. Without --out nothing is written.
    """
    if address is not None:
        if sidecar or m0_path or overrides:
            raise click.UsageError("--set, --sidecar and --m0 belong to the server: they have no effect with --to")
        sys.exit(_to_server(file, address, chain_name or "pcasl_epi", paced, out, overwrite))
    from perfline.gadgets.cli.run_file import run_file

    summary = run_file(
        file,
        chain=select_chain(chain_name or "pcasl_epi"),
        options=scan_options(overrides, sidecar, m0_path),
        paced=paced,
        out=out,
        name=name,
        overwrite=overwrite,
        with_montage=montage,
        as_json=as_json,
    )
    sys.exit(exit_code(summary))


def _to_server(file: Path, address: str, chain: str, paced: float | None, out: Path | None, overwrite: bool) -> int:
    """Play the file to a server; what comes back goes to ``images.mrd.h5`` in `out`."""
    from perfline.gadgets.replay.send import send_file

    host, separator, port = address.rpartition(":")
    if not separator or not port.isdigit():
        raise click.BadParameter(f"expected HOST:PORT, got {address!r}", param_hint="--to")
    result, files = send_file(file, (host, int(port)), chain, paced=paced, out=out, overwrite=overwrite)
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
