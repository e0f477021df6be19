"""The virtual coil that gives sensitivity maps their phase.

A map is known up to a phase in each pixel. It is chosen such that ``w^H v`` is real and positive, where the reference
coil ``w`` is the one virtual coil that is most like all maps v of the slice. The combined image then has the phase that
an image of that virtual coil has: that of the object, smooth, and without a winding wherever the virtual coil has
signal. Maps of any origin that share this choice give the same phase.
"""

import numpy as np
from numpy.typing import NDArray

from perfline.recon.coils import kernels

__all__ = ["align_to_reference_inplace"]


def align_to_reference_inplace(
    maps: NDArray[np.complex64], energy: NDArray[np.float32], lowest_energy: np.float32
) -> None:
    """Turn each pixel's map so that its product with the reference coil of its slice is real and positive.

    Parameters
    ----------
    maps : complex64 array (n_slices, n_coils, n_y, n_x)
        Of unit sum of squares and any phase.
    energy : float32 array (n_slices, n_y, n_x)
        Of all coils at each pixel: how much it counts in the choice of the reference coil.
    lowest_energy : float32
        Pixels of no more get the reference coil itself as map.

    Notes
    -----
    w is the first eigenvector of ``sum energy v v^H`` over the slice. Reference coils of neighbouring slices are turned
    to agree with each other, that of the first slice with that of the volume, whose strongest coil is real.

    References
    ----------
    Inati SJ, Hansen MS, Kellman P 2014, Proc ISMRM 22:4407 (phase from a reference common to the image). Buehrer M,
    Boesiger P, Kozerke S 2009, Proc ISMRM 17:760 (virtual body coil).
    """
    references = _reference_coils(maps, energy, lowest_energy)
    kernels.align_phase_inplace(references, energy, lowest_energy, maps)


def _reference_coils(
    maps: NDArray[np.complex64], energy: NDArray[np.float32], lowest_energy: np.float32
) -> NDArray[np.complex64]:
    """Find the virtual coil of each slice that is most like all its maps, complex64 (n_slices, n_coils)."""
    n_slices, n_coils = maps.shape[:2]
    weight = np.where(energy > lowest_energy, energy, np.float32(0)).reshape(n_slices, 1, -1)
    vectors = maps.reshape(n_slices, n_coils, -1)
    likeness = (vectors * weight) @ vectors.conj().transpose(0, 2, 1)
    previous = _first_eigenvector(likeness.sum(axis=0))
    strongest = previous[np.argmax(np.abs(previous))]
    previous = previous * (strongest.conj() / abs(strongest))
    references = np.empty((n_slices, n_coils), np.complex64)
    for z in range(n_slices):
        if weight[z].any():
            vector = _first_eigenvector(likeness[z])
            product = np.vdot(vector, previous)
            # two slices without any coil in common have no phase to agree on
            previous = vector * (product / abs(product)) if abs(product) > 0 else vector
        references[z] = previous
    return references


def _first_eigenvector(matrix: NDArray[np.complex64]) -> NDArray[np.complex128]:
    return np.linalg.eigh(matrix.astype(np.complex128))[1][:, -1]
