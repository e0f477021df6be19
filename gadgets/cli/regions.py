"""``perfline regions``: blood flow of the regions of a label image."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from perfline.recon.asl.regions import RegionStatistics

__all__ = ["command"]

_FILE = click.Path(dir_okay=False, path_type=Path)


@click.command("regions")
@click.argument("cbf", type=_FILE)
@click.option("--regions", "regions_path", type=_FILE, required=True, help="Label image on the grid of CBF, NIfTI.")
@click.option("--names", "names_path", type=_FILE, help="Table of the labels (BIDS *_dseg.tsv: index, name).")
@click.option("--mask", "mask_path", type=_FILE, help="Voxels where it is 0 don't count, NIfTI on the same grid.")
@click.option("--pairs", metavar="LEFT=RIGHT,...", help="Regions that mirror each other, by name or label.")
@click.option("--norm", "norm_path", type=_FILE, help="Table of a reference group: name, mean, standard_deviation.")
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), help="Folder for the table as TSV and JSON.")
@click.option("--name", help="Start of the files' names; default: that of CBF.")
@click.option("--overwrite", is_flag=True, help="Replace earlier files.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON, nothing else.")
def command(
    cbf: Path,
    regions_path: Path,
    names_path: Path | None,
    mask_path: Path | None,
    pairs: str | None,
    norm_path: Path | None,
    out: Path | None,
    name: str | None,
    overwrite: bool,
    as_json: bool,
) -> None:
    """Mean blood flow of each region of the map CBF (NIfTI).

    Columns: label, name, mean, standard_deviation, median (unit of CBF), n_voxels, n_left_out (NaN, or outside
    --mask). With --pairs the asymmetry index 200 (left - right)/(left + right) in %, positive where the left has more;
    with --norm the z-score of each mean: its distance from the mean of the group over the standard deviation BETWEEN
    the subjects of the group.

    \b
    cd out/derivatives/perfline/sub-01/perf
    perfline regions sub-01_cbf.nii.gz --regions labels.nii.gz --mask sub-01_desc-brain_mask.nii.gz \\
        --pairs 'left hippocampus=right hippocampus' --norm norm.tsv --out regions
    """
    from perfline.gadgets.replay.flow_file import read_flow, read_regions_on, statistics_by_name, zero_regions
    from perfline.gadgets.replay.norm_file import read_norm
    from perfline.gadgets.replay.region_pairs import read_pairs
    from perfline.gadgets.writers.json_file import plain_value
    from perfline.gadgets.writers.table import format_table

    flow = read_flow(cbf, mask_path)
    regions = read_regions_on(flow, regions_path, names_path)
    statistics = statistics_by_name(flow, regions)
    norm = {} if norm_path is None else read_norm(norm_path)
    rows = _rows(statistics, norm)
    asymmetries = _asymmetries(statistics, [] if pairs is None else read_pairs(pairs, regions.names))
    result: dict[str, Any] = {
        "Map": str(cbf),
        "Units": flow.unit,
        "Regions": rows,
        "Asymmetry": asymmetries,
        "Warnings": _warnings(zero_regions(flow, regions), norm, statistics),
    }
    if out is not None:
        _write(out, name or flow.name, result, overwrite=overwrite)
    if as_json:
        print(json.dumps(plain_value(result)))
        return
    click.echo(f"{cbf} [{flow.unit}]")
    click.echo(format_table(rows))
    if asymmetries:
        click.echo(f"\nasymmetry index\n{format_table(asymmetries)}")
    for warning in result["Warnings"]:
        click.echo(f"warning: {warning}", err=True)


def _rows(statistics: "dict[str, RegionStatistics]", norm: dict[str, dict[str, float]]) -> list[dict[str, Any]]:
    from perfline.recon.asl.regions import z_score

    rows = []
    for name, one in statistics.items():
        row: dict[str, Any] = {
            "label": one.label,
            "name": name,
            "mean": one.mean,
            "standard_deviation": one.standard_deviation,
            "median": one.median,
            "n_voxels": one.n_voxels,
            "n_left_out": one.n_left_out,
        }
        if norm:
            row["z_score"] = z_score(one.mean, norm[name]) if name in norm else None
        rows.append(row)
    return rows


def _asymmetries(statistics: "dict[str, RegionStatistics]", pairs: list[tuple[str, str]]) -> list[dict[str, Any]]:
    from perfline.recon.asl.regions import asymmetry_index

    return [
        {
            "left": left,
            "right": right,
            "asymmetry_index": asymmetry_index(statistics[left].mean, statistics[right].mean),
        }
        for left, right in pairs
    ]


def _warnings(
    zeros: tuple[str, ...], norm: dict[str, dict[str, float]], statistics: "dict[str, RegionStatistics]"
) -> list[str]:
    warnings = []
    if zeros:
        warnings.append(
            f"{', '.join(zeros)}: more than 5 % of the voxels are exactly 0, as outside a head: give --mask to leave"
            " them out"
        )
    if norm and (without := [name for name in statistics if name not in norm]):
        warnings.append(f"{', '.join(without)}: not in the table of the reference group, no z-score")
    return warnings


def _write(out: Path, name: str, result: dict[str, Any], *, overwrite: bool) -> None:
    from perfline.gadgets.writers.json_file import write_json
    from perfline.gadgets.writers.sink import claim_files, prepare_folder
    from perfline.gadgets.writers.table import write_table

    paths = {end: out / f"{name}_{end}" for end in ("regions.tsv", "asymmetry.tsv", "regions.json")}
    prepare_folder(out)
    claim_files(paths.values(), overwrite)
    write_table(paths["regions.tsv"], result["Regions"])
    if result["Asymmetry"]:
        write_table(paths["asymmetry.tsv"], result["Asymmetry"])
    write_json(paths["regions.json"], result)
