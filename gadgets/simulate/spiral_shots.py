"""The readouts of a spiral volume, with the headers and trajectories that a scanner would give them."""

from dataclasses import dataclass
from typing import Final

import ismrmrd
import numpy as np
from numpy.typing import NDArray

from perfline.gadgets.simulate.shot_template import (
    ShotTemplate,
    blank_headers,
    kind_signals,
    mrd_flag,
    place_headers,
)
from perfline.gadgets.simulate.spiral_recipe import SpiralEncoding, SpiralRecipe
from perfline.recon.phantom.brain import Phantom
from perfline.recon.phantom.object_kspace import kspace_scale
from perfline.recon.phantom.sensitivities import CoilSensitivities, ring_of_coils, ring_of_coils_3d
from perfline.recon.phantom.spiral_kspace import spiral_kspace
from perfline.recon.phantom.spiral_readouts import declared_positions

__all__ = ["calibration_shots", "spiral_shots", "written_trajectories"]

_MM_PER_M: Final = 1000.0


@dataclass(frozen=True)
class _Excitation:
    """An interleaf of a slice or partition; `echo` counts its readouts, `time` [s] is after the first excitation."""

    slice: int
    partition: int
    interleaf: int
    echo: int
    time: float


def spiral_shots(recipe: SpiralRecipe, phantom: Phantom) -> tuple[ShotTemplate, ...]:
    """Make every shot of a spiral volume.

    Parameters
    ----------
    recipe : SpiralRecipe
    phantom : Phantom

    Returns
    -------
    tuple of ShotTemplate
        Shot s plays interleaves s, s + n_shots, ... of those that are acquired: slice by slice in the order of their
        excitation, or partition by partition. ``idx.segment`` is the shot, ``idx.kspace_encode_step_1`` the interleaf,
        ``idx.kspace_encode_step_2`` the acquired partition.
    """
    shots = [recipe.interleaves[shot :: recipe.n_shots] for shot in range(recipe.n_shots)]
    return tuple(_shot(recipe, phantom, number, len(shots), shot) for number, shot in enumerate(shots))


def calibration_shots(recipe: SpiralRecipe, phantom: Phantom) -> tuple[ShotTemplate, ...]:
    """Make the shots that sample all of k-space once, for an undersampled scan.

    Parameters
    ----------
    recipe : SpiralRecipe
    phantom : Phantom

    Returns
    -------
    tuple of ShotTemplate
        As of `spiral_shots`, flagged ACQ_IS_PARALLEL_CALIBRATION; none where nothing is left out.
    """
    if recipe.acceleration == 1:
        return ()
    n_shots = recipe.n_shots * recipe.acceleration
    every = range(recipe.spiral.n_arms)
    templates = tuple(_shot(recipe, phantom, number, n_shots, every[number::n_shots]) for number in range(n_shots))
    for template in templates:
        template.heads["flags"] |= mrd_flag(ismrmrd.ACQ_IS_PARALLEL_CALIBRATION)
    return templates


def written_trajectories(recipe: SpiralRecipe) -> NDArray[np.float32]:
    """Trajectory of each interleaf in the units and the axis order of the file.

    Parameters
    ----------
    recipe : SpiralRecipe

    Returns
    -------
    float32 array (n_interleaves, n_samples, 2 or 3)
        Axis order x, y or x, y, z. The last size is 0 where none are written.
    """
    positions = declared_positions(recipe.spiral)
    if not recipe.write_trajectory:
        return np.empty((*positions.shape[:2], 0), np.float32)
    axes = recipe.image_axes[-positions.shape[2] :]
    factors = {
        "normalized": [axis.field_of_view_encoded / axis.n_encoded for axis in axes],
        "cycles_per_fov": [axis.field_of_view_encoded for axis in axes],
        "rad_per_m": [2 * np.pi * _MM_PER_M for _ in axes],
        "per_m": [_MM_PER_M for _ in axes],
    }[recipe.trajectory_units]
    return (positions * factors)[..., ::-1].astype(np.float32)


