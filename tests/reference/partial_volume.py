"""Partial volume correction voxel by voxel: least squares in a window."""

import numpy as np


def split_tissues(image, grey_part, white_part, window):
    """Grey and white matter signal at each voxel, by `numpy.linalg.lstsq` on the voxels of the window in its slice."""
    grey, white = np.full(image.shape, np.nan), np.full(image.shape, np.nan)
    reach = window // 2
    for z, y, x in np.ndindex(image.shape):
        around = np.s_[z, max(0, y - reach) : y + reach + 1, max(0, x - reach) : x + reach + 1]
        used = np.isfinite(image[around])
        shares = np.stack([grey_part[around][used], white_part[around][used]], axis=1)
        present = shares.any(axis=0)
        fit = np.full(2, np.nan)
        if present.any() and np.linalg.matrix_rank(shares) == present.sum():
            fit[present] = np.linalg.lstsq(shares[:, present], image[around][used], rcond=None)[0]
        grey[z, y, x], white[z, y, x] = fit
    return grey, white
