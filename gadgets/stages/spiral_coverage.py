"""Whether the interleaves of a set cover k-space; said once, since the image alone doesn't tell."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from perfline.recon.nufft.coverage import same_interleaves, widest_gap

__all__ = ["coverage_text"]

_WIDEST: Final = {2: 1.45, 3: 1.8}
"""Gaps, by number of axes, that say nothing: a little more than between the points of a Cartesian grid. Uniform
interleaves with turns at the Nyquist distance have 1.2."""


def coverage_text(numbers: Sequence[int], trajectories: Sequence[NDArray[np.float64]]) -> str:
    """Say what a set of interleaves lacks.

    Parameters
    ----------
    numbers : sequence of int
        Of the interleaves, as the readouts count them.
    trajectories : sequence of float64 array (n_samples, n_axes)
        Cycles per field of view.

    Returns
    -------
    str
        Empty where nothing is wrong.
    """
    trajectory = np.stack(trajectories)
    texts = [
        f"interleaves {', '.join(str(numbers[place]) for place in group)} have the same trajectory"
        for group in same_interleaves(trajectory)
    ]
    gap, radius = widest_gap(trajectory)
    if gap > _WIDEST[trajectory.shape[2]]:
        texts.append(
            f"{'the interleaf leaves' if len(numbers) == 1 else f'{len(numbers)} interleaves leave'} gaps of up to"
            f" {gap:.2g} cycles per field of view, {radius:.0f} from the centre, where 1 is complete: what fills more"
            f" than {1 / gap:.0%} of the field of view is aliased, and blood flow is wrong"
        )
    return f"coverage of k-space: {'; '.join(texts)}" if texts else ""
