"""``perfline compare``: two maps of blood flow over the regions of a label image."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from perfline.gadgets.replay.flow_file import FlowMap
    from perfline.recon.asl.agreement import Agreement

__all__ = ["command"]

_FILE = click.Path(dir_okay=False, path_type=Path)


@click.command("compare")
@click.argument("a", type=_FILE)
@click.argument("b", type=_FILE)
@click.option("--regions", "regions_path", type=_FILE, required=True, help="Label image on the same grid, NIfTI.")
@click.option("--names", "names_path", type=_FILE, help="Table of the labels (BIDS *_dseg.tsv: index, name).")
@click.option("--mask", "mask_path", type=_FILE, help="Voxels where it is 0 don't count, NIfTI on the same grid.")
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), help="Folder for comparison.tsv, .json, .png.")
@click.option("--plot/--no-plot", "with_plot", default=True, show_default=True, help="Draw the PNG (extra 'view').")
@click.option("--overwrite", is_flag=True, help="Replace earlier files.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON, nothing else.")
def command(
    a: Path,
    b: Path,
    regions_path: Path,
    names_path: Path | None,
    mask_path: Path | None,
    out: Path | None,
    with_plot: bool,
    overwrite: bool,
    as_json: bool,
) -> None:
    """Compare two maps of blood flow, the reference A (such as PET) and B (such as ASL), on one grid.

    Means of each region over the voxels that both have; then B = slope A + intercept by least squares, the correlation
    r, and after Bland and Altman the bias, mean of B - A, with the limits that hold 95 % of the differences.

    \b
    perfline compare pet_cbf.nii.gz sub-01_cbf.nii.gz --regions dseg.nii.gz --out out
    """
    from perfline.gadgets.errors import ConfigurationError
    from perfline.gadgets.replay.flow_file import read_flow, read_regions_on, zero_regions
    from perfline.gadgets.replay.same_grid import check_same_grid
    from perfline.gadgets.writers.extras import require
    from perfline.gadgets.writers.json_file import plain_value
    from perfline.recon.asl.agreement import agreement

    if out is not None and with_plot:
        require("plot (--no-plot to do without)", "view", "matplotlib")
    flow_a, flow_b = read_flow(a, mask_path), read_flow(b, mask_path)
    check_same_grid(flow_b.grid, flow_a.grid)
    regions = read_regions_on(flow_a, regions_path, names_path)
    rows, left_out = _region_means(flow_a, flow_b, regions)
    if len(rows) < 3:
        raise ConfigurationError(f"regions: expected three or more with voxels of both maps, got {len(rows)}")
    found = agreement([row["mean_a"] for row in rows], [row["mean_b"] for row in rows])
    zeros = sorted({*zero_regions(flow_a, regions), *zero_regions(flow_b, regions)})
    result: dict[str, Any] = {
        "A": str(a),
        "B": str(b),
        "Units": {"A": flow_a.unit, "B": flow_b.unit},
        "Agreement": asdict(found),
        "Regions": rows,
        "RegionsLeftOut": left_out,
        "Warnings": _warnings(flow_a, flow_b, zeros, left_out),
    }
    if out is not None:
        _write(out, result, found, (flow_a, flow_b), with_plot=with_plot, overwrite=overwrite)
    if as_json:
        print(json.dumps(plain_value(result)))
        return
    _show(result, found)


def _region_means(flow_a: "FlowMap", flow_b: "FlowMap", regions: Any) -> tuple[list[dict[str, Any]], list[str]]:
    """Means over the voxels that both maps have, and the names of regions without any."""
    from dataclasses import replace

    import numpy as np

    from perfline.gadgets.replay.flow_file import statistics_by_name

    both = np.isfinite(flow_a.flow) & np.isfinite(flow_b.flow)
    nan = np.float32(np.nan)
    of_a, of_b = (
        statistics_by_name(replace(one, flow=np.where(both, one.flow, nan)), regions) for one in (flow_a, flow_b)
    )
    rows = [
        {
            "label": one.label,
            "name": name,
            "mean_a": one.mean,
            "mean_b": of_b[name].mean,
            "difference": of_b[name].mean - one.mean,
            "n_voxels": one.n_voxels,
            "n_left_out": one.n_left_out,
        }
        for name, one in of_a.items()
        if one.n_voxels
    ]
    return rows, [name for name, one in of_a.items() if not one.n_voxels]


def _warnings(flow_a: "FlowMap", flow_b: "FlowMap", zeros: list[str], left_out: list[str]) -> list[str]:
    warnings = []
    if flow_a.unit != flow_b.unit:
        warnings.append(f"the units of the two sidecars differ: {flow_a.unit} and {flow_b.unit} (? is no sidecar)")
    if zeros:
        warnings.append(
            f"{', '.join(zeros)}: more than 5 % of the voxels are exactly 0, as outside a head: give --mask to leave"
            " them out"
        )
    if left_out:
        warnings.append(f"{', '.join(left_out)}: no voxel that both maps have")
    return warnings


def _write(
    out: Path,
    result: dict[str, Any],
    found: "Agreement",
    flows: "tuple[FlowMap, FlowMap]",
    *,
    with_plot: bool,
    overwrite: bool,
) -> None:
    from perfline.gadgets.writers.agreement_plot import write_agreement_plot
    from perfline.gadgets.writers.json_file import write_json
    from perfline.gadgets.writers.sink import claim_files, prepare_folder
    from perfline.gadgets.writers.table import write_table

    prepare_folder(out)
    paths = {end: out / f"comparison.{end}" for end in ("tsv", "json", "png")}
    claim_files(paths.values(), overwrite)
    rows = result["Regions"]
    write_table(paths["tsv"], rows)
    write_json(paths["json"], result)
    if with_plot:
        means = [row["mean_a"] for row in rows], [row["mean_b"] for row in rows]
        write_agreement_plot(paths["png"], *means, found, (flows[0].name, flows[1].name), flows[0].unit)


def _show(result: dict[str, Any], found: "Agreement") -> None:
    from perfline.gadgets.writers.table import format_table

    click.echo(f"A {result['A']} [{result['Units']['A']}]\nB {result['B']} [{result['Units']['B']}]")
    click.echo(format_table(result["Regions"]))
    slope = f"{found.slope:.4g} ± {found.slope_error:.2g}"
    intercept = f"{found.intercept:.4g} ± {found.intercept_error:.2g}"
    click.echo(f"\nB = ({slope}) A + ({intercept}), r = {found.r:.4f}, {found.n} regions")
    click.echo(f"bias (B - A) {found.bias:.4g}, limits of agreement {found.lower_limit:.4g} to {found.upper_limit:.4g}")
    for warning in result["Warnings"]:
        click.echo(f"warning: {warning}", err=True)
