"""The territories of arteries as one picture."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from perfline.gadgets.writers.montage import MontageRow

__all__ = ["CERTAIN", "territory_row"]

CERTAIN: Final = 0.9
"""Probability from which a voxel is drawn in the colour of its artery."""


def territory_row(artery: NDArray[np.integer], probability: NDArray[np.float32]) -> MontageRow:
    """Draw each voxel whose artery is certain in the colour of that artery.

    Parameters
    ----------
    artery : int array (n_slices, n_y, n_x)
        Number of the most probable artery from 1; 0 where there is none.
    probability : float32 array (n_arteries, n_slices, n_y, n_x)

    Returns
    -------
    MontageRow
        NaN where no artery is certain.

    Examples
    --------
    >>> row = territory_row(np.array([[[1, 2, 2]]]), np.array([[[[0.95, 0.3, 0.0]]], [[[0.05, 0.7, 1.0]]]], np.float32))
    >>> row.volume, row.levels
    (array([[[ 1., nan,  2.]]]), ('artery 1', 'artery 2'))
    """
    n_arteries = len(probability)
    is_certain = (artery > 0) & (probability.max(axis=0) >= CERTAIN)
    title = f"Territories: most probable artery, where its probability is {CERTAIN:g} or more"
    names = tuple(f"artery {number}" for number in range(1, n_arteries + 1))
    shown = np.where(is_certain, artery, np.nan)
    # each colour is a step of 1 around its number
    return MontageRow(title, shown, "rainbow", 0.5, n_arteries + 0.5, "", names)
