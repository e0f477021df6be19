"""Vessel-encoded labelling: which artery feeds a voxel, and how sure that is."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from perfline.recon.asl.encoding import Encoding
from perfline.recon.checks import check_finite
from perfline.recon.errors import InputError

__all__ = ["Territories", "vessel_territories"]


@dataclass(frozen=True)
class Territories:
    """Artery of each voxel.

    Attributes
    ----------
    artery : int16 array (...)
        From 1, in the order of the columns of the encoding; 0 where no artery is more probable than all others.
    probability : float32 array (n_arteries, ...)
        Of each artery, given that one of them feeds the voxel; they add up to 1. NaN where the variance is not known.
    """

    artery: NDArray[np.int16]
    probability: NDArray[np.float32]


def vessel_territories(
    encoding: Encoding, components: NDArray[np.floating], variance: NDArray[np.floating]
) -> Territories:
    """Assign each voxel to the artery that explains it best.

    Parameters
    ----------
    encoding : Encoding
    components : float array (n_arteries, ...)
        Control minus label of each artery, as decoded, mean over blocks.
    variance : float array (...)
        Of one cycle's image in that mean: variance of a single cycle over the number of blocks. Zero, as in a
        simulation without noise: the strongest artery is certain. NaN: not known.

    Returns
    -------
    Territories

    Raises
    ------
    InputError
        Shapes differ, or components that are not finite.

    Notes
    -----
    The decoded components x are normal around the true ones, with covariance ``variance G``, G that of the encoding. If
    artery j alone feeds the voxel, the true ones are ``f e_j`` with a flow f >= 0. The best f leaves

        chi_j^2 = (x' P x - max(0, e_j' P x)^2 / P_jj) / variance,   P = G^-1

    and with equal prior probabilities ``p_j ~ exp(-chi_j^2 / 2)``. A voxel fed by two arteries is given to the stronger
    one; a voxel without flow gets about equal probabilities, exactly equal ones where no f_j is above zero. A variance
    of zero is the limit of ever smaller ones: the artery with the least chi has the probability 1, or those that are
    alike share it.

    References
    ----------
    Chappell et al. 2010, Magn Reson Med 64:1529-1539 (classes of source arteries; there with two arteries per class).

    Examples
    --------
    >>> from perfline.recon.asl.encoding import make_encoding
    >>> from perfline.recon.asl.hadamard import hadamard_matrix
    >>> found = vessel_territories(make_encoding(hadamard_matrix(4)), np.array([[9.0], [1.0], [-1.0]]), np.ones(1))
    >>> found.artery, found.probability.round(3)[:, 0]
    (array([1], dtype=int16), array([1., 0., 0.], dtype=float32))
    """
    if components.ndim < 1 or components.shape[0] != encoding.n_components:
        raise InputError(f"components: expected {encoding.n_components} arteries, got {components.shape}")
    if variance.shape != components.shape[1:]:
        raise InputError(f"variance: expected {components.shape[1:]}, got {variance.shape}")
    check_finite("components", components)
    x = components.reshape(encoding.n_components, -1).astype(np.float64)
    spread = variance.reshape(-1).astype(np.float64)
    is_known = np.isfinite(spread) & (spread >= 0)
    is_exact = spread == 0
    precision = np.linalg.inv(encoding.covariance)
    along = np.maximum(precision @ x, 0.0)
    # x' P x is the same for all arteries and drops out
    gain = along**2 / np.diag(precision)[:, None]
    likelihood = gain / (2 * np.where(is_known & ~is_exact, spread, 1.0))
    likelihood -= likelihood.max(axis=0)
    is_best = likelihood == 0
    probability = np.where(is_exact, is_best, np.exp(likelihood))
    probability /= probability.sum(axis=0)
    probability[:, ~is_known] = np.nan
    is_clear = is_known & (np.count_nonzero(is_best, axis=0) == 1)
    artery = np.where(is_clear, np.argmax(is_best, axis=0) + 1, 0)
    return Territories(
        artery.astype(np.int16).reshape(variance.shape),
        probability.astype(np.float32).reshape(components.shape),
    )
