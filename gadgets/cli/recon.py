"""``perfline recon``: the images of any EPI or spiral file."""

import sys
from pathlib import Path

import click

from perfline.gadgets.cli.options import exit_code, scan_options, spiral_options

__all__ = ["command"]


@click.command("recon")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option(
    "--out", type=click.Path(file_okay=False, path_type=Path), help="Folder for a BIDS tree, MRD images, summary."
)
@click.option("--name", default="sub-01", show_default=True, help="Entities of the scan, such as sub-01_ses-2_run-1.")
@click.option("--overwrite", is_flag=True, help="Replace the files of an earlier scan in the folder.")
@click.option("--montage/--no-montage", default=True, show_default=True, help="Write a PNG montage (extra 'view').")
@click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Override a setting.")
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON, nothing else.")
@spiral_options
def command(
    file: Path,
    out: Path | None,
    name: str,
    overwrite: bool,
    montage: bool,
    overrides: tuple[str, ...],
    as_json: bool,
    trajectory_path: Path | None,
    field_map_path: Path | None,
) -> None:
    """Reconstruct the images of the raw MRD FILE, an EPI or spiral scan of any kind; labelling is ignored."""
    from perfline.gadgets.chain import load_chain
    from perfline.gadgets.cli.run_file import run_file
    from perfline.gadgets.outputs import OutputOptions

    summary = run_file(
        file,
        chain=load_chain(_chain_name(file)),
        options=scan_options(overrides, trajectory_path=trajectory_path, field_map_path=field_map_path),
        paced=None,
        out=out,
        name=name,
        overwrite=overwrite,
        outputs=OutputOptions(with_montage=montage),
        as_json=as_json,
    )
    sys.exit(exit_code(summary))


def _chain_name(file: Path) -> str:
    """Chain for the trajectory that the header declares; what is wrong with the header is for the scan to say."""
    from perfline.gadgets.errors import ScanHeaderError
    from perfline.gadgets.mrd.mrd_header import MrdHeader
    from perfline.gadgets.mrd.stream_file import open_raw

    with open_raw(file) as raw:
        try:
            trajectory = MrdHeader(raw.header_xml()).text("encoding/trajectory") or "epi"
        except ScanHeaderError:
            return "epi"
    return "epi" if trajectory.lower() == "epi" else "spiral"
