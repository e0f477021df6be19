"""A stack of spirals along its partitions: Fourier transform, zero filling, crop, and combination of the coils."""

from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from perfline.recon.checks import check_finite, check_positive, check_shape
from perfline.recon.errors import InputError
from perfline.recon.fourier import centred_positions
from perfline.recon.lanes.fft import LANE_SIZES, FftTables, LaneFft
from perfline.recon.lanes.vector import CELL, LANES, aligned_zeros, lanes_available
from perfline.recon.nufft import stack_kernels

__all__ = ["StackPathName", "StackTransform"]

StackPathName = Literal["auto", "wide", "portable"]
_CHUNK_BYTES = 2**22
"""Of an image on the portable path: what is done at once should fit into a cache."""

# to type checkers a compiled function takes no starred arguments
_transform_stack: Any = stack_kernels.transform_stack
_combine_stack: Any = stack_kernels.combine_stack


class StackTransform:
    """From the images of the acquired partitions, each transformed in plane, to the slices of the volume.

    Parameters
    ----------
    partition_numbers : int array (n_partitions,)
        Number of each acquired partition (``kspace_encode_step_2``), in the order of the images.
    centre : int
        The number of the partition at k = 0.
    n_encoded : int
        Partitions of the whole encoded slab, oversampling included; those that were not acquired count as zero.
    n_recon : int
        Slices wanted from the middle of the slab, at most `n_encoded`.
    shift : float
        Where the middle of the slices lies on the encoded slab [slices]: what is at ``shift`` appears at slice
        ``n_recon // 2``.
    weights : float array (n_partitions,), optional
        Factor of each partition, as of `perfline.recon.nufft.homodyne`; 1 where left out.
    n_threads : int
        Threads of one call.
    path : {"auto", "wide", "portable"}
        The wide path needs a processor with vector registers and images of at least 16 pixels; "auto" takes it where
        it applies.

    Raises
    ------
    InputError
        A partition lies outside the encoded slab or came twice, sizes don't fit, or the wide path does not apply.

    Notes
    -----
    ``image(z) = n_encoded**-0.5 sum_p w_p partition(p) exp(2 pi i k_p (z - n_recon // 2 + shift) / n_encoded)`` with
    ``k_p = partition_numbers[p] - centre``: the unitary centred inverse transform of `perfline.recon.fourier`, cropped.

    The object holds the buffers of a call and serves one caller at a time.

    Examples
    --------
    >>> transform = StackTransform([0, 1, 2, 3], centre=2, n_encoded=4, n_recon=4)
    >>> partitions = np.ones((4, 1, 4, 4), np.complex64)
    >>> np.abs(transform.coil_images(partitions)[:, 0, 0, 0]).round(6)
    array([0., 0., 2., 0.], dtype=float32)
    """

    def __init__(
        self,
        partition_numbers: ArrayLike,
        centre: int,
        n_encoded: int,
        n_recon: int,
        *,
        shift: float = 0.0,
        weights: ArrayLike | None = None,
        n_threads: int = 1,
        path: StackPathName = "auto",
    ) -> None:
        check_positive("n_encoded", n_encoded)
        check_positive("n_recon", n_recon)
        check_positive("n_threads", n_threads)
        check_finite("shift", shift)
        if n_recon > n_encoded:
            raise InputError(f"n_recon: expected at most the {n_encoded} encoded, got {n_recon}")
        if path not in ("auto", "wide", "portable"):
            raise InputError(f"path: expected auto, wide or portable, got {path!r}")
        if path == "wide" and not lanes_available():
            raise InputError("path: the wide path does not apply on this processor")
        self.n_encoded, self.n_recon, self.n_threads = int(n_encoded), int(n_recon), int(n_threads)
        self._path = path
        k = _positions(partition_numbers, centre, self.n_encoded)
        self.n_partitions = k.size
        factors = np.ones(k.size) if weights is None else np.asarray(weights, np.float64)
        check_shape("weights", factors, (self.n_partitions,))
        check_finite("weights", factors)
        pixels = centred_positions(self.n_recon)
        turns = np.outer(pixels + shift, k) / self.n_encoded
        self._matrix = (factors * np.exp(2j * np.pi * turns) / np.sqrt(self.n_encoded)).astype(np.complex64)
        if path != "portable" and lanes_available():
            self._make_tables(k, pixels, shift, factors)

    def _make_tables(
        self, k: NDArray[np.int64], pixels: NDArray[np.float64], shift: float, factors: NDArray[np.float64]
    ) -> None:
        """Tables and buffers of the kernels."""
        is_fast = self.n_encoded in LANE_SIZES
        n_grid = self.n_encoded if is_fast else LANE_SIZES[0]
        bins = pixels.astype(np.int64) % self.n_encoded if is_fast else np.zeros(1, np.int64)
        scale = np.full(bins.size, self.n_encoded**-0.5, np.float32)
        self._fft: FftTables = LaneFft(n_grid, bins, scale).tables
        n_cells = self.n_encoded if is_fast else k.size
        phases = factors * np.exp(2j * np.pi * k * shift / self.n_encoded) if is_fast else np.ones(k.size)
        self._tables = (
            k % self.n_encoded if is_fast else np.arange(k.size),
            phases.astype(np.complex64).view(np.float32),
            np.empty(0, np.float32) if is_fast else self._matrix.reshape(-1).view(np.float32),
            n_cells,
            self.n_recon,
            self._fft,
        )
        blocks = stack_kernels.CHUNK * CELL
        self._grid = aligned_zeros(self.n_threads, n_cells * blocks)
        self._line = aligned_zeros(self.n_threads, self.n_recon * blocks)
        self._total = aligned_zeros(self.n_threads, self.n_recon * blocks)
        self._scratch = aligned_zeros(self.n_threads, n_grid * CELL)

    def empty_images(self, n_coils: int, n_y: int, n_x: int) -> NDArray[np.complex64]:
        """Array for the result of `coil_images`, which begins at a cache line: written faster than any other."""
        return _output(None, (self.n_recon, n_coils, n_y, n_x))

    def coil_images(
        self, partitions: NDArray[np.complex64], out: NDArray[np.complex64] | None = None
    ) -> NDArray[np.complex64]:
        """Transform, for the estimation of maps.

        Parameters
        ----------
        partitions : complex64 array (n_partitions, n_coils, n_y, n_x)
            C-contiguous.
        out : complex64 array (n_recon, n_coils, n_y, n_x), optional
            C-contiguous; overwritten.

        Returns
        -------
        complex64 array (n_recon, n_coils, n_y, n_x)
            `out` where given.

        Raises
        ------
        InputError
            Wrong shape, type or layout.
        """
        check_shape("partitions", partitions, (self.n_partitions, "n_coils", "n_y", "n_x"))
        _check_layout("partitions", partitions)
        images = _output(out, (self.n_recon, *partitions.shape[1:]))
        n = images[0].size
        if not self._is_wide(n):
            self._multiply(partitions.reshape(self.n_partitions, n), images.reshape(self.n_recon, n))
            return images
        source, target = partitions.reshape(-1).view(np.float32), images.reshape(-1).view(np.float32)
        _transform_stack(self.n_threads, n, source, *self._tables, self._grid, self._line, self._scratch, target)
        return images

    def combined(
        self,
        partitions: NDArray[np.complex64],
        weights: NDArray[np.complex64],
        out: NDArray[np.complex64] | None = None,
    ) -> NDArray[np.complex64]:
        """Transform and combine the coils in one pass.

        Parameters
        ----------
        partitions : complex64 array (n_partitions, n_coils, n_y, n_x)
            C-contiguous.
        weights : complex64 array (n_recon, n_coils, n_y, n_x)
            C-contiguous; of `perfline.recon.coils.combination.combination_weights`.
        out : complex64 array (n_recon, n_y, n_x), optional
            C-contiguous; overwritten.

        Returns
        -------
        complex64 array (n_recon, n_y, n_x)
            ``sum_c weights_c images_c``; `out` where given.

        Raises
        ------
        InputError
            Wrong shape, type or layout.
        """
        check_shape("partitions", partitions, (self.n_partitions, "n_coils", "n_y", "n_x"))
        _check_layout("partitions", partitions)
        check_shape("weights", weights, (self.n_recon, *partitions.shape[1:]))
        _check_layout("weights", weights)
        image = _output(out, (self.n_recon, *partitions.shape[2:]))
        n_coils, n = partitions.shape[1], image[0].size
        if not self._is_wide(n):
            self._multiply_and_combine(partitions, weights, image)
            return image
        _combine_stack(
            self.n_threads,
            n_coils,
            n,
            partitions.reshape(-1).view(np.float32),
            weights.reshape(-1).view(np.float32),
            *self._tables,
            self._grid,
            self._line,
            self._total,
            self._scratch,
            image.reshape(-1).view(np.float32),
        )
        return image

    def _is_wide(self, n_pixels: int) -> bool:
        applies = n_pixels >= LANES and lanes_available()
        if self._path == "wide" and not applies:
            raise InputError(f"path: the wide path does not apply to images of {n_pixels} pixels")
        return applies and self._path != "portable"

    def _multiply(self, partitions: NDArray[np.complex64], images: NDArray[np.complex64]) -> None:
        """Portable: the dense matrix, some columns at a time."""
        step = max(1, _CHUNK_BYTES // (8 * self.n_encoded))
        for begin in range(0, images.shape[1], step):
            part = slice(begin, begin + step)
            images[:, part] = self._matrix @ partitions[:, part]

    def _multiply_and_combine(
        self, partitions: NDArray[np.complex64], weights: NDArray[np.complex64], image: NDArray[np.complex64]
    ) -> None:
        image[:] = 0
        for coil in range(partitions.shape[1]):
            of_coil = self._matrix @ partitions[:, coil].reshape(self.n_partitions, -1)
            image += weights[:, coil] * of_coil.reshape(image.shape)


def _positions(partition_numbers: ArrayLike, centre: int, n_encoded: int) -> NDArray[np.int64]:
    """Position of each partition in cycles per slab, all within it, each once."""
    numbers = np.asarray(partition_numbers)
    check_shape("partition_numbers", numbers, ("n_partitions",))
    if numbers.size == 0:
        raise InputError("partition_numbers: expected at least one, got none")
    if not np.issubdtype(numbers.dtype, np.integer):
        raise InputError(f"partition_numbers: expected integers, got {numbers.dtype}")
    values, counts = np.unique(numbers, return_counts=True)
    if counts.max() > 1:
        twice = values[counts.argmax()]
        raise InputError(f"partition_numbers: expected each once, got {twice} {counts.max()} times")
    first = centre - n_encoded // 2
    if values[0] < first or values[-1] >= first + n_encoded:
        raise InputError(
            f"partition_numbers: expected {first} to {first + n_encoded - 1} for centre {centre},"
            f" got {values[0]} to {values[-1]}"
        )
    return numbers.astype(np.int64) - int(centre)


def _check_layout(name: str, array: NDArray[np.complex64]) -> None:
    # another type or layout would be compiled anew in the middle of a scan
    if array.dtype != np.complex64 or not array.flags.c_contiguous:
        layout = "C-contiguous" if array.flags.c_contiguous else "strided"
        raise InputError(f"{name}: expected C-contiguous complex64, got {layout} {array.dtype}")


def _output(out: NDArray[np.complex64] | None, shape: tuple[int, ...]) -> NDArray[np.complex64]:
    """The array to write to."""
    if out is None:
        return aligned_zeros(*shape[:-1], 2 * shape[-1]).view(np.complex64)
    check_shape("out", out, shape)
    _check_layout("out", out)
    return out
