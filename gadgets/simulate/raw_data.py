"""The readouts of a simulated scan, in the order and with the headers that a scanner would give them."""

from collections.abc import Iterator

import ismrmrd
import numpy as np
from numpy.typing import NDArray

from perfline.gadgets.simulate.epi_recipe import EpiRecipe
from perfline.gadgets.simulate.epi_shots import epi_shots
from perfline.gadgets.simulate.scan_recipe import SimulationRecipe, VolumeOrder
from perfline.gadgets.simulate.shot_template import Block, ShotTemplate, blank_headers, mrd_flag
from perfline.gadgets.simulate.spiral_recipe import SpiralEncoding, SpiralRecipe
from perfline.gadgets.simulate.spiral_shots import calibration_shots, spiral_shots
from perfline.gadgets.simulate.volume_plan import PlannedShot, planned_shots
from perfline.recon.errors import InputError
from perfline.recon.parameters import VolumeType
from perfline.recon.phantom.brain import Phantom
from perfline.recon.phantom.disc_limited import KSpaceDisc
from perfline.recon.phantom.field_offset import FieldOffset
from perfline.recon.phantom.noise import correlated_noise, noise_mixing_matrix
from perfline.recon.phantom.truth import TruthMaps, truth_maps

__all__ = ["sampled_disc", "scan_blocks", "scan_truth"]

_TICK = 2.5e-3
"""Unit of MRD time stamps in this project [s], as Siemens has it."""

_START_OF_SCAN = 9 * 3600.0
"""Time of day of the first readout [s]."""


def scan_truth(recipe: SimulationRecipe) -> TruthMaps:
    """Give what a perfect scan by this recipe would show.

    Parameters
    ----------
    recipe : SimulationRecipe

    Returns
    -------
    TruthMaps
        Band-limited images are weighted with T2* at the echo time where the recipe has decay; the decay along the
        readout is not in them, nor are off-resonance, partial Fourier and shift. Those of spirals are limited to the
        disc of k-space within the radius of the spirals, in all partitions of a stack; to a ball for cones. Of several
        delays ``delta_m_limited`` and ``cbf_limited`` are those of the longest; see `ideal_flow` for what all of them
        give.
    """
    field = recipe.spiral.field if isinstance(recipe, SpiralRecipe) else FieldOffset(recipe.off_resonance)
    return truth_maps(
        recipe.phantom,
        recipe.slice_positions,
        recipe.series,
        recipe.phase_axis,
        recipe.readout_axis,
        echo_time=recipe.echo_time if recipe.decay else 0.0,
        n_subpixels=8 if recipe.partition_axis is None else 4,
        partition_axis=recipe.partition_axis,
        disc=sampled_disc(recipe),
        field=field,
    )


def sampled_disc(recipe: SimulationRecipe) -> KSpaceDisc | None:
    """What a spiral samples of k-space; None for EPI, which samples all points of its matrix."""
    if isinstance(recipe, SpiralRecipe):
        return KSpaceDisc(recipe.max_radius, is_ball=recipe.encoding is SpiralEncoding.CONES)
    return None


def scan_blocks(recipe: SimulationRecipe) -> Iterator[Block]:
    """Play a scan, one block for the noise readouts and one for each shot of each volume.

    Parameters
    ----------
    recipe : SimulationRecipe

    Yields
    ------
    Block
        In the order of acquisition: noise, calibration, volumes. The same recipe gives the same values; each block has
        random numbers of its own, so that they don't change when the series gets longer.
    """
    phantom = recipe.phantom
    mixing = noise_mixing_matrix(recipe.n_coils, recipe.noise_correlation)
    deviation = _raw_noise_deviation(recipe, phantom)
    counter = 1
    if recipe.n_noise_readouts:
        # the receiver's filter takes part of the noise of the wider band of the noise readouts
        band = recipe.relative_noise_bandwidth * recipe.dwell_time / recipe.noise_dwell_time
        rng = np.random.default_rng([recipe.seed, 0, 0])
        sizes = (recipe.n_noise_readouts, recipe.n_noise_samples)
        noise = correlated_noise(rng, mixing, deviation * np.sqrt(band), *sizes)
        yield Block(_noise_headers(recipe), noise, np.empty((*sizes, 0), np.float32))
        counter += recipe.n_noise_readouts
    templates, calibration = _templates(recipe, phantom)
    for number, template in enumerate(calibration):
        rng = np.random.default_rng([recipe.seed, 0, 1 + number])
        heads = _numbered(template, counter, number * recipe.m0_repetition_time + recipe.preparation_time)
        counter += heads.size
        yield Block(heads, _samples(recipe, rng, template, 0, mixing, deviation), template.trajectory)
    shots = planned_shots(recipe, len(calibration) * recipe.m0_repetition_time)
    for plan in shots:
        rng = np.random.default_rng([recipe.seed, 1 + plan.volume.number, plan.shot])
        template = templates[plan.shot]
        samples = _samples(recipe, rng, template, plan.volume.kind, mixing, deviation)
        heads = _volume_headers(recipe, plan, template, counter, is_last=plan is shots[-1])
        counter += heads.size
        yield Block(heads, samples, template.trajectory)


