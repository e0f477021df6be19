"""The readouts of a simulated scan, in the order and with the headers that a scanner would give them."""

from collections.abc import Iterator

import ismrmrd
import numpy as np
from ismrmrd.hdf5 import acquisition_header_dtype
from numpy.typing import NDArray

from perfline.gadgets.simulate.recipes import SimulationRecipe, VolumeOrder, slice_directions
from perfline.gadgets.simulate.volume_plan import PlannedVolume, planned_volumes
from perfline.recon.parameters import VolumeType
from perfline.recon.phantom.asl_series import slice_signals
from perfline.recon.phantom.brain import Phantom, TissueClass, brain_phantom
from perfline.recon.phantom.noise import correlated_noise, noise_mixing_matrix
from perfline.recon.phantom.readouts import EpiSchedule, epi_kspace, epi_schedule
from perfline.recon.phantom.sensitivities import ring_of_coils
from perfline.recon.phantom.truth import TruthMaps, truth_maps

__all__ = ["Block", "scan_blocks", "scan_truth"]

Block = tuple[NDArray[np.void], NDArray[np.complex64]]
"""Consecutive readouts: MRD acquisition headers (n_readouts,) and samples (n_readouts, n_coils, n_samples)."""

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
        Band-limited images are weighted with T2* at the echo time where the recipe has decay; the decay along the train
        is not in them, nor are off-resonance, partial Fourier and shift.
    """
    return truth_maps(
        brain_phantom(),
        recipe.slice_positions,
        recipe.series,
        recipe.phase_axis,
        recipe.readout_axis,
        echo_time=recipe.echo_time if recipe.decay else 0.0,
    )


def scan_blocks(recipe: SimulationRecipe) -> Iterator[Block]:
    """Play a scan, one block for the noise readouts and one for each shot of each volume.

    Parameters
    ----------
    recipe : SimulationRecipe

    Yields
    ------
    Block
        In the order of acquisition. The same recipe gives the same values; each block has random numbers of its own, so
        that they don't change when the series gets longer.
    """
    phantom = brain_phantom()
    mixing = noise_mixing_matrix(recipe.n_coils, recipe.noise_correlation)
    deviation = _raw_noise_deviation(recipe, phantom)
    counter = 1
    if recipe.n_noise_readouts:
        # the receiver's filter takes part of the noise of the wider band of the noise readouts
        band = recipe.relative_noise_bandwidth * recipe.dwell_time / recipe.noise_dwell_time
        rng = np.random.default_rng([recipe.seed, 0, 0])
        sizes = (recipe.n_noise_readouts, recipe.n_noise_samples)
        yield _noise_headers(recipe), correlated_noise(rng, mixing, deviation * np.sqrt(band), *sizes)
        counter += recipe.n_noise_readouts
    contrasts = _contrasts(recipe, phantom)
    volumes = planned_volumes(recipe)
    for number, volume in enumerate(volumes):
        for shot, contrast in enumerate(contrasts[volume.volume_type]):
            rng = np.random.default_rng([recipe.seed, 1 + number, shot])
            samples = _with_jitter(recipe, rng, contrast)
            if deviation:
                samples = samples + correlated_noise(rng, mixing, deviation, samples.shape[0], recipe.n_samples)
            heads = _volume_headers(recipe, volume, shot, counter, is_last=number == len(volumes) - 1)
            counter += heads.size
            yield heads, samples


def _raw_noise_deviation(recipe: SimulationRecipe, phantom: Phantom) -> float:
    """Deviation of raw samples that gives ``noise_sd`` in an image.

    More samples than encoded points average their noise; on the ramps this is only nearly so.
    """
    grey_matter = phantom.values("m0")[phantom.is_class(TissueClass.GREY_MATTER)].mean()
    return float(recipe.noise_sd * grey_matter * np.sqrt(recipe.n_samples / recipe.readout_axis.n_encoded))


def _contrasts(recipe: SimulationRecipe, phantom: Phantom) -> dict[VolumeType, list[NDArray[np.complex64]]]:
    """Noise-free samples of each kind of volume and shot, (n_readouts, n_coils, n_samples), slices as excited.

    All volumes of a kind are alike, so that the phantom is evaluated once and not per volume.
    """
    kinds = (VolumeType.M0SCAN, VolumeType.CONTROL, VolumeType.LABEL)
    raw: dict[VolumeType, list[NDArray[np.complex64]]] = {kind: [] for kind in kinds}
    for shot in range(recipe.n_shots):
        slices = []
        for number in recipe.slice_order:
            z = recipe.slice_positions[number]
            signals = slice_signals(phantom, recipe.series, number)
            images = np.stack([signals.m0, signals.static, signals.static - signals.delta_m])
            coils = ring_of_coils(recipe.n_coils, z)
            slices.append(epi_kspace(recipe.epi, phantom, phantom.cut(z), coils, images, shot).astype(np.complex64))
        for kind, samples in zip(kinds, np.concatenate(slices, axis=1), strict=True):
            raw[kind].append(samples)
    return raw


def _with_jitter(
    recipe: SimulationRecipe, rng: np.random.Generator, samples: NDArray[np.complex64]
) -> NDArray[np.complex64]:
    """Turn the phase of each slice, as the field drifts with the breath."""
    if not recipe.phase_jitter:
        return samples
    phase = recipe.phase_jitter * rng.standard_normal(recipe.n_slices)
    turned = samples.reshape(recipe.n_slices, -1, *samples.shape[1:]) * np.exp(1j * phase)[:, None, None, None]
    return turned.reshape(samples.shape).astype(np.complex64)


def _flag(number: int) -> np.uint64:
    """MRD flags count from 1."""
    return np.uint64(1 << (number - 1))


def _noise_headers(recipe: SimulationRecipe) -> NDArray[np.void]:
    """Headers of the noise readouts, a second before the scan."""
    heads = _blank_headers(recipe, recipe.n_noise_readouts, recipe.n_noise_samples, recipe.noise_dwell_time)
    heads["flags"] = _flag(ismrmrd.ACQ_IS_NOISE_MEASUREMENT)
    heads["scan_counter"] = 1 + np.arange(heads.size)
    heads["acquisition_time_stamp"] = _ticks(np.full(heads.size, -1.0))
    return heads


def _volume_headers(
    recipe: SimulationRecipe, volume: PlannedVolume, shot: int, counter: int, *, is_last: bool
) -> NDArray[np.void]:
    """Headers of one shot of one volume."""
    schedule = epi_schedule(recipe.epi, shot)
    heads = _blank_headers(recipe, recipe.n_slices * schedule.lines.size, recipe.n_samples, recipe.dwell_time)
    heads["scan_counter"] = counter + np.arange(heads.size)
    heads["idx"]["repetition"] = volume.repetition
    heads["idx"]["set"] = volume.set
    heads["idx"]["segment"] = shot
    is_m0 = volume.volume_type is VolumeType.M0SCAN
    repetition_time = recipe.m0_repetition_time if is_m0 else recipe.repetition_time
    # the slices of an M0 volume come at the end of its repetition too, so that their spacing is the same
    first_excitation = volume.start + shot * repetition_time + recipe.preparation_time
    directions = slice_directions(recipe)
    for rank, number in enumerate(recipe.slice_order):
        part = heads[rank * schedule.lines.size : (rank + 1) * schedule.lines.size]
        _fill_slice(recipe, part, schedule, shot)
        part["idx"]["slice"] = number
        part["position"] = np.asarray(recipe.position) + recipe.slice_positions[number] * directions[2]
        part["acquisition_time_stamp"] = _ticks(first_excitation + recipe.slice_timing[number] + schedule.echo_times)
    for name, direction in zip(("read_dir", "phase_dir", "slice_dir"), directions, strict=True):
        heads[name] = direction
    if shot == recipe.n_shots - 1:
        heads["flags"][-1] |= _flag(ismrmrd.ACQ_LAST_IN_REPETITION)
        if is_last:
            heads["flags"][-1] |= _flag(ismrmrd.ACQ_LAST_IN_MEASUREMENT)
    if is_m0 and recipe.volume_order in (VolumeOrder.SET, VolumeOrder.BOTH):
        heads["flags"] |= _flag(ismrmrd.ACQ_USER1)
    return heads


def _fill_slice(recipe: SimulationRecipe, part: NDArray[np.void], schedule: EpiSchedule, shot: int) -> None:
    """Lines and flags of one train."""
    part["idx"]["kspace_encode_step_1"] = schedule.lines
    part["flags"][schedule.is_reversed] |= _flag(ismrmrd.ACQ_IS_REVERSE)
    part["flags"][schedule.is_navigator] |= _flag(ismrmrd.ACQ_IS_PHASECORR_DATA)
    if shot == 0:
        # as the Siemens converter writes it: on the first navigator and again on the first line
        part["flags"][[0, recipe.n_navigators]] |= _flag(ismrmrd.ACQ_FIRST_IN_SLICE)
    if shot == recipe.n_shots - 1:
        part["flags"][-1] |= _flag(ismrmrd.ACQ_LAST_IN_SLICE)


def _blank_headers(recipe: SimulationRecipe, n_readouts: int, n_samples: int, dwell_time: float) -> NDArray[np.void]:
    """Headers with all that doesn't change from readout to readout."""
    heads = np.zeros(n_readouts, acquisition_header_dtype)
    heads["version"] = 1
    heads["measurement_uid"] = 1
    heads["number_of_samples"] = n_samples
    heads["available_channels"] = heads["active_channels"] = recipe.n_coils
    heads["center_sample"] = n_samples // 2
    heads["sample_time_us"] = 1e6 * dwell_time
    return heads


def _ticks(times: NDArray[np.float64]) -> NDArray[np.uint32]:
    """From seconds after the start of the scan to time stamps."""
    # a nanosecond on top: whole ticks must not fall to the tick before
    return np.floor((_START_OF_SCAN + times + 1e-9) / _TICK).astype(np.uint32)
