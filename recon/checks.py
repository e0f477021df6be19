"""Checks of arguments that name what was expected and what came."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from perfline.recon.errors import InputError

__all__ = ["check_finite", "check_non_negative", "check_positive", "check_shape"]


def check_shape(name: str, array: NDArray[np.generic], shape: Sequence[int | str]) -> None:
    """Check the number of axes and each size of an array.

    Parameters
    ----------
    name : str
        Name of the argument, as the caller knows it.
    array : array
        What came.
    shape : sequence of int or str
        A number is demanded; a word (``"n_coils"``) names an axis of any size.

    Raises
    ------
    InputError
        ``ndim`` or a size differs.

    Examples
    --------
    >>> check_shape("samples", np.zeros((4, 128)), ("n_coils", 128))
    >>> check_shape("samples", np.zeros(128), ("n_coils", 128))
    Traceback (most recent call last):
    perfline.recon.errors.InputError: samples: expected (n_coils, 128), got (128,)
    """
    got = array.shape
    fits = len(got) == len(shape) and all(
        isinstance(want, str) or want == have for want, have in zip(shape, got, strict=True)
    )
    if not fits:
        expected = ", ".join(str(size) for size in shape) + ("," if len(shape) == 1 else "")
        raise InputError(f"{name}: expected ({expected}), got {got}")


def check_positive(name: str, value: float, unit: str = "") -> None:
    """Check that a number is finite and above zero.

    Raises
    ------
    InputError
        It is zero, negative, NaN or infinite.
    """
    if not (np.isfinite(value) and value > 0):
        raise InputError(f"{name}: expected a positive number{f' [{unit}]' if unit else ''}, got {value}")


def check_non_negative(name: str, value: float, unit: str = "") -> None:
    """Check that a number is finite and not below zero.

    Raises
    ------
    InputError
        It is negative, NaN or infinite.
    """
    if not (np.isfinite(value) and value >= 0):
        raise InputError(f"{name}: expected zero or more{f' [{unit}]' if unit else ''}, got {value}")


def check_finite(name: str, array: ArrayLike) -> None:
    """Check that an array holds neither NaN nor infinity.

    Raises
    ------
    InputError
        With the number of bad values.
    """
    bad = int(np.count_nonzero(~np.isfinite(np.asarray(array))))
    if bad:
        raise InputError(f"{name}: expected finite values, got {bad} that are NaN or infinite")