def _shot(
    recipe: SpiralRecipe, phantom: Phantom, number: int, n_shots: int, interleaves: tuple[int, ...] | range
) -> ShotTemplate:
    plan = _excitations(recipe, tuple(interleaves))
    spiral = recipe.spiral
    heads = blank_headers(recipe, len(plan), spiral.n_samples, recipe.dwell_time, spiral.center_sample)
    heads["discard_pre"], heads["discard_post"] = recipe.n_discard_pre, recipe.n_discard_post
    heads["idx"]["segment"] = number
    for name, field in (
        ("slice", "slice"),
        ("kspace_encode_step_1", "interleaf"),
        ("kspace_encode_step_2", "partition"),
        ("contrast", "echo"),
    ):
        heads["idx"][name] = [getattr(one, field) for one in plan]
    _flag_ends(heads, is_first=number == 0, is_last=number == n_shots - 1)
    trajectory = written_trajectories(recipe)[heads["idx"]["kspace_encode_step_1"]]
    heads["trajectory_dimensions"] = trajectory.shape[2]
    times = np.array([one.time + recipe.echo_times[one.echo] for one in plan])
    if recipe.partition_axis is None:
        images = np.concatenate(
            [_slice_images(recipe, phantom, heads, number) for number in recipe.slice_order], axis=1
        )
        return ShotTemplate(heads, times, images, trajectory, recipe.n_slices)
    place_headers(recipe, heads, 0.0)
    return ShotTemplate(heads, times, _slab_images(recipe, phantom, heads), trajectory, 1)


def _excitations(recipe: SpiralRecipe, interleaves: tuple[int, ...]) -> list[_Excitation]:
    """The readouts of a shot in the order of time."""
    if recipe.encoding is SpiralEncoding.SLICES:
        places = [(number, 0) for number in recipe.slice_order]
    elif recipe.encoding is SpiralEncoding.STACK:
        places = [(0, partition) for partition in range(recipe.n_slices - recipe.n_skipped_partitions)]
    else:
        places = [(0, 0)]
    return [
        _Excitation(
            slice_,
            partition,
            interleaf,
            echo,
            rank * recipe.slice_duration + position * recipe.excitation_spacing,
        )
        for rank, (slice_, partition) in enumerate(places)
        for position, interleaf in enumerate(interleaves)
        for echo in range(len(recipe.echo_times))
    ]


def _flag_ends(heads: NDArray[np.void], *, is_first: bool, is_last: bool) -> None:
    """First and last readout of each slice of each contrast."""
    images = np.stack([heads["idx"]["slice"], heads["idx"]["contrast"]], axis=1)
    for image in np.unique(images, axis=0):
        mine = np.flatnonzero(np.all(images == image, axis=1))
        if is_first:
            heads["flags"][mine[0]] |= mrd_flag(ismrmrd.ACQ_FIRST_IN_SLICE)
        if is_last:
            heads["flags"][mine[-1]] |= mrd_flag(ismrmrd.ACQ_LAST_IN_SLICE)


def _slice_images(
    recipe: SpiralRecipe, phantom: Phantom, heads: NDArray[np.void], number: int
) -> NDArray[np.complex64]:
    """Samples of the readouts of one slice, which is placed; (n_kinds, n_readouts, n_coils, n_samples)."""
    mine = heads["idx"]["slice"] == number
    z = recipe.slice_positions[number]
    part = heads[mine]
    place_headers(recipe, part, z)
    heads[mine] = part
    return _samples(recipe, phantom, part, ring_of_coils(recipe.n_coils, z), number, z)


def _slab_images(recipe: SpiralRecipe, phantom: Phantom, heads: NDArray[np.void]) -> NDArray[np.complex64]:
    """Samples of the readouts of a slab."""
    return _samples(recipe, phantom, heads, ring_of_coils_3d(recipe.n_coils), 0, None)


def _samples(
    recipe: SpiralRecipe,
    phantom: Phantom,
    heads: NDArray[np.void],
    coils: CoilSensitivities,
    number: int,
    z: float | None,
) -> NDArray[np.complex64]:
    """Play the readouts of some headers."""
    signals = kind_signals(recipe, phantom, number)
    samples = np.empty((len(signals), heads.size, recipe.n_coils, recipe.n_samples), np.complex64)
    k_z = None
    if recipe.encoding is SpiralEncoding.STACK:
        centre = recipe.n_slices // 2 - recipe.n_skipped_partitions
        steps = heads["idx"]["kspace_encode_step_2"].astype(np.float64) - centre
        k_z = steps / recipe.image_axes[0].field_of_view_encoded
    scale = kspace_scale(*recipe.image_axes)
    for echo, echo_time in enumerate(recipe.echo_times):
        mine = np.flatnonzero(heads["idx"]["contrast"] == echo)
        arms = heads["idx"]["kspace_encode_step_1"][mine].astype(np.int64)
        partitions = None if k_z is None else k_z[mine]
        samples[:, mine] = scale * spiral_kspace(
            recipe.spiral, phantom, coils, signals, arms, echo_time, z=z, k_z=partitions
        )
    return samples
