"""``perfline quantify``: blood flow of a labelled series that is already images."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from perfline.gadgets.cli.options import RegionFiles, exit_code, key_values, region_options, scan_options

if TYPE_CHECKING:
    from perfline.gadgets.replay.nifti_scan import NiftiScan
    from perfline.gadgets.writers.sink import Sink

__all__ = ["command"]

_FILE = click.Path(dir_okay=False, path_type=Path)


@click.command("quantify")
@click.argument("file", metavar="NIFTI", type=_FILE)
@click.option("--sidecar", type=_FILE, help="BIDS *_asl.json; default: the one beside the NIfTI file.")
@click.option("--m0", "m0_path", type=_FILE, help="M0 of another file; default: NAME_m0scan beside NAME_asl.")
@click.option(
    "--aslcontext",
    metavar="LIST",
    help="Volume types in order, where no *_aslcontext.tsv tells: 'm0scan,(label,control)*48'.",
)
@click.option(
    "--define",
    "definitions",
    multiple=True,
    metavar="KEY=VALUE",
    help="A parameter by its BIDS name, in BIDS units, above the sidecar: LabelingDuration=1.4, M0Type=Separate,"
    " 'PostLabelingDelay=0,(0.5*2,1.0*2)*8' (one for each volume).",
)
@click.option(
    "--assume-unit",
    "units",
    multiple=True,
    metavar="KEY=UNIT",
    help="A time of the sidecar (that of M0 too) is not in seconds: RepetitionTimePreparation=ms; of M0 alone:"
    " M0.RepetitionTimePreparation=ms.",
)
@click.option(
    "--out", type=click.Path(file_okay=False, path_type=Path), help="Folder for a BIDS tree, montage, summary."
)
@click.option(
    "--name",
    help="Entities of the scan, such as sub-01_ses-2_run-1; default: those of the input's name, else sub-01.",
)
@click.option("--overwrite", is_flag=True, help="Replace the files of an earlier run in the folder.")
@click.option("--montage/--no-montage", default=True, show_default=True, help="Write a PNG montage (extra 'view').")
@click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Override a setting.")
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON, nothing else.")
@region_options
def command(
    file: Path,
    sidecar: Path | None,
    m0_path: Path | None,
    aslcontext: str | None,
    definitions: tuple[str, ...],
    units: tuple[str, ...],
    out: Path | None,
    name: str | None,
    overwrite: bool,
    montage: bool,
    overrides: tuple[str, ...],
    as_json: bool,
    region_files: RegionFiles,
) -> None:
    """Quantify the magnitude series NIFTI (NAME_asl.nii.gz, with its BIDS sidecar and aslcontext) pair by pair.

    Subtraction, M0, blood flow and, with several delays, transit time come from the stages of a live scan. What the
    files don't tell is asked for by name; nothing is guessed, vendor scale factors included. With both tissue maps and
    --out the flow of each tissue is written too, corrected for partial volume.

    \b
    perfline quantify sub-01/perf/sub-01_asl.nii.gz --out out
    perfline quantify scan.nii.gz --m0 m0.nii.gz --aslcontext '(label,control)*51' \\
        --assume-unit RepetitionTimePreparation=ms --out out
    """
    from perfline.gadgets.cli.run_file import run_session
    from perfline.gadgets.replay.nifti_file import nifti_stem
    from perfline.gadgets.replay.nifti_scan import IMAGE_CHAIN, Declarations, read_nifti_scan
    from perfline.gadgets.replay.repeated_list import read_repeated_list
    from perfline.gadgets.replay.sidecar_changes import read_definitions, read_units
    from perfline.gadgets.writers.bids_tree import name_from_stem

    declared = Declarations(
        sidecar_path=sidecar,
        m0_path=m0_path,
        aslcontext=None if aslcontext is None else read_repeated_list(aslcontext, "--aslcontext"),
        definitions=read_definitions(definitions),
        units=read_units(units),
    )
    side = scan_options((), region_files=region_files).side
    scan = read_nifti_scan(file, declared, key_values(overrides), side)
    sinks: list[Sink] = []
    if out is not None:
        sinks = _sinks(out, name or name_from_stem(nifti_stem(file)), scan, overwrite=overwrite, montage=montage)
    summary = run_session(
        scan.session, str(file), chain=IMAGE_CHAIN, options=scan.options, sinks=sinks, as_json=as_json
    )
    sys.exit(exit_code(summary))


def _sinks(out: Path, name: str, scan: "NiftiScan", *, overwrite: bool, montage: bool) -> list["Sink"]:
    """Those of a scan, but that of MRD images; with tissue maps the corrected flow too."""
    from perfline.gadgets.errors import ConfigurationError
    from perfline.gadgets.outputs import OutputOptions, output_sinks
    from perfline.gadgets.replay.nifti_scan import IMAGE_CHAIN
    from perfline.gadgets.writers.bids_tree import BidsTree
    from perfline.gadgets.writers.tissue_flow_sink import TissueFlowSink

    tree = BidsTree(out, name)
    folders = [folder.resolve() for folder in (tree.raw_folder, tree.derivative_folder)]
    for path in scan.inputs:
        # names of outputs are those of inputs: --overwrite would remove what is to be read
        if path.resolve().parent in folders and path.name.startswith(f"{name}_"):
            raise ConfigurationError(f"--out {out}: {path.name} is an input: choose another folder or --name")
    others, tissues = [], scan.options.side.tissues
    if tissues is not None:
        settings = IMAGE_CHAIN.settings(scan.options.overrides)
        others.append(TissueFlowSink(out, name, tissues, settings, overwrite=overwrite))
    heading = scan.inputs[0].name
    return list(
        output_sinks(
            out,
            name,
            OutputOptions(with_montage=montage, with_mrd=False),
            overwrite=overwrite,
            heading=heading,
            others=others,
        )
    )
