"""The normal operator of a trajectory as one convolution with its point-spread function."""

from collections.abc import Sequence
from copy import copy
from typing import Literal

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from perfline.recon.checks import check_shape
from perfline.recon.errors import InputError
from perfline.recon.lanes.fft import LANE_SIZES, FftTables, LaneFft
from perfline.recon.lanes.vector import CELL, LANES, aligned_zeros
from perfline.recon.nufft import toeplitz_3d_kernels, toeplitz_kernels
from perfline.recon.nufft.batches import image_output
from perfline.recon.nufft.gridding import SMOOTH_SIZES
from perfline.recon.nufft.plan import NufftPlan, PathName
from perfline.recon.nufft.toeplitz_3d_kernels import Convolution3D, ConvolutionBuffers3D
from perfline.recon.nufft.toeplitz_kernels import Convolution2D, ConvolutionBuffers
from perfline.recon.nufft.wide import wide_applies
from perfline.recon.nufft.wide_kernels import BLOCK

__all__ = ["NormalOperator", "SenseNormalOperator", "point_spread"]

_TOLERANCE = 2e-6
"""Of the point-spread function, computed once per trajectory."""


def point_spread(
    trajectory: NDArray[np.float64], matrix: Sequence[int], weights: NDArray[np.float32] | None = None
) -> NDArray[np.complex64]:
    """Response of ``adjoint(weights * forward(.))`` to a point, at all distances within the image.

    Parameters
    ----------
    trajectory : float64 array (n_shots, n_samples, n_axes)
        Cycles per field of view.
    matrix : sequence of int
    weights : float32 array (..., n_shots, n_samples), optional

    Returns
    -------
    complex64 array (..., 2 n_y, 2 n_x) or (..., 2 n_z, 2 n_y, 2 n_x)
        Distance 0 at index ``n``; leading axes as those of the weights.

    Notes
    -----
    ``T(d) = prod(n)**-1 sum_j w_j exp(2 pi i k_j d / n)``: the adjoint of the weights on a field of view of twice the
    size, where the positions are ``2 k``.
    """
    doubled = tuple(2 * n for n in matrix)
    plan = NufftPlan(2 * trajectory, doubled, _TOLERANCE)
    samples = np.ones(plan.sample_shape, np.complex64) if weights is None else weights.astype(np.complex64)
    # adjoint carries prod(2 n)**-0.5
    return plan.adjoint(samples) * np.float32(np.sqrt(np.prod(doubled)) / np.prod(matrix))


