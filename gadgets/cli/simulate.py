"""``perfline simulate``: raw MRD files with known truth."""

from pathlib import Path

import click

__all__ = ["command"]


@click.command("simulate")
@click.argument("recipe", required=False)
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="File to write; default RECIPE.h5.")
@click.option("--truth", type=click.Path(dir_okay=False, path_type=Path), help="Also write the true maps, as .npz.")
@click.option(
    "--field-map",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Also write the true off-resonance [Hz] on the grid of the images, as .nii or .nii.gz.",
)
@click.option("--set", "changes", multiple=True, metavar="KEY=VALUE", help="Change one option of the recipe.")
@click.option(
    "--samples", type=click.Path(file_okay=False, path_type=Path), help="Write all sample files into this folder."
)
@click.option("--list", "show_list", is_flag=True, help="List the recipes and their options.")
def command(
    recipe: str | None,
    out: Path | None,
    truth: Path | None,
    field_map: Path | None,
    changes: tuple[str, ...],
    samples: Path | None,
    show_list: bool,
) -> None:
    """Simulate a raw ASL scan of the analytic phantom by the named RECIPE and write it as an MRD file.

    \b
    perfline simulate --list
    perfline simulate clean --out scan.h5 --set n_pairs=10 --set noise_sd=0.002
    perfline simulate spiral_50hz --out scan.h5 --field-map field.nii.gz

    \b
    EPI:     clean, realistic, bench
    spirals: spiral, spiral_50hz (off-resonance), spiral_dual_echo, spiral_r2 (undersampled),
             stack_of_spirals (segmented 3D), cones, bench_spiral, bench_stack
    """
    from perfline.gadgets.simulate.change_recipe import change_recipe, describe_recipe
    from perfline.gadgets.simulate.field_map import write_field_map
    from perfline.gadgets.simulate.recipes import RECIPES
    from perfline.gadgets.simulate.samples import write_samples
    from perfline.gadgets.simulate.write_mrd import write_scan

    if show_list:
        for name, entry in RECIPES.items():
            click.echo(f"{name}\n{describe_recipe(entry)}")
        return
    if samples is not None:
        samples.mkdir(parents=True, exist_ok=True)
        write_samples(samples)
        click.echo(f"sample files are in {samples}")
        return
    if recipe is None or recipe not in RECIPES:
        raise click.UsageError(f"RECIPE: expected one of {', '.join(RECIPES)}, got {recipe or 'none'}")
    if field_map is not None and not field_map.name.endswith((".nii", ".nii.gz")):
        raise click.UsageError(f"--field-map: expected .nii or .nii.gz, got {field_map}")
    changed = change_recipe(RECIPES[recipe], changes)
    path = out or Path(f"{recipe}.h5")
    maps = write_scan(path, changed)
    click.echo(f"{path}: {path.stat().st_size / 1e6:.1f} MB")
    grey = maps.grey_matter()
    click.echo(f"true mean CBF of grey matter: {maps.cbf_limited[grey].mean():.2f} mL/100g/min")
    if truth is not None:
        import numpy as np

        np.savez_compressed(
            truth,
            cbf=maps.cbf,
            att=maps.att,
            m0=maps.m0,
            regions=maps.regions,
            cbf_limited=maps.cbf_limited,
            off_resonance=maps.off_resonance,
        )
        click.echo(str(truth))
    if field_map is not None:
        write_field_map(field_map, changed, maps)
        click.echo(str(field_map))
