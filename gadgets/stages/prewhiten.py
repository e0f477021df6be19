"""What every readout goes through before it is transformed: checks of its coils and samples, and noise whitening.

Noise readouts come before the images; the first image readout fixes the whitening for the whole scan.
"""

from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

from perfline.gadgets.errors import ReadoutError
from perfline.gadgets.stage_data import Notice, Readout, ScanHeader
from perfline.recon.coils.whitening import NoiseCovariance, whitening_matrix
from perfline.recon.constants import NOISE_EQUIVALENT_BANDWIDTH_RATIO

__all__ = ["Prewhiten", "check_finite", "count_finite"]


class Prewhiten:
    """Gather noise readouts, check channels and sample counts, give the whitening matrix.

    Parameters
    ----------
    header : ScanHeader
    dwell_time : float
        Of the images where their readouts leave it open [s]; 0 where the header says nothing either.
    """

    def __init__(self, header: ScanHeader, dwell_time: float = 0.0) -> None:
        self._n_coils = header.n_coils
        self._bandwidth = header.relative_noise_bandwidth
        self._dwell_time = dwell_time
        self._n_samples: int | None = None
        self._n_alike = 0
        self._refused: int | None = None
        self._noise: NoiseCovariance | None = None
        self._noise_sample_time = 0.0
        self._is_imaging = False
        self.matrix: NDArray[np.complex64] | None = None
        """Complex64 (n_coils, n_coils); None without a noise scan."""

    def add_noise(self, readout: Readout) -> Iterator[Notice]:
        """Take a noise readout.

        Raises
        ------
        ReadoutError
            Another number of coils, or NaN.
        """
        if self._is_imaging:
            yield Notice("warning", "noise readouts after the first image readout are not used")
            return
        self._check_channels(readout)
        check_finite(readout)
        if self._noise is None:
            self._noise = NoiseCovariance(readout.samples.shape[0])
            self._noise_sample_time = readout.sample_time
        self._noise.add(readout.samples)

    def check_sizes(self, readout: Readout) -> None:
        """Refuse a readout of another size than the first, unless that one stands alone against the next two.

        Raises
        ------
        ReadoutError
            Channel or sample count changes.
        """
        n_coils, n_samples = readout.samples.shape
        if n_coils != self._n_coils:
            self._check_channels(readout)
        if n_samples == self._n_samples:
            self._n_alike += 1
            return
        if self._n_samples is None:
            self._n_samples, self._n_alike = n_samples, 1
            return
        if self._n_alike == 1 and n_samples == self._refused:
            # the first was the odd one; its volume lacks the one that was refused
            self._n_samples = n_samples
            return
        self._refused = n_samples
        raise ReadoutError(f"number_of_samples: expected {self._n_samples} as before, got {n_samples}")

    def expects(self, shape: tuple[int, ...]) -> bool:
        """Whether `check_sizes` would do no more than count a readout of this shape."""
        return shape == (self._n_coils, self._n_samples)

    def count(self, n: int) -> None:
        """Count readouts of the expected shape that were not given to `check_sizes`."""
        self._n_alike += n

    def start(self, readout: Readout) -> Iterator[Notice]:
        """Fix what the first image readout decides: whitening. Nothing happens with later ones."""
        if self._is_imaging:
            return
        self._is_imaging = True
        if self._noise is None:
            yield Notice("info", "no noise scan: the coils are combined without whitening")
            return
        imaging = readout.sample_time or self._dwell_time
        noise = self._noise_sample_time
        if not (noise and imaging):
            yield Notice(
                "warning",
                "sample_time_us of the noise scan or of the images is 0: whitened as if both were equal",
            )
            noise = imaging = 1.0
        ratio = self._bandwidth or NOISE_EQUIVALENT_BANDWIDTH_RATIO
        if ratio > 1:
            yield Notice(
                "warning",
                f"relativeReceiverNoiseBandwidth: expected at most 1, got {ratio:g};"
                f" whitened with {NOISE_EQUIVALENT_BANDWIDTH_RATIO} (a common scale of all images)",
            )
            ratio = NOISE_EQUIVALENT_BANDWIDTH_RATIO
        self.matrix = whitening_matrix(self._noise.covariance(), noise, imaging, ratio)

    def _check_channels(self, readout: Readout) -> None:
        n_coils = readout.samples.shape[0]
        if self._n_coils is None:
            self._n_coils = n_coils
        if n_coils != self._n_coils:
            raise ReadoutError(f"active_channels: expected {self._n_coils} as before, got {n_coils}")


_LARGEST_ENERGY: Final = 1e30
"""Of a readout: what is larger overflows on its way to the image; receivers stay far below a thousandth of its root."""


def check_finite(readout: Readout) -> None:
    """Refuse samples that are not finite, or so large that they will not stay so.

    Raises
    ------
    ReadoutError
        With the number of bad values, or the largest.
    """
    # NaN and infinity survive in the energy, which is one fast pass without a temporary; it may also overflow
    samples = readout.samples
    if not np.vdot(samples, samples).real < _LARGEST_ENERGY:
        bad = int(np.count_nonzero(~np.isfinite(samples)))
        if bad:
            raise ReadoutError(f"samples: expected finite values, got {bad} that are NaN or infinite")
        largest = float(np.abs(samples).max())
        raise ReadoutError(f"samples: expected an energy below {_LARGEST_ENERGY:g}, got values up to {largest:.3g}")


def count_finite(samples: NDArray[np.complex64]) -> int:
    """Count the readouts before the first that `check_finite` refuses.

    Parameters
    ----------
    samples : complex64 array (n, n_coils, n_samples)
        C-contiguous.
    """
    each = samples.reshape(len(samples), -1)
    # as in check_finite; this product would warn of what is looked for
    with np.errstate(over="ignore", invalid="ignore"):
        is_usable = np.vecdot(each, each).real < _LARGEST_ENERGY
    return len(samples) if is_usable.all() else int(is_usable.argmin())
