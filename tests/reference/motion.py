"""Registration of rigid bodies with what scipy has: a moved spline, and least squares with numerical derivatives."""

import numpy as np
import scipy.ndimage
from scipy.optimize import least_squares
from scipy.spatial.transform import Rotation


def smoothed(volume, across):
    """Binomial weights along y and x, and across slices."""
    image = np.abs(volume).astype(float)
    for axis, weights in ((0, [1, 2, 1] if across else [1]), (1, [1, 4, 6, 4, 1]), (2, [1, 4, 6, 4, 1])):
        image = scipy.ndimage.correlate1d(image, np.array(weights) / sum(weights), axis, mode="nearest")
    return image


def moved(image, translation, rotation_vector, voxel_size):
    """What is at r goes to R r + t [mm, rad], axis order x, y, z, about the centre of the grid."""
    back = Rotation.from_rotvec(rotation_vector).as_matrix().T[::-1, ::-1]
    size = np.array(voxel_size, float)[::-1]
    centre = (np.array(image.shape) - 1) / 2
    matrix = np.diag(1 / size) @ back @ np.diag(size)
    shift = np.array(translation, float)[::-1] / size
    return scipy.ndimage.affine_transform(image, matrix, centre - matrix @ (centre + shift), order=3, mode="mirror")


def estimate(reference, volume, voxel_size, places):
    """Translation [mm] and rotation vector [rad]; ``places`` is a mask."""
    one, other = smoothed(reference, True), smoothed(volume, True)

    def left_over(x):
        return (other - x[6] * moved(one, x[:3], x[3:6] / 50, voxel_size))[places]

    start = np.array([0, 0, 0, 0, 0, 0, other[places].mean() / one[places].mean()])
    found = least_squares(left_over, start, xtol=1e-10, ftol=1e-12).x
    return found[:3], found[3:6] / 50
