"""Ghost level of one magnitude image by morphology, which ``perfline.recon.epi.ghost_level`` approximates."""

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_closing, binary_dilation, binary_fill_holes


def ghost_level(image: NDArray[np.floating]) -> float:
    """Mean over the N/2-shifted object outside the dilated object, over the mean in the object."""
    thing = binary_fill_holes(binary_closing(image > 0.2 * np.percentile(image, 99), iterations=3))
    ghost = np.roll(thing, image.shape[0] // 2, axis=0) & ~binary_dilation(thing, iterations=2)
    return float(image[ghost].mean() / image[thing].mean())
