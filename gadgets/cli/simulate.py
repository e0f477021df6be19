"""``perfline simulate``: raw MRD files, or series of images, with known truth."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from perfline.gadgets.simulate.scan_recipe import SimulationRecipe
    from perfline.recon.phantom.truth import TruthMaps

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
@click.option(
    "--images",
    type=click.Path(file_okay=False, path_type=Path),
    help="Write images in place of raw data: a BIDS series with M0 and the true maps, into this folder.",
)
@click.option("--name", default="sub-01", show_default=True, help="Entities of --images, such as sub-01_ses-2.")
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
    images: Path | None,
    name: str,
    changes: tuple[str, ...],
    samples: Path | None,
    show_list: bool,
) -> None:
    """Simulate a raw ASL scan of an analytic phantom by the named RECIPE and write it as an MRD file.

    With --images the same scan as images, one value for each region, for `perfline quantify`.

    \b
    perfline simulate --list
    perfline simulate clean --out scan.h5 --set n_pairs=10 --set noise_sd=0.002
    perfline simulate spiral_50hz --out scan.h5 --field-map field.nii.gz
    perfline simulate hadamard --set labels.size=12 --set 'labels.sub_bolus_durations=(0.3,)' --out scan.h5
    perfline simulate multi_delay --images folder

    \b
    EPI:     clean, realistic, bench
    spirals: spiral, spiral_50hz (off-resonance), spiral_dual_echo, spiral_r2 (undersampled),
             stack_of_spirals (segmented 3D), cones, bench_spiral, bench_stack
    labels:  multi_delay, multi_delay_durations (other ones for each delay), multi_delay_arterial
             (blood in arteries too), multi_delay_dispersed, hadamard (time-encoded), vessel_encoded,
             pasl_quipss, pasl_q2tips, pasl_multi_ti, pasl_look_locker, kidney, kidney_multi_delay,
             kidney_fair (pulsed)

    \b
    in any of them:
      arterial_blood_volume, arterial_arrival_time       label that is still in arteries
      dispersion_sharpness, dispersion_time_to_peak      transit times that spread (model=buxton)
      labels.look_locker, flip_angle                     pulsed: all delays after one labelling
      bolus_cut_off_technique=QUIPSS, saturation_time    pulsed: the slices are saturated
    """
    from perfline.gadgets.simulate.change_recipe import change_recipe, describe_recipe
    from perfline.gadgets.simulate.field_map import write_field_map
    from perfline.gadgets.simulate.recipes import RECIPES
    from perfline.gadgets.simulate.samples import write_samples
    from perfline.gadgets.simulate.write_images import write_images
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
    if images is not None:
        if out is not None or truth is not None or field_map is not None:
            raise click.UsageError("--images: expected without --out, --truth and --field-map, which go with raw data")
        for path in write_images(images, name, changed):
            click.echo(str(path))
        return
    path = out or Path(f"{recipe}.h5")
    maps = write_scan(path, changed)
    click.echo(f"{path}: {path.stat().st_size / 1e6:.1f} MB")
    _tell_and_keep_truth(changed, maps, truth)
    if field_map is not None:
        write_field_map(field_map, changed, maps)
        click.echo(str(field_map))


def _tell_and_keep_truth(recipe: "SimulationRecipe", maps: "TruthMaps", path: Path | None) -> None:
    """Say the flow that an ideal scan gives in the tissue of interest, and write the maps if a file is named."""
    import numpy as np

    from perfline.gadgets.simulate.ideal_flow import ideal_flow, is_quantified
    from perfline.gadgets.simulate.true_words import true_words
    from perfline.recon.phantom.brain import TissueClass

    ideal = ideal_flow(recipe, maps) if is_quantified(recipe) else None
    phantom = recipe.phantom
    inside = maps.fractions[phantom.is_class(phantom.reference)].sum(axis=0) >= 0.9
    if inside.any():
        tissue, flow = "grey matter", "CBF"
        if phantom.reference is TissueClass.CORTEX:
            tissue, flow = "cortex", "RBF"
        # what is put in, where no chain gives it back
        images = maps.cbf[np.newaxis] if ideal is None else ideal.cbf
        values = ", ".join(f"{image[inside].mean():.2f}" for image in images)
        click.echo(f"true mean {flow} of {tissue}: {values} mL/100g/min")
    if path is None:
        return
    kept: dict[str, Any] = {
        "cbf": maps.cbf,
        "att": maps.att,
        "m0": maps.m0,
        "regions": maps.regions,
        "off_resonance": maps.off_resonance,
        **true_words(recipe),
    }
    if recipe.arterial_blood_volume:
        kept["abv"] = maps.abv
    if ideal is not None:
        kept["cbf_limited"] = ideal.cbf[0] if len(ideal.cbf) == 1 else ideal.cbf
        limited = {"att_limited": ideal.att, "abv_limited": ideal.abv}
        kept |= {name: image for name, image in limited.items() if image is not None}
    np.savez_compressed(path, **kept)
    click.echo(str(path))