def _templates(recipe: SimulationRecipe, phantom: Phantom) -> tuple[tuple[ShotTemplate, ...], tuple[ShotTemplate, ...]]:
    """Shots of a volume and of the calibration.

    All volumes of a kind (M0, or a place in the block) are alike, so that the phantom is evaluated once and not per
    volume.
    """
    if isinstance(recipe, EpiRecipe):
        return epi_shots(recipe, phantom), ()
    if isinstance(recipe, SpiralRecipe):
        return spiral_shots(recipe, phantom), calibration_shots(recipe, phantom)
    raise InputError(f"recipe: expected an EPI or spiral scan, got {type(recipe).__name__}")


def _raw_noise_deviation(recipe: SimulationRecipe, phantom: Phantom) -> float:
    """Deviation of raw samples that gives ``noise_sd`` in an image.

    More samples than encoded points average their noise; on the ramps, and where the density of samples is uneven, this
    is only nearly so.
    """
    tissue = phantom.values("m0")[phantom.is_class(phantom.reference)].mean()
    n_per_point = recipe.n_samples / recipe.readout_axis.n_encoded
    if isinstance(recipe, SpiralRecipe):
        n_per_point = recipe.samples_per_point
    return float(recipe.noise_sd * tissue * np.sqrt(n_per_point))


def _samples(
    recipe: SimulationRecipe,
    rng: np.random.Generator,
    template: ShotTemplate,
    kind: int,
    mixing: NDArray[np.complex128],
    deviation: float,
) -> NDArray[np.complex64]:
    """Samples of one shot of one volume, with the phase of its slices and with noise."""
    samples = _with_jitter(recipe, rng, template.images[kind], template.n_excited)
    if deviation:
        samples = samples + correlated_noise(rng, mixing, deviation, samples.shape[0], recipe.n_samples)
    return samples


def _with_jitter(
    recipe: SimulationRecipe, rng: np.random.Generator, samples: NDArray[np.complex64], n_excited: int
) -> NDArray[np.complex64]:
    """Turn the phase of each slice, as the field drifts with the breath."""
    if not recipe.phase_jitter:
        return samples
    phase = recipe.phase_jitter * rng.standard_normal(n_excited)
    turned = samples.reshape(n_excited, -1, *samples.shape[1:]) * np.exp(1j * phase)[:, None, None, None]
    return turned.reshape(samples.shape).astype(np.complex64)


def _noise_headers(recipe: SimulationRecipe) -> NDArray[np.void]:
    """Headers of the noise readouts, a second before the scan."""
    n_samples = recipe.n_noise_samples
    heads = blank_headers(recipe, recipe.n_noise_readouts, n_samples, recipe.noise_dwell_time, n_samples // 2)
    heads["flags"] = mrd_flag(ismrmrd.ACQ_IS_NOISE_MEASUREMENT)
    heads["scan_counter"] = 1 + np.arange(heads.size)
    heads["acquisition_time_stamp"] = _ticks(np.full(heads.size, -1.0))
    return heads


def _numbered(template: ShotTemplate, counter: int, first_excitation: float) -> NDArray[np.void]:
    """Headers of a shot at its place in the scan."""
    heads = template.heads.copy()
    heads["scan_counter"] = counter + np.arange(heads.size)
    heads["acquisition_time_stamp"] = _ticks(first_excitation + template.times)
    return heads


def _volume_headers(
    recipe: SimulationRecipe, plan: PlannedShot, template: ShotTemplate, counter: int, *, is_last: bool
) -> NDArray[np.void]:
    """Headers of one shot of one volume."""
    # the slices of an M0 volume come at the end of its repetition too, so that their spacing is the same
    preparation = recipe.preparation_time
    if plan.volume.kind:
        preparation = recipe.preparation_time_of(recipe.components[recipe.block[plan.volume.kind - 1].phase])
    heads = _numbered(template, counter, plan.start + preparation)
    heads["idx"]["repetition"] = plan.volume.repetition
    heads["idx"]["set"] = plan.volume.set
    heads["idx"]["phase"] = plan.volume.phase
    if plan.shot == recipe.n_shots - 1:
        heads["flags"][-1] |= mrd_flag(ismrmrd.ACQ_LAST_IN_REPETITION)
        if is_last:
            heads["flags"][-1] |= mrd_flag(ismrmrd.ACQ_LAST_IN_MEASUREMENT)
    is_m0 = plan.volume.volume_type is VolumeType.M0SCAN
    if is_m0 and recipe.volume_order in (VolumeOrder.SET, VolumeOrder.BOTH):
        heads["flags"] |= mrd_flag(ismrmrd.ACQ_USER1)
    return heads


def _ticks(times: NDArray[np.float64]) -> NDArray[np.uint32]:
    """From seconds after the start of the scan to time stamps."""
    # a nanosecond on top: whole ticks must not fall to the tick before
    return np.floor((_START_OF_SCAN + times + 1e-9) / _TICK).astype(np.uint32)
