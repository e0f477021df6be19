"""The normal operator with off-resonance: as many convolutions as the differences in frequency need segments."""

import numpy as np
from numpy.typing import NDArray

from perfline.recon.errors import InputError
from perfline.recon.nufft.batches import image_output
from perfline.recon.nufft.plan import NufftPlan
from perfline.recon.nufft.row_products import add_rows, multiply_rows
from perfline.recon.nufft.time_segments import TimeSegments
from perfline.recon.nufft.toeplitz import NormalOperator, SenseNormalOperator, point_spread

__all__ = ["OffResonanceNormal", "OffResonanceSenseNormal", "SegmentedSpread"]


class SegmentedSpread:
    """One convolution for each segment of the differences in frequency; they hold for any map in the same range.

    Parameters
    ----------
    plan : NufftPlan
        Its trajectory, matrix, threads and path.
    weights : float32 array (n_shots, n_samples)
    segments : TimeSegments
        Of frequencies symmetric about zero.
    """

    def __init__(self, plan: NufftPlan, weights: NDArray[np.float32], segments: TimeSegments) -> None:
        self.segments = segments
        self.matrix = plan.matrix
        parts = weights * segments.weights[:, None, :]
        first = NormalOperator(plan.trajectory, plan.matrix, parts[0], plan.n_threads)
        spreads = point_spread(plan.trajectory, plan.matrix, parts[1:]) if len(parts) > 1 else ()
        self.normals = (first, *(first.with_spread(spread) for spread in spreads))


class OffResonanceNormal:
    """``adjoint(weights * forward(image))`` of an `OffResonancePlan`, without gridding.

    Parameters
    ----------
    spread : SegmentedSpread
        Convolutions T_l.
    phases : complex64 array (n_segments, n_pixels)
        ``p_l(x) = exp(2 pi i f(x) tau_l)`` at the instants of the convolutions.

    Notes
    -----
    Between two pixels stands ``sum_j w_j exp(-2 pi i (f(x) - f(x')) t_j) exp(2 pi i k_j (x - x') / n)``. The difference
    d of the frequencies is interpolated, ``exp(-2 pi i d t_j) ~ sum_l b_lj exp(-2 pi i d tau_l)``, which leaves
    ``sum_l conj(p_l(x)) T_l(x - x') p_l(x')`` with the point-spread function T_l of the weights ``w_j b_lj``.
    Differences come in both signs, hence b and the transfer functions are real and the operator is Hermitian. Its
    negative eigenvalues, if any, are of the size of the error.

    References
    ----------
    Fessler et al. 2005, IEEE Trans Signal Process 53:3393-3402 (sec. V).
    """

    def __init__(self, spread: SegmentedSpread, phases: NDArray[np.complex64]) -> None:
        self.matrix = spread.matrix
        self._normals: tuple[NormalOperator, ...] = spread.normals
        self._phases = phases
        self._part = np.empty(0, np.complex64)

    @property
    def n_segments(self) -> int:
        """Number of convolutions."""
        return len(self._normals)

    def __call__(self, image: NDArray[np.complex64], out: NDArray[np.complex64] | None = None) -> NDArray[np.complex64]:
        """Apply the operator.

        Parameters
        ----------
        image : complex64 array (..., *matrix)
        out : complex64 array (..., *matrix), optional
            C-contiguous; overwritten. Not `image`.

        Returns
        -------
        complex64 array (..., *matrix)

        Raises
        ------
        InputError
            Wrong shape or type, or `out` is `image`.
        """
        out = _output_apart(image, self.matrix, out)
        if self._part.shape != image.shape:
            self._part = np.empty(image.shape, np.complex64)
        for number, normal in enumerate(self._normals):
            _phased(normal.n_threads, image, self._phases[number], self._part)
            normal(self._part, out=self._part)
            _collect(normal.n_threads, number, self._part, self._phases[number], out)
        return out

    def with_maps(self, maps: NDArray[np.complex64]) -> "OffResonanceSenseNormal":
        """Normal operator of a multi-coil acquisition.

        Parameters
        ----------
        maps : complex64 array (..., n_coils, *matrix)

        Returns
        -------
        OffResonanceSenseNormal
        """
        return OffResonanceSenseNormal(self, maps)


class OffResonanceSenseNormal:
    """``sum_c conj(maps_c) N(maps_c image)``: the matrix of a CG-SENSE reconstruction with off-resonance.

    Parameters
    ----------
    normal : OffResonanceNormal
        N. Its buffers are used: one caller at a time.
    maps : complex64 array (..., n_coils, *matrix)

    Raises
    ------
    InputError
        Wrong shape or type of the maps.

    Notes
    -----
    The phase of a segment is common to all coils: it is given to the image before the maps and taken back after the
    coils are combined.
    """

    def __init__(self, normal: OffResonanceNormal, maps: NDArray[np.complex64]) -> None:
        first, *others = normal._normals
        sense = first.with_maps(maps)
        self.normal = normal
        self.batch = sense.batch
        self._senses: tuple[SenseNormalOperator, ...] = (sense, *(sense.with_normal(other) for other in others))
        self._phased, self._part = np.empty((2, *self.batch, *normal.matrix), np.complex64)

    def __call__(self, image: NDArray[np.complex64], out: NDArray[np.complex64] | None = None) -> NDArray[np.complex64]:
        """Apply the operator.

        Parameters
        ----------
        image : complex64 array (..., *matrix)
            Leading axes as those of the maps.
        out : complex64 array (..., *matrix), optional
            C-contiguous; overwritten. Not `image`.

        Returns
        -------
        complex64 array (..., *matrix)

        Raises
        ------
        InputError
            Wrong shape or type, or `out` is `image`.
        """
        if image.shape != self._part.shape:
            raise InputError(f"image: expected {self._part.shape}, got {image.shape}")
        out = _output_apart(image, self.normal.matrix, out)
        for number, (sense, phases) in enumerate(zip(self._senses, self.normal._phases, strict=True)):
            _phased(sense.normal.n_threads, image, phases, self._phased)
            sense(self._phased, out=self._part)
            _collect(sense.normal.n_threads, number, self._part, phases, out)
        return out


def _output_apart(
    image: NDArray[np.complex64], matrix: tuple[int, ...], out: NDArray[np.complex64] | None
) -> NDArray[np.complex64]:
    """The array to write to, apart from the image."""
    result = image_output(image, matrix, out)
    if out is not None and np.may_share_memory(image, out):
        raise InputError("out: expected an array apart from image")
    return result


def _phased(
    n_threads: int, image: NDArray[np.complex64], phases: NDArray[np.complex64], out: NDArray[np.complex64]
) -> None:
    """``out = phases image``."""
    rows = np.ascontiguousarray(image).reshape(-1, phases.size)
    multiply_rows(n_threads, rows, phases, False, out.reshape(rows.shape))


def _collect(
    n_threads: int, number: int, part: NDArray[np.complex64], phases: NDArray[np.complex64], out: NDArray[np.complex64]
) -> None:
    """``out (+)= conj(phases) part``."""
    rows = part.reshape(-1, phases.size)
    (add_rows if number else multiply_rows)(n_threads, rows, phases, True, out.reshape(rows.shape))
