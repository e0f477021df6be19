"""Simulated scans as images: a BIDS series with M0, sidecars and the order of volumes, and the truth beside it.

Nothing is encoded here: a pixel shows what is at its centre, so that each pixel of a region obeys the formula of the
region exactly.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from perfline.gadgets.simulate.anatomy import Anatomy
from perfline.gadgets.simulate.asl_words import asl_words
from perfline.gadgets.simulate.field_map import scan_geometry
from perfline.gadgets.simulate.raw_data import scan_truth
from perfline.gadgets.simulate.scan_recipe import SimulationRecipe, VolumeOrder
from perfline.gadgets.simulate.shot_template import kind_signals
from perfline.gadgets.simulate.true_words import true_words
from perfline.gadgets.simulate.volume_plan import planned_volumes
from perfline.gadgets.writers.bids_dataset import describe_datasets
from perfline.gadgets.writers.bids_tree import BidsTree
from perfline.gadgets.writers.json_file import write_json
from perfline.gadgets.writers.nifti import write_nifti
from perfline.gadgets.writers.sink import finished_file, prepare_folder
from perfline.recon.errors import InputError
from perfline.recon.phantom.truth import TruthMaps

__all__ = ["image_volumes", "write_images"]


def image_volumes(recipe: SimulationRecipe, truth: TruthMaps) -> NDArray[np.float32]:
    """Magnitude images of all volumes of a scan, M0 first.

    Parameters
    ----------
    recipe : SimulationRecipe
        Of the readout only the echo time counts (where there is decay), and ``noise_sd``: the deviation of the real and
        of the imaginary part over the M0 of grey matter, or cortex.
    truth : TruthMaps
        Of this recipe.

    Returns
    -------
    float32 array (n_volumes, n_slices, n_y, n_x)
    """
    phantom = recipe.phantom
    weight = np.exp(-recipe.echo_time / phantom.values("t2_star")) if recipe.decay else np.ones(len(phantom.regions))
    images = []
    for number, regions in enumerate(truth.regions):
        signals = kind_signals(recipe, phantom, number) * weight
        # index -1 is air and finds the zero appended at the end
        images.append(np.pad(signals, ((0, 0), (0, 1)))[:, regions])
    kinds = np.stack(images, axis=1)
    deviation = recipe.noise_sd * phantom.values("m0")[phantom.is_class(phantom.reference)].mean()
    volumes = np.empty((len(planned_volumes(recipe)), *truth.regions.shape), np.float32)
    for volume in planned_volumes(recipe):
        rng = np.random.default_rng([recipe.seed, 2, volume.number])
        real, imaginary = deviation * rng.standard_normal((2, *truth.regions.shape))
        volumes[volume.number] = np.hypot(kinds[volume.kind] + real, imaginary)
    return volumes


def write_images(folder: Path, name: str, recipe: SimulationRecipe) -> tuple[Path, ...]:
    """Write a scan as images with its truth, replacing files that are there.

    Parameters
    ----------
    folder : Path
        Root of a BIDS tree; made if it doesn't exist.
    name : str
        Entities of the scan, such as ``sub-01``: see `BidsTree`.
    recipe : SimulationRecipe
        Its ``volume_order`` doesn't count: the order is that of ``NAME_aslcontext.tsv``.

    Returns
    -------
    tuple of Path
        ``NAME_asl.nii.gz`` with sidecar and context, ``NAME_m0scan.nii.gz`` where there are M0 volumes (their mean,
        M0Type Separate); among the derivatives ``NAME_desc-truth_cbf.nii.gz`` (``rbf`` for kidneys),
        ``NAME_desc-truth_att.nii.gz``, ``NAME_desc-trutharterial_cbv.nii.gz`` where there is arterial blood,
        ``NAME_desc-truth_probseg.nii.gz`` (share of each artery) where the phantom has arteries, and the regions as
        ``NAME_desc-regions_dseg.nii.gz`` with their names. The sidecars of the true flow, transit time and blood volume
        have the `true_words`.

    Raises
    ------
    InputError
        No pair.
    ConfigurationError
        A name that is no chain of BIDS entities.
    OutputError
        A file can't be written.
    """
    if not recipe.n_pairs:
        raise InputError("n_pairs: expected at least one for a labelled series, got 0")
    tree = BidsTree(folder, name)
    for one in (tree.raw_folder, tree.derivative_folder):
        prepare_folder(one)
    truth, geometry = scan_truth(recipe), scan_geometry(recipe)
    volumes = image_volumes(recipe, truth)
    series = tree.raw("asl.nii.gz")
    images: dict[Path, NDArray[Any]] = {series: volumes[recipe.n_m0 :]}
    sidecars = {series: _asl_sidecar(recipe)}
    if recipe.n_m0:
        m0 = tree.raw("m0scan.nii.gz")
        images[m0] = volumes[: recipe.n_m0].mean(axis=0, dtype=np.float64).astype(np.float32)
        sidecars[m0] = _m0_sidecar(recipe, tree.uri(series, from_raw=True))
    for end, image, description in _truth_images(recipe, truth):
        path = tree.derivative(f"{end}.nii.gz")
        images[path], sidecars[path] = image, description
    paths = []
    for path, image in images.items():
        paths += [path, path.with_suffix("").with_suffix(".json")]
        write_nifti(path, image, geometry, repetition_time=recipe.repetition_time if path == series else None)
        write_json(paths[-1], sidecars[path])
    kinds = [str(volume.volume_type) for volume in planned_volumes(recipe)[recipe.n_m0 :]]
    paths.append(_write_table(tree.raw("aslcontext.tsv"), ["volume_type", *kinds]))
    regions = [f"{1 + number}\t{region}" for number, region in enumerate(truth.region_names)]
    paths.append(_write_table(tree.derivative("desc-regions_dseg.tsv"), ["index\tname", *regions]))
    return (*paths, *describe_datasets(tree, with_derivatives=True))


def _asl_sidecar(recipe: SimulationRecipe) -> dict[str, Any]:
    """The words of the scan, for a series without M0 volumes."""
    words = asl_words(replace(recipe, n_m0=0, volume_order=VolumeOrder.ASLCONTEXT))
    # the order has a file of its own
    del words["aslcontext"]
    words["M0Type"] = "Separate" if recipe.n_m0 else "Absent"
    words["BackgroundSuppressionNumberPulses"] = recipe.background_suppression_pulses
    words["RepetitionTimePreparation"] = recipe.repetition_time
    if not recipe.labels.matrix:
        words["TotalAcquiredPairs"] = recipe.n_pairs * len(recipe.components)
    return words


def _m0_sidecar(recipe: SimulationRecipe, series: str) -> dict[str, Any]:
    return {
        "IntendedFor": series,
        "RepetitionTimePreparation": recipe.m0_repetition_time,
        "EchoTime": recipe.echo_time,
        "MagneticFieldStrength": recipe.field_strength,
    }


def _truth_images(recipe: SimulationRecipe, truth: TruthMaps) -> list[tuple[str, NDArray[Any], dict[str, Any]]]:
    """End of the name, image and sidecar of each true map."""
    flow = "rbf" if recipe.anatomy is Anatomy.KIDNEY else "cbf"
    words = true_words(recipe)
    images: list[tuple[str, NDArray[Any], dict[str, Any]]] = [
        (f"desc-truth_{flow}", truth.cbf, {"Description": "True blood flow", "Units": "mL/100g/min", **words}),
        ("desc-truth_att", truth.att, {"Description": "True arterial transit time", "Units": "s", **words}),
        ("desc-regions_dseg", (1 + truth.regions).astype(np.int16), {"Description": "Regions of the phantom; 0: air"}),
    ]
    if recipe.arterial_blood_volume:
        description = {"Description": "True arterial blood volume as a fraction of the voxel", "Units": "1"}
        images.append(("desc-trutharterial_cbv", truth.abv, description | words))
    phantom = recipe.phantom
    if phantom.n_arteries:
        shares = np.stack([np.append(phantom.artery_shares(number), 0.0) for number in range(phantom.n_arteries)])
        description = {"Description": "True share of the flow that comes from each artery"}
        images.append(("desc-truth_probseg", shares[:, truth.regions].astype(np.float32), description))
    return images


def _write_table(path: Path, lines: list[str]) -> Path:
    with finished_file(path) as partial:
        partial.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path
