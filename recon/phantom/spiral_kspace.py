"""The phantom seen by spirals, in a slice or in all of space, with decay and off-resonance during the readout."""

import numpy as np
from numpy.typing import NDArray

from perfline.recon.checks import check_shape
from perfline.recon.errors import InputError
from perfline.recon.phantom.brain import Phantom
from perfline.recon.phantom.field_offset import wave_expansion
from perfline.recon.phantom.object_kspace import region_evolution, term_kspace
from perfline.recon.phantom.sensitivities import CoilSensitivities
from perfline.recon.phantom.spiral_readouts import SpiralReadout, true_positions

__all__ = ["spiral_kspace"]


def spiral_kspace(
    readout: SpiralReadout,
    phantom: Phantom,
    coils: CoilSensitivities,
    signals: NDArray[np.float64],
    arms: NDArray[np.int64],
    echo_time: float,
    *,
    z: float | None = None,
    k_z: NDArray[np.float64] | None = None,
) -> NDArray[np.complex128]:
    """Raw samples of some readouts, without noise.

    Parameters
    ----------
    readout : SpiralReadout
    phantom : Phantom
    coils : CoilSensitivities
        Of the slice, or of space.
    signals : float64 array (n_images, n_regions)
        Magnetisation of each region at the excitation, for each of some images (they share all else).
    arms : int64 array (n_readouts,)
        Which of the readouts to play.
    echo_time : float
        [s]
    z : float, optional
        Play them in the thin slice there [mm]; else all of the phantom is seen.
    k_z : float64 array (n_readouts,), optional
        Partition of each readout of a stack [cycles/mm]; demanded without `z`, unless the spirals lie on cones.

    Returns
    -------
    complex128 array (n_images, n_readouts, n_coils, n_samples)
        Fourier integrals [mm^2 in a slice, mm^3 in space].

    Raises
    ------
    InputError
        Shapes disagree, the readout would begin before the excitation, or it is not said where it takes place.

    Notes
    -----
    ``S(k, t) = integral of rho(r, t) c(r) exp(2 pi i f(r) t) exp(-2 pi i k r)``. The gradient of f moves k by ``-g t``,
    its wave is expanded in complex exponentials (`wave_expansion`), which move k as those of c do.
    """
    if ((z is not None) + (k_z is not None) + (readout.n_cones > 0)) != 1:
        raise InputError("z, k_z: expected one of them, or neither for spirals on cones")
    positions = true_positions(readout)[arms]
    if k_z is not None:
        check_shape("k_z", k_z, (len(arms),))
        partition = np.broadcast_to(k_z[:, None, None], (*positions.shape[:2], 1))
        positions = np.concatenate([partition, positions], axis=2)
    cut = None if z is None else phantom.cut(z)
    shapes = tuple(region.shape for region in phantom.regions) if cut is None else cut.ellipses
    field = readout.field if z is None else readout.field.in_slice(z)
    n_axes = positions.shape[2]
    check_shape("frequencies of coils", coils.frequencies, ("n_terms", n_axes))
    times = readout.sample_times(echo_time)[None, :]
    evolution = np.ones((len(phantom.regions), 1, 1), np.complex128)
    if readout.decay:
        evolution = region_evolution(phantom, times)
    orders, weights = wave_expansion(field, times)
    frequencies, place = _moved(coils.frequencies, orders, np.array(field.frequency[-n_axes:]))
    common = np.exp(2j * np.pi * field.constant * times) * _receiver(readout)
    raw = np.empty((len(signals), len(arms), coils.n_coils, readout.n_samples), np.complex128)
    for number, arm in enumerate(positions):
        at = [k[None, :] - g * times for k, g in zip(arm.T, field.gradient[-n_axes:], strict=True)]
        terms = term_kspace(shapes, phantom.parents, frequencies, signals, evolution, at)
        # (n_coil_terms, n_images, 1, n_samples)
        seen = terms[place[:, 0]]
        if orders.size > 1:
            seen = np.stack([np.einsum("ors,oirs->irs", weights, terms[row]) for row in place])
        raw[:, number] = np.moveaxis(np.tensordot(coils.weights, common * seen, axes=1)[:, :, 0], 0, 1)
    return raw


def _moved(
    frequencies: NDArray[np.float64], orders: NDArray[np.int64], step: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Each frequency plus each order of a step: all that differ, and where each pair (n_frequencies, n_orders) went."""
    every = frequencies[:, None, :] + orders[:, None] * step
    # many coincide where coils and field have related periods; a picocycle/mm tells no two apart that matter
    _, first, place = np.unique(
        np.round(every.reshape(-1, every.shape[2]) * 1e12), axis=0, return_index=True, return_inverse=True
    )
    return every.reshape(-1, every.shape[2])[first], place.reshape(every.shape[:2]).astype(np.int64)


def _receiver(readout: SpiralReadout) -> NDArray[np.float64]:
    """Gain of the receiver over the samples of a readout, (n_samples,)."""
    gain = np.ones(readout.n_samples)
    pre, post = readout.n_discard_pre, readout.n_discard_post
    gain[:pre] = (np.arange(pre) + 0.5) / max(pre, 1)
    gain[gain.size - post :] = (np.arange(post)[::-1] + 0.5) / max(post, 1)
    return gain
