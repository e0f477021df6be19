"""What all volumes of a simulated scan have in common in one shot: header fields and noise-free samples."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from ismrmrd.hdf5 import acquisition_header_dtype
from numpy.typing import NDArray

from perfline.gadgets.simulate.scan_recipe import SimulationRecipe, slice_directions
from perfline.recon.phantom.asl_series import slice_signals
from perfline.recon.phantom.brain import Phantom

__all__ = ["Block", "ShotTemplate", "blank_headers", "kind_signals", "mrd_flag", "place_headers"]


class Block(NamedTuple):
    """Consecutive readouts.

    MRD acquisition headers (n_readouts,), samples complex64 (n_readouts, n_coils, n_samples), trajectory float32
    (n_readouts, n_samples, n_dimensions), whose last size is 0 where the readouts have none.
    """

    heads: NDArray[np.void]
    samples: NDArray[np.complex64]
    trajectory: NDArray[np.float32]


@dataclass(frozen=True)
class ShotTemplate:
    """One shot as every volume plays it.

    ``heads`` (n_readouts,) lack what differs from volume to volume. ``times`` (n_readouts,) are those of the centre of
    k-space, after the first excitation of the shot [s]. ``images`` is complex64 (n_kinds, n_readouts, n_coils,
    n_samples), in the order of `kind_signals`; ``trajectory`` as of `Block`. The readouts fall into ``n_excited`` equal
    parts, slices as they are excited, which share a phase.
    """

    heads: NDArray[np.void]
    times: NDArray[np.float64]
    images: NDArray[np.complex64]
    trajectory: NDArray[np.float32]
    n_excited: int


def mrd_flag(number: int) -> np.uint64:
    """Bit of an MRD flag; they count from 1.

    Examples
    --------
    >>> mrd_flag(7)
    np.uint64(64)
    """
    return np.uint64(1 << (number - 1))


def blank_headers(
    recipe: SimulationRecipe, n_readouts: int, n_samples: int, dwell_time: float, center_sample: int
) -> NDArray[np.void]:
    """Headers with all that doesn't change from readout to readout.

    Parameters
    ----------
    recipe : SimulationRecipe
    n_readouts, n_samples : int
    dwell_time : float
        [s]
    center_sample : int

    Returns
    -------
    acquisition_header_dtype array (n_readouts,)
    """
    heads = np.zeros(n_readouts, acquisition_header_dtype)
    heads["version"] = 1
    heads["measurement_uid"] = 1
    heads["number_of_samples"] = n_samples
    heads["available_channels"] = heads["active_channels"] = recipe.n_coils
    heads["center_sample"] = center_sample
    heads["sample_time_us"] = 1e6 * dwell_time
    return heads


def place_headers(recipe: SimulationRecipe, heads: NDArray[np.void], z: float) -> None:
    """Write position and directions of readouts of the slice, or of the slab, at `z` [mm] into their headers."""
    directions = slice_directions(recipe)
    heads["position"] = np.asarray(recipe.position) + z * directions[2]
    for name, direction in zip(("read_dir", "phase_dir", "slice_dir"), directions, strict=True):
        heads[name] = direction


def kind_signals(recipe: SimulationRecipe, phantom: Phantom, slice_number: int) -> NDArray[np.float64]:
    """Magnetisation of each region in a slice for each kind of volume.

    Parameters
    ----------
    recipe : SimulationRecipe
    phantom : Phantom
    slice_number : int

    Returns
    -------
    float64 array (n_kinds, n_regions)
        M0, then each volume of the recipe's block.
    """
    signals = slice_signals(phantom, recipe.series, slice_number)
    differences = np.stack(
        [slice_signals(phantom, recipe.series_of(one), slice_number).delta_m for one in recipe.components]
    )
    inverted = np.array([state.inverted for state in recipe.block])
    return np.concatenate([signals.m0[np.newaxis], signals.static - inverted @ differences])
