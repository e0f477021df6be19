"""``perfline recon``: the images of any EPI file."""

import sys
from pathlib import Path

import click

from perfline.gadgets.cli.options import exit_code, key_values

__all__ = ["command"]


@click.command("recon")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option(
    "--out", type=click.Path(file_okay=False, path_type=Path), help="Folder for NIfTI, MRD, montage, summary."
)
@click.option("--name", default="sub-01", show_default=True, help="Start of the NIfTI files' names.")
@click.option("--overwrite", is_flag=True, help="Replace the files of an earlier scan in the folder.")
@click.option("--montage/--no-montage", default=True, show_default=True, help="Write a PNG montage (extra 'view').")
@click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Override a setting.")
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON, nothing else.")
def command(
    file: Path, out: Path | None, name: str, overwrite: bool, montage: bool, overrides: tuple[str, ...], as_json: bool
) -> None:
    """Reconstruct the images of the raw MRD FILE, an EPI scan of any kind; labelling is ignored."""
    from perfline.gadgets.chain import load_chain
    from perfline.gadgets.cli.run_file import run_file
    from perfline.gadgets.scan import ScanOptions

    summary = run_file(
        file,
        chain=load_chain("epi"),
        options=ScanOptions(key_values(overrides)),
        paced=None,
        out=out,
        name=name,
        overwrite=overwrite,
        with_montage=montage,
        as_json=as_json,
    )
    sys.exit(exit_code(summary))
