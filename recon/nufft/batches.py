"""Images and samples with leading axes (coils, slices), as the transforms take and give them."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from perfline.recon.errors import InputError

__all__ = ["image_output", "leading_axes"]


def leading_axes(name: str, array: NDArray[np.complex64], trailing: Sequence[int]) -> tuple[int, ...]:
    """Leading axes of a complex64 array that must end in these sizes.

    Raises
    ------
    InputError
        Other sizes, or another type.

    Examples
    --------
    >>> leading_axes("image", np.zeros((4, 3, 12, 14), np.complex64), (12, 14))
    (4, 3)
    """
    n = len(trailing)
    if array.ndim < n or array.shape[-n:] != tuple(trailing):
        raise InputError(f"{name}: expected (..., {', '.join(map(str, trailing))}), got {array.shape}")
    if array.dtype != np.complex64:
        raise InputError(f"{name}: expected complex64, got {array.dtype}")
    return array.shape[:-n]


def image_output(
    image: NDArray[np.complex64], matrix: tuple[int, ...], out: NDArray[np.complex64] | None
) -> NDArray[np.complex64]:
    """Where an operator from images to images writes: `out`, or a new array of the shape of the image.

    Raises
    ------
    InputError
        The image, or `out`, has a wrong shape, type or layout.

    Examples
    --------
    >>> image_output(np.zeros((2, 12, 14), np.complex64), (12, 14), None).shape
    (2, 12, 14)
    """
    n_axes = len(matrix)
    if image.ndim < n_axes or image.shape[-n_axes:] != matrix or image.dtype != np.complex64:
        sizes = ", ".join(map(str, matrix))
        raise InputError(f"image: expected complex64 (..., {sizes}), got {image.dtype} {image.shape}")
    if out is None:
        return np.empty(image.shape, np.complex64)
    if out.shape != image.shape or out.dtype != np.complex64 or not out.flags.c_contiguous:
        raise InputError(f"out: expected C-contiguous complex64 {image.shape}, got {out.dtype} {out.shape}")
    return out
