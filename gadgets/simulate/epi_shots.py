"""The readouts of an EPI volume, with the headers that a scanner would give them."""

import ismrmrd
import numpy as np
from numpy.typing import NDArray

from perfline.gadgets.simulate.epi_recipe import EpiRecipe
from perfline.gadgets.simulate.shot_template import (
    ShotTemplate,
    blank_headers,
    kind_signals,
    mrd_flag,
    place_headers,
)
from perfline.recon.phantom.brain import Phantom
from perfline.recon.phantom.readouts import EpiSchedule, epi_kspace, epi_schedule
from perfline.recon.phantom.sensitivities import ring_of_coils

__all__ = ["epi_shots"]


def epi_shots(recipe: EpiRecipe, phantom: Phantom) -> tuple[ShotTemplate, ...]:
    """Make every shot of an EPI volume.

    Parameters
    ----------
    recipe : EpiRecipe
    phantom : Phantom

    Returns
    -------
    tuple of ShotTemplate
        Slices in the order of their excitation.
    """
    return tuple(_shot(recipe, phantom, shot) for shot in range(recipe.n_shots))


def _shot(recipe: EpiRecipe, phantom: Phantom, shot: int) -> ShotTemplate:
    schedule = epi_schedule(recipe.epi, shot)
    per_slice = schedule.lines.size
    heads = blank_headers(
        recipe, recipe.n_slices * per_slice, recipe.n_samples, recipe.dwell_time, recipe.n_samples // 2
    )
    heads["idx"]["segment"] = shot
    times = np.empty(heads.size)
    slices = []
    for rank, number in enumerate(recipe.slice_order):
        part = slice(rank * per_slice, (rank + 1) * per_slice)
        _fill_slice(recipe, heads[part], schedule, shot)
        heads["idx"]["slice"][part] = number
        z = recipe.slice_positions[number]
        place_headers(recipe, heads[part], z)
        times[part] = recipe.slice_timing[number] + schedule.echo_times
        coils = ring_of_coils(recipe.n_coils, z)
        signals = kind_signals(recipe, phantom, number)
        slices.append(epi_kspace(recipe.epi, phantom, phantom.cut(z), coils, signals, shot).astype(np.complex64))
    no_trajectory = np.empty((heads.size, recipe.n_samples, 0), np.float32)
    return ShotTemplate(heads, times, np.concatenate(slices, axis=1), no_trajectory, recipe.n_slices)


def _fill_slice(recipe: EpiRecipe, part: NDArray[np.void], schedule: EpiSchedule, shot: int) -> None:
    """Lines and flags of one train."""
    part["idx"]["kspace_encode_step_1"] = schedule.lines
    part["flags"][schedule.is_reversed] |= mrd_flag(ismrmrd.ACQ_IS_REVERSE)
    part["flags"][schedule.is_navigator] |= mrd_flag(ismrmrd.ACQ_IS_PHASECORR_DATA)
    if shot == 0:
        # as the Siemens converter writes it: on the first navigator and again on the first line
        part["flags"][[0, recipe.n_navigators]] |= mrd_flag(ismrmrd.ACQ_FIRST_IN_SLICE)
    if shot == recipe.n_shots - 1:
        part["flags"][-1] |= mrd_flag(ismrmrd.ACQ_LAST_IN_SLICE)
