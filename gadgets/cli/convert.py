"""``perfline convert``: a spooled stream as an MRD file that other tools read."""

import sys
from pathlib import Path

import click

from perfline.gadgets.cli.options import EXIT_CODES

__all__ = ["command"]

_FILE = click.Path(dir_okay=False, path_type=Path)


@click.command("convert")
@click.argument("source", metavar="IN", type=_FILE)
@click.argument("target", metavar="OUT", type=_FILE)
@click.option("--group", help="Group of IN, where it is an MRD file with several.")
@click.option("--overwrite", is_flag=True, help="Replace OUT if it is there.")
def command(source: Path, target: Path, group: str | None, overwrite: bool) -> None:
    """Write the raw data of IN, a spooled stream (.mrdstream) or an MRD file, to OUT, an MRD file (HDF5).

    Header, readouts, waveforms and images are kept as they are; the order is kept within each kind. A stream that was
    cut off gives all that is whole, and exit code 3. An MRD file has no place for the name of a chain and for texts:
    what is left out is said. OUT can be read by those who can read IN; its header may name the subject.
    """
    from perfline.gadgets.replay.convert_file import convert_file

    result = convert_file(source, target, group=group, overwrite=overwrite)
    counts = f"{result.n_acquisitions} readouts, {result.n_waveforms} waveforms, {result.n_images} images"
    click.echo(f"{target}: {counts}")
    for line in result.left_out:
        click.echo(f"left out: {line}")
    if result.failure is not None:
        click.echo(f"perfline: {result.failure}; all before it was kept", err=True)
        sys.exit(EXIT_CODES["abort"])
