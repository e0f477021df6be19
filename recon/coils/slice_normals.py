"""Slices that do not share one normal operator, as with a field map each, behind the face of one."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from perfline.recon.checks import check_shape
from perfline.recon.errors import InputError

__all__ = ["CoilNormal", "Normal", "SliceNormals"]


class CoilNormal(Protocol):
    """``sum_c conj(maps_c) T(maps_c image)`` of all slices; `batch` are the leading axes of the maps."""

    batch: tuple[int, ...]

    def __call__(self, image: NDArray[np.complex64], out: NDArray[np.complex64] | None = None) -> NDArray[np.complex64]:
        """Apply to images (*batch, *matrix); `out` is not `image`."""
        ...


class Normal(Protocol):
    """Normal operator of a trajectory: `NormalOperator`, `OffResonanceNormal` and `SliceNormals`."""

    matrix: tuple[int, ...]

    def with_maps(self, maps: NDArray[np.complex64]) -> CoilNormal:
        """Normal operator of a multi-coil acquisition, maps (..., n_coils, *matrix)."""
        ...


class SliceNormals:
    """One normal operator for each slice.

    Parameters
    ----------
    normals : sequence of Normal
        Of one matrix. They may share buffers: slices are worked on one after the other.

    Raises
    ------
    InputError
        None, or matrices that differ.

    Examples
    --------
    >>> from perfline.recon.nufft.toeplitz import NormalOperator
    >>> k = np.random.default_rng(0).uniform(-6, 6, (2, 1, 50, 2))
    >>> normals = SliceNormals([NormalOperator(k[0], (12, 12)), NormalOperator(k[1], (12, 12))])
    >>> operator = normals.with_maps(np.ones((2, 3, 12, 12), np.complex64))
    >>> operator(np.ones((2, 12, 12), np.complex64)).shape
    (2, 12, 12)
    """

    def __init__(self, normals: Sequence[Normal]) -> None:
        if not normals:
            raise InputError("normals: expected at least one, got none")
        self.matrix = normals[0].matrix
        for number, normal in enumerate(normals):
            if normal.matrix != self.matrix:
                raise InputError(f"normals: expected a matrix of {self.matrix}, got {normal.matrix} of slice {number}")
        self.normals = tuple(normals)

    def with_maps(self, maps: NDArray[np.complex64]) -> "_SliceCoilNormals":
        """Normal operator of a multi-coil acquisition.

        Parameters
        ----------
        maps : complex64 array (n_slices, n_coils, *matrix)

        Returns
        -------
        CoilNormal

        Raises
        ------
        InputError
            Wrong shape or type of the maps.
        """
        check_shape("maps", maps, (len(self.normals), "n_coils", *self.matrix))
        return _SliceCoilNormals([normal.with_maps(own) for normal, own in zip(self.normals, maps, strict=True)])


class _SliceCoilNormals:
    """The operators of all slices, each with its maps."""

    def __init__(self, operators: Sequence[CoilNormal]) -> None:
        self.batch: tuple[int, ...] = (len(operators),)
        self._operators = operators

    def __call__(self, image: NDArray[np.complex64], out: NDArray[np.complex64] | None = None) -> NDArray[np.complex64]:
        """Apply slice by slice."""
        if image.ndim == 0 or len(image) != len(self._operators):
            raise InputError(f"image: expected {len(self._operators)} slices, got {image.shape}")
        out = np.empty_like(image) if out is None else out
        for operator, source, result in zip(self._operators, image, out, strict=True):
            operator(source, out=result)
        return out
