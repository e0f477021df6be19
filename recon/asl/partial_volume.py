"""Blood flow of grey and white matter apart, where a voxel holds some of each (partial volume correction)."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from perfline.recon.checks import check_finite, check_shape
from perfline.recon.errors import InputError

__all__ = ["TissueParts", "split_tissues"]

_LEAST_PART: Final = 0.05
"""Share of a tissue in a voxel below which it gets no value of its own."""

_MOST_CONDITION: Final = 1e4
"""Of the two-by-two normal matrix of a window: above it the two tissues go together there and can't be told apart."""


@dataclass(frozen=True)
class TissueParts:
    """What each tissue alone would show, float32 (n_slices, n_y, n_x); NaN where it can't be told."""

    grey_matter: NDArray[np.float32]
    white_matter: NDArray[np.float32]


def split_tissues(
    image: NDArray[np.floating], grey_part: NDArray[np.floating], white_part: NDArray[np.floating], window: int = 5
) -> TissueParts:
    """Separate an image into its tissues by linear regression in a small window.

    Parameters
    ----------
    image : float array (n_slices, n_y, n_x)
        Delta-M, or M0; voxels that are not finite are left out of the regression.
    grey_part, white_part : float array (n_slices, n_y, n_x)
        Share of each tissue in each voxel, 0 to 1, on the grid of the image.
    window : int
        Odd width of the square, within a slice, in which the signal of each tissue is taken as constant [voxels].

    Returns
    -------
    TissueParts
        NaN where a voxel has less than 5 % of a tissue, or where the shares in the window are proportional to each
        other.

    Raises
    ------
    InputError
        Shapes differ (tissue maps of another grid), shares out of range, or an even window.

    Notes
    -----
    In the window ``image = p_GM m_GM + p_WM m_WM``, two unknowns for its voxels, by least squares; where one tissue is
    absent from the window the other alone is fitted. To be applied to delta-M and to M0 alike, with one window, before
    the division. The maps are smoothed by about the window.

    References
    ----------
    Asllani I, Borogovac A, Brown TR 2008, Magn Reson Med 60:1362-1371, Eqs. 4-6.

    Examples
    --------
    >>> grey = np.tile(np.linspace(0, 1, 7), (1, 7, 1))
    >>> parts = split_tissues(60 * grey + 20 * (1 - grey), grey, 1 - grey)
    >>> parts.grey_matter[0, 3, 3].round(3), parts.white_matter[0, 3, 3].round(3)
    (np.float32(60.0), np.float32(20.0))
    """
    check_shape("image", image, ("n_slices", "n_y", "n_x"))
    parts = []
    for name, part in (("grey_part", grey_part), ("white_part", white_part)):
        check_shape(f"{name} (tissue map of another grid?)", part, image.shape)
        check_finite(name, part)
        if part.min() < 0 or part.max() > 1:
            raise InputError(f"{name}: expected 0 to 1, got {part.min():g} to {part.max():g}")
        parts.append(part.astype(np.float64))
    if window < 1 or window % 2 == 0:
        raise InputError(f"window: expected a positive odd number of voxels, got {window}")
    is_used = np.isfinite(image)
    grey, white = (np.where(is_used, part, 0.0) for part in parts)
    signal = np.where(is_used, image, 0.0).astype(np.float64)
    gg, gw, ww = (_window_sum(a * b, window) for a, b in ((grey, grey), (grey, white), (white, white)))
    gs, ws = _window_sum(grey * signal, window), _window_sum(white * signal, window)
    fits = _solve(gg, gw, ww, gs, ws)
    grey_fit, white_fit = (
        np.where(part >= _LEAST_PART, fit, np.nan).astype(np.float32) for part, fit in zip(parts, fits, strict=True)
    )
    return TissueParts(grey_fit, white_fit)


def _window_sum(values: NDArray[np.float64], window: int) -> NDArray[np.float64]:
    """Sum over the square around each voxel within its slice; nothing beyond the edges."""
    return ndimage.uniform_filter(values, (0, window, window), mode="constant") * window**2


def _solve(
    gg: NDArray[np.float64],
    gw: NDArray[np.float64],
    ww: NDArray[np.float64],
    gs: NDArray[np.float64],
    ws: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Two unknowns where the window tells them apart, one where it holds only one tissue, NaN elsewhere."""
    # running sums of the filter leave rounding where the shares are all zero
    least = 1e-9
    has_grey, has_white = gg > least, ww > least
    determinant = gg * ww - gw**2
    # the condition number of a symmetric two-by-two matrix is at most trace^2 / determinant
    is_told = (gg + ww) ** 2 < _MOST_CONDITION * determinant
    both = is_told & has_grey & has_white
    safe = np.where(both, determinant, 1.0)
    grey = np.where(both, (ww * gs - gw * ws) / safe, np.nan)
    white = np.where(both, (gg * ws - gw * gs) / safe, np.nan)
    only_grey, only_white = has_grey & ~has_white, has_white & ~has_grey
    grey = np.where(only_grey, gs / np.where(only_grey, gg, 1.0), grey)
    white = np.where(only_white, ws / np.where(only_white, ww, 1.0), white)
    return grey, white
