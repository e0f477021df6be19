"""Blood flow that no tissue can have: counted, never clipped."""

import numpy as np
from numpy.typing import NDArray

from perfline.recon.checks import check_positive, check_shape
from perfline.recon.errors import InputError

__all__ = ["count_implausible"]


def count_implausible(flow: NDArray[np.floating], mask: NDArray[np.bool_], limit: float) -> int:
    """Voxels whose blood flow is beyond a limit, on either side of zero.

    Parameters
    ----------
    flow : float array (n_slices, n_y, n_x)
        [ml/100 g/min]
    mask : bool array (n_slices, n_y, n_x)
        Where there is tissue.
    limit : float
        [ml/100 g/min]

    Returns
    -------
    int
        Voxels of the mask with ``|flow| > limit``; those that are not finite are not counted.

    Raises
    ------
    InputError
        Shapes differ, the mask isn't bool, or the limit isn't positive.

    Examples
    --------
    >>> count_implausible(np.array([[[50.0, -2000.0, np.nan, 3000.0]]]), np.array([[[True, True, True, False]]]), 1e3)
    1
    """
    check_shape("flow", flow, ("n_slices", "n_y", "n_x"))
    check_shape("mask", mask, flow.shape)
    if mask.dtype != np.bool_:
        raise InputError(f"mask: expected bool, got {mask.dtype}")
    check_positive("limit", limit, "ml/100 g/min")
    return int(np.count_nonzero(np.abs(flow[mask]) > limit))
