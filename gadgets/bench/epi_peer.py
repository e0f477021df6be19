"""EPI by numpy and scipy, as fast as these can be made to do it, and exactly in double precision."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from perfline.recon.epi.ghost_phase import GhostPhase
from perfline.recon.epi.ramp import ReadoutOperator
from perfline.recon.fourier import centred_positions, dft_matrix

__all__ = ["exact_image", "peer_pipelines"]

Pipeline = Callable[[], NDArray[np.complex64]]
_N_THREADS = 2


def peer_pipelines(
    raw: NDArray[np.complex64],
    operator: ReadoutOperator,
    ghost: Sequence[GhostPhase],
    weights: NDArray[np.complex64],
) -> Iterator[tuple[str, Pipeline]]:
    """Matrix product along x, scipy's FFT along y, einsum over the coils; even lines forward, odd ones reversed.

    raw (n_slices, n_lines, n_coils, n_samples), a complete set of an even number of lines; one ghost phase a slice;
    weights (n_slices, n_coils, n_y, n_x). What is the same in every volume is made here, not timed: the ghost phase is
    in the matrices, the shifts of the transform are in the places of lines and weights.
    """
    n_slices, n_lines, n_coils, n_samples = raw.shape
    n_x = operator.forward.shape[1]
    half = n_lines // 2
    phasors = np.exp(0.5j * np.stack([phase.at(n_x) for phase in ghost])).astype(np.complex64)
    matrices = operator.forward * phasors[:, None], operator.reversed * phasors.conj()[:, None]
    places = [(np.arange(polarity, n_lines, 2) - half) % n_lines for polarity in range(2)]
    coil_first = np.ascontiguousarray(np.roll(weights, -half, axis=2))
    row_first = np.ascontiguousarray(coil_first.transpose(0, 2, 1, 3))
    hybrid = np.empty((n_slices, n_lines, n_coils, n_x), np.complex64)

    def line_by_line() -> None:
        for polarity, matrix in enumerate(matrices):
            hybrid[:, places[polarity]] = np.matmul(raw[:, polarity::2], matrix[:, None])

    def slice_by_slice() -> None:
        for polarity, matrix in enumerate(matrices):
            lines = np.matmul(raw[:, polarity::2].reshape(n_slices, -1, n_samples), matrix)
            hybrid[:, places[polarity]] = lines.reshape(n_slices, half, n_coils, n_x)

    def make(multiply: Callable[[], None], layout: str, planned: NDArray[np.complex64]) -> Pipeline:
        def run() -> NDArray[np.complex64]:
            multiply()
            images = scipy.fft.ifft(hybrid, axis=1, norm="ortho", workers=_N_THREADS)
            return np.roll(np.einsum(layout, planned, images), half, axis=1)

        return run

    for multiply, how in ((line_by_line, "line by line"), (slice_by_slice, "slice by slice")):
        yield f"numpy {how}, weights coil by coil", make(multiply, "scyx,sycx->syx", coil_first)
        yield f"numpy {how}, weights row by row", make(multiply, "sycx,sycx->syx", row_first)


def exact_image(
    raw: NDArray[np.complex64], operator: ReadoutOperator, ghost: GhostPhase, weights: NDArray[np.complex64]
) -> NDArray[np.complex128]:
    """One slice of `peer_pipelines` in double precision, by the sums themselves."""
    n_lines, n_x = raw.shape[0], operator.forward.shape[1]
    phasor = np.exp(0.5j * ghost.at(n_x))
    lines = np.empty((*raw.shape[:2], n_x), np.complex128)
    lines[0::2] = (raw[0::2].astype(np.complex128) @ operator.forward) * phasor
    lines[1::2] = (raw[1::2].astype(np.complex128) @ operator.reversed) * phasor.conj()
    places = centred_positions(n_lines)
    images = np.tensordot(dft_matrix(places, places, n_lines).conj().T, lines, 1)
    return np.asarray(np.einsum("cyx,ycx->yx", weights, images))