class NormalOperator:
    """``adjoint(weights * forward(image))`` without gridding.

    Parameters
    ----------
    trajectory : float64 array (n_shots, n_samples, n_axes)
        Cycles per field of view.
    matrix : sequence of int
    weights : float32 array (n_shots, n_samples), optional
    n_threads : int
    path : {"auto", "wide", "portable"}
        As for `NufftPlan`. The wide path takes up to 288 pixels on an axis and at least 8 on the last one.

    Notes
    -----
    ``y(x) = sum_x' T(x - x') image(x')``: the image is padded to at least twice its size, transformed, multiplied by
    the real transfer function (T is Hermitian, the weights are real), transformed back and cropped. The wide path holds
    about 256 bytes for each pixel of a volume in three dimensions, of an image for each thread in two.

    References
    ----------
    Wajer and Pruessmann 2001, Proc ISMRM 9:767. Fessler et al. 2005, IEEE Trans Signal Process 53:3393-3402 (sec. III).

    Examples
    --------
    >>> k = np.random.default_rng(0).uniform(-6, 6, (3, 20, 2))
    >>> plan = NufftPlan(k, (12, 12), tolerance=1e-5)
    >>> image = np.ones((12, 12), np.complex64)
    >>> bool(np.allclose(plan.normal_operator()(image), plan.adjoint(plan.forward(image)), atol=1e-3))
    True
    """

    def __init__(
        self,
        trajectory: NDArray[np.float64],
        matrix: Sequence[int],
        weights: NDArray[np.float32] | None = None,
        n_threads: int = 1,
        path: PathName = "auto",
    ) -> None:
        self.matrix = tuple(matrix)
        self.n_threads = n_threads
        fits = wide_applies(self.matrix, BLOCK) and 2 * max(self.matrix) <= LANE_SIZES[-1]
        if path == "wide" and not fits:
            raise InputError(f"path: the wide path does not apply to a matrix of {self.matrix} on this processor")
        self.path_name: Literal["wide", "portable"] = "wide" if fits and path != "portable" else "portable"
        sizes = LANE_SIZES if self.path_name == "wide" else SMOOTH_SIZES
        self._shape = tuple(next(size for size in sizes if size >= 2 * n) for n in self.matrix)
        self._transfer = _transfer_function(point_spread(trajectory, self.matrix, weights), self._shape)
        if self.path_name == "wide" and len(self.matrix) == 2:
            self._wide = _make_wide(self.matrix, self._shape, self._transfer, n_threads)
        elif self.path_name == "wide":
            self._wide_3d = _make_wide_3d(self.matrix, self._shape, self._transfer, n_threads)
        else:
            self._padded = np.empty(self._shape, np.complex64)

    def __call__(self, image: NDArray[np.complex64], out: NDArray[np.complex64] | None = None) -> NDArray[np.complex64]:
        """Apply the operator.

        Parameters
        ----------
        image : complex64 array (..., *matrix)
        out : complex64 array (..., *matrix), optional
            C-contiguous; overwritten. May be `image`.

        Returns
        -------
        complex64 array (..., *matrix)

        Raises
        ------
        InputError
            Wrong shape or type.
        """
        out = image_output(image, self.matrix, out)
        images = np.ascontiguousarray(image).reshape(-1, *self.matrix)
        if self.path_name == "portable":
            for source, result in zip(images, out.reshape(-1, *self.matrix), strict=True):
                self._convolve(source, result)
            return out
        flat, results = images.reshape(-1).view(np.float32), out.reshape(-1).view(np.float32)
        n_units = -(-len(images) // LANES)
        if len(self.matrix) == 3:
            self._convolve_volumes(n_units, len(images), 1, flat, np.empty(0, np.float32), results)
        elif self.n_threads == 1:
            toeplitz_kernels.convolve_images(0, n_units, 0, len(images), flat, *self._wide, results)
        else:
            toeplitz_kernels.convolve_images_parallel(self.n_threads, len(images), flat, *self._wide, results)
        return out

    def with_maps(self, maps: NDArray[np.complex64]) -> "SenseNormalOperator":
        """Normal operator of a multi-coil acquisition.

        Parameters
        ----------
        maps : complex64 array (..., n_coils, *matrix)
            Coil sensitivities, for each slice if there are leading axes.

        Returns
        -------
        SenseNormalOperator
        """
        return SenseNormalOperator(self, maps)

    def with_spread(self, spread: NDArray[np.complex64]) -> "NormalOperator":
        """Operator of another point-spread function of the same matrix; it shares the buffers of this one.

        Parameters
        ----------
        spread : complex64 array (2 n_y, 2 n_x) or (2 n_z, 2 n_y, 2 n_x)
            As of `point_spread`.

        Returns
        -------
        NormalOperator
        """
        check_shape("spread", spread, [2 * n for n in self.matrix])
        other = copy(self)
        other._transfer = _transfer_function(spread, self._shape)
        transfer = np.ascontiguousarray(other._transfer.T).ravel()
        if self.path_name == "wide" and len(self.matrix) == 2:
            other._wide = (self._wide[0]._replace(transfer=transfer), *self._wide[1:])
        elif self.path_name == "wide":
            other._wide_3d = (self._wide_3d[0]._replace(transfer=transfer), *self._wide_3d[1:])
        return other

    def _convolve_volumes(
        self,
        n_steps: int,
        n_images: int,
        n_units: int,
        images: NDArray[np.float32],
        maps: NDArray[np.float32],
        out: NDArray[np.float32],
    ) -> None:
        """Volumes on the wide path."""
        arguments = (n_steps, n_images, n_units, images, maps, *self._wide_3d, out)
        if self.n_threads == 1:
            toeplitz_3d_kernels.convolve_volumes(*arguments)
        else:
            toeplitz_3d_kernels.convolve_volumes_parallel(self.n_threads, *arguments)

    def _convolve(self, source: NDArray[np.complex64], result: NDArray[np.complex64]) -> None:
        """One image on the portable path."""
        inside = tuple(slice(0, n) for n in self.matrix)
        self._padded[:] = 0
        self._padded[inside] = source
        spectrum = scipy.fft.fftn(self._padded, overwrite_x=True, workers=self.n_threads)
        np.multiply(spectrum, self._transfer, out=spectrum)
        result[:] = scipy.fft.ifftn(spectrum, norm="forward", overwrite_x=True, workers=self.n_threads)[inside]


class SenseNormalOperator:
    """``sum_c conj(maps_c) T(maps_c image)``: the matrix of a CG-SENSE reconstruction.

    Parameters
    ----------
    normal : NormalOperator
        T. Its buffers are used: one caller at a time.
    maps : complex64 array (..., n_coils, *matrix)

    Raises
    ------
    InputError
        Wrong shape or type of the maps.

    References
    ----------
    Pruessmann et al. 2001, Magn Reson Med 46:638-651.
    """

    def __init__(self, normal: NormalOperator, maps: NDArray[np.complex64]) -> None:
        n_axes = len(normal.matrix)
        if maps.ndim <= n_axes or maps.shape[-n_axes:] != normal.matrix or maps.dtype != np.complex64:
            sizes = ", ".join(map(str, normal.matrix))
            raise InputError(f"maps: expected complex64 (..., n_coils, {sizes}), got {maps.dtype} {maps.shape}")
        self.normal = normal
        self.batch = maps.shape[: -n_axes - 1]
        self._maps = maps.reshape(-1, *maps.shape[-n_axes - 1 :])
        n_images, n_coils = self._maps.shape[:2]
        if normal.path_name == "portable":
            self._one_coil = np.empty(normal.matrix, np.complex64)
            return
        self._n_units = -(-n_coils // LANES)
        cells = aligned_zeros(n_images, self._n_units, *normal.matrix, 2, LANES)
        for coil in range(n_coils):
            cells[:, coil // LANES, ..., 0, coil % LANES] = self._maps[:, coil].real
            cells[:, coil // LANES, ..., 1, coil % LANES] = self._maps[:, coil].imag
        self._cells = cells.reshape(-1)

    def with_normal(self, normal: NormalOperator) -> "SenseNormalOperator":
        """The same maps with another T, one made by `NormalOperator.with_spread` of this one."""
        other = copy(self)
        other.normal = normal
        return other

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
        normal = self.normal
        if image.shape != self.batch + normal.matrix:
            raise InputError(f"image: expected {self.batch + normal.matrix}, got {image.shape}")
        if out is not None and np.may_share_memory(image, out):
            raise InputError("out: expected an array apart from image")
        out = image_output(image, normal.matrix, out)
        images = np.ascontiguousarray(image).reshape(-1, *normal.matrix)
        if normal.path_name == "portable":
            for source, maps, result in zip(images, self._maps, out.reshape(images.shape), strict=True):
                result[:] = 0
                for sensitivity in maps:
                    np.multiply(sensitivity, source, out=self._one_coil)
                    normal._convolve(self._one_coil, self._one_coil)
                    result += sensitivity.conj() * self._one_coil
            return out
        flat, results = images.reshape(-1).view(np.float32), out.reshape(-1).view(np.float32)
        if len(normal.matrix) == 3:
            n_steps = len(images) * self._n_units
            normal._convolve_volumes(n_steps, len(images), self._n_units, flat, self._cells, results)
            return out
        arguments = (self._n_units, flat, self._cells, *normal._wide, results)
        if normal.n_threads == 1:
            toeplitz_kernels.convolve_coils(0, len(images), 0, *arguments)
        else:
            toeplitz_kernels.convolve_coils_parallel(normal.n_threads, len(images), *arguments)
        return out


def _make_wide(
    matrix: tuple[int, ...], shape: tuple[int, ...], transfer: NDArray[np.float32], n_threads: int
) -> tuple[Convolution2D, FftTables, FftTables, ConvolutionBuffers]:
    """Sizes, transforms and buffers for `toeplitz_kernels`."""
    (n_y, n_x), (n_grid_y, n_grid_x) = matrix, shape
    row_stride = n_grid_x * CELL + LANES
    sizes = Convolution2D(n_y, n_x, n_grid_y, n_grid_x, row_stride, np.ascontiguousarray(transfer.T).ravel())
    tables = (LaneFft(size, np.arange(n), np.ones(n, np.float32)).tables for n, size in zip(matrix, shape, strict=True))
    buffers = ConvolutionBuffers(
        aligned_zeros(n_threads, n_y * row_stride),
        aligned_zeros(n_threads, n_grid_y * CELL),
        aligned_zeros(n_threads, n_x * CELL),
        np.arange(LANES, dtype=np.int64) * LANES,
        np.zeros((n_threads, LANES), np.int64),
    )
    y, x = tables
    return sizes, y, x, buffers


def _make_wide_3d(
    matrix: tuple[int, ...], shape: tuple[int, ...], transfer: NDArray[np.float32], n_threads: int
) -> tuple[Convolution3D, FftTables, FftTables, FftTables, ConvolutionBuffers3D]:
    """Sizes, transforms and buffers for `toeplitz_3d_kernels`."""
    (n_z, n_y, n_x), (n_grid_z, n_grid_y, n_grid_x) = matrix, shape
    row_stride, plane_stride = n_grid_x * CELL + LANES, n_grid_y * CELL + LANES
    flat = np.ascontiguousarray(transfer.T).ravel()
    sizes = Convolution3D(n_z, n_y, n_x, n_grid_z, n_grid_y, n_grid_x, row_stride, plane_stride, flat)
    tables = (LaneFft(size, np.arange(n), np.ones(n, np.float32)).tables for n, size in zip(matrix, shape, strict=True))
    buffers = ConvolutionBuffers3D(
        aligned_zeros(n_z * n_y * row_stride),
        aligned_zeros(n_threads, n_z * plane_stride),
        aligned_zeros(n_threads, n_grid_z * CELL),
        aligned_zeros(n_threads, n_x * CELL),
        np.arange(LANES, dtype=np.int64) * LANES,
        np.zeros((n_threads, LANES), np.int64),
    )
    z, y, x = tables
    return sizes, z, y, x, buffers


def _transfer_function(spread: NDArray[np.complex64], shape: Sequence[int]) -> NDArray[np.float32]:
    """Real spectrum of the point-spread function on a periodic grid of at least twice the image, with 1 / size."""
    periodic = np.zeros(shape, np.complex128)
    distances = [np.arange(1 - size // 2, size // 2) for size in spread.shape]
    target = np.ix_(*(d % size for d, size in zip(distances, shape, strict=True)))
    source = np.ix_(*(d + size // 2 for d, size in zip(distances, spread.shape, strict=True)))
    periodic[target] = spread[source]
    return (scipy.fft.fftn(periodic).real / periodic.size).astype(np.float32)
