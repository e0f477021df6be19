"""Short discrete Fourier transforms as straight-line arithmetic, written once for every kind of number.

`butterfly` uses only ``a + b``, ``a - b`` and ``a * complex constant``. Given Python or numpy numbers it computes;
given objects that record their operations it writes the code of a kernel (`perfline.recon.lanes.fft`). One text is thus
the kernel and its own test.

A length is split into a factor of 4, 2, 3, 5, 7 or 11 and the rest: by Good's map without twiddle factors where the two
have no common divisor, else by Cooley and Tukey's. Odd primes use the symmetry of sine and cosine.
"""

import math
from collections.abc import Sequence
from typing import Protocol, Self, TypeVar

import numpy as np

__all__ = ["Number", "butterfly"]

_ODD_PRIMES = (3, 5, 7, 11)


class Number(Protocol):
    """What a butterfly asks of its numbers."""

    def __add__(self, other: Self, /) -> Self: ...

    def __sub__(self, other: Self, /) -> Self: ...

    def __mul__(self, factor: complex, /) -> Self: ...


NumberT = TypeVar("NumberT", bound=Number)


def butterfly(values: Sequence[NumberT], sign: int) -> list[NumberT]:
    """``y_k = sum_j exp(sign 2 pi i j k / n) x_j``, unscaled.

    Parameters
    ----------
    values : sequence of n numbers
        n is a product of 2, 3, 5, 7 and 11.
    sign : {1, -1}

    Returns
    -------
    list of n numbers

    References
    ----------
    Cooley and Tukey 1965, Math Comput 19:297-301. Good 1958, J R Stat Soc B 20:361-372.

    Examples
    --------
    >>> [complex(round(y.real), round(y.imag)) for y in butterfly([1j, 0j, 0j, 0j, 0j, 0j], 1)]
    [1j, 1j, 1j, 1j, 1j, 1j]
    """
    n = len(values)
    if n == 1:
        return list(values)
    if n == 2:
        return [values[0] + values[1], values[0] - values[1]]
    if n == 4:
        return _four(values, sign)
    if n in _ODD_PRIMES:
        return _odd_prime(values, sign)
    factor = next(f for f in (4, 2, *_ODD_PRIMES) if n % f == 0)
    if math.gcd(factor, n // factor) == 1:
        return _coprime(values, sign, factor)
    return _cooley_tukey(values, sign, factor)


def _four(x: Sequence[NumberT], sign: int) -> list[NumberT]:
    even, odd = x[0] + x[2], x[1] + x[3]
    low, high = x[0] - x[2], (x[1] - x[3]) * (sign * 1j)
    return [even + odd, low + high, even - odd, low - high]


def _odd_prime(x: Sequence[NumberT], sign: int) -> list[NumberT]:
    """Pairs j and n - j share a cosine and, with opposite signs, a sine."""
    n = len(x)
    half = range(1, n // 2 + 1)
    sums, differences = [x[j] + x[n - j] for j in half], [x[j] - x[n - j] for j in half]
    total = x[0]
    for pair in sums:
        total = total + pair
    y = [total] * n
    for k in half:
        even = x[0]
        for j, pair in zip(half, sums, strict=True):
            even = even + pair * math.cos(2 * math.pi * j * k / n)
        odd = differences[0] * (sign * math.sin(2 * math.pi * k / n))
        for j, pair in zip(half[1:], differences[1:], strict=True):
            odd = odd + pair * (sign * math.sin(2 * math.pi * j * k / n))
        turned = odd * 1j
        y[k], y[n - k] = even + turned, even - turned
    return y


def _coprime(x: Sequence[NumberT], sign: int, a: int) -> list[NumberT]:
    """``j = b j1 + a j2``, ``k = k1 (mod a) = k2 (mod b)``: the cross terms are whole turns."""
    n, b = len(x), len(x) // a
    rows = [butterfly([x[(b * j1 + a * j2) % n] for j1 in range(a)], sign) for j2 in range(b)]
    # exp(2 pi i j1 k b / n) = exp(2 pi i j1 k / a): output k takes entry k of the first, k of the second transform
    y: list[NumberT] = list(x)
    for k1 in range(a):
        column = butterfly([rows[j2][k1] for j2 in range(b)], sign)
        for k in range(n):
            if k % a == k1:
                y[k] = column[k % b]
    return y


def _cooley_tukey(x: Sequence[NumberT], sign: int, a: int) -> list[NumberT]:
    """``j = b j1 + j2``, ``k = k1 + a k2``, with twiddle factors ``exp(2 pi i j2 k1 / n)`` between the two."""
    n, b = len(x), len(x) // a
    rows = []
    for j2 in range(b):
        row = butterfly([x[b * j1 + j2] for j1 in range(a)], sign)
        rows.append([value * complex(np.exp(sign * 2j * np.pi * k1 * j2 / n)) for k1, value in enumerate(row)])
    y: list[NumberT] = list(x)
    for k1 in range(a):
        y[k1::a] = butterfly([rows[j2][k1] for j2 in range(b)], sign)
    return y
