"""What the off-resonance correction of all slices on one plan has in common."""

import numpy as np
from numpy.typing import NDArray

from perfline.recon.lanes.vector import LANES
from perfline.recon.nufft.off_resonance_normal import SegmentedSpread
from perfline.recon.nufft.plan import NufftPlan
from perfline.recon.nufft.time_segments import difference_histogram, frequency_histogram, segment_coefficients

__all__ = ["Segmentation"]


class Segmentation:
    """Segments, buffers of a call, and the convolutions of the normal operator.

    Parameters
    ----------
    plan : NufftPlan
    times : float64 array (n_samples,)
        [s]
    frequencies : float32 array
        Of all pixels that count [Hz].
    n_segments : int or None
    max_error : float
    """

    def __init__(
        self,
        plan: NufftPlan,
        times: NDArray[np.float64],
        frequencies: NDArray[np.float32],
        n_segments: int | None,
        max_error: float,
    ) -> None:
        self.times = times
        self.histogram = frequency_histogram(frequencies, float(np.ptp(times)))
        self.segments = segment_coefficients(times, *self.histogram, n_segments, max_error)
        self.max_error = max_error if n_segments is None else max(max_error, self.segments.error)
        # coils are done in groups: the buffers stay small, whatever the batch
        self.n_rows = LANES * plan.n_threads
        n_samples, n_pixels = int(np.prod(plan.sample_shape)), int(np.prod(plan.matrix))
        self.samples = np.empty(self.n_rows * n_samples, np.complex64)
        self.images = np.empty(self.n_rows * n_pixels, np.complex64)
        self.weights = np.empty(n_samples, np.float32)
        carrier = np.exp(2j * np.pi * self.segments.centre * times)
        self.carrier = carrier.astype(np.complex64)
        self.interpolators = (carrier * self.segments.weights).astype(np.complex64)
        self._spread: tuple[NDArray[np.float32], float, SegmentedSpread] | None = None

    def spread(self, plan: NufftPlan, weights: NDArray[np.float32], max_error: float | None) -> SegmentedSpread:
        """Convolutions for the differences in frequency; the last ones are kept."""
        wanted = self.max_error if max_error is None else max_error
        if self._spread is None or self._spread[1] != wanted or not np.array_equal(self._spread[0], weights):
            differences = difference_histogram(*self.histogram)
            segments = segment_coefficients(self.times, *differences, max_error=wanted)
            self._spread = weights.copy(), wanted, SegmentedSpread(plan, weights, segments)
        return self._spread[2]
