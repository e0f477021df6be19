"""Sixteen neighbouring complex numbers of an ordinary array as a vector of real and a vector of imaginary parts.

For transforms along a slow axis: there the lanes are neighbouring pixels, and nothing has to be transposed. Arrays are
one-dimensional float32 (real and imaginary parts in turn), addressed by the offset of an element; nothing is checked.
`load_real` and `load_imag` of one place are two loads to the compiler, not four.
"""

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types

from perfline.recon.lanes.vector import (
    LANES,
    element_pointer,
    lane_intrinsic,
    lanes,
    load_vector,
    store_vector,
    stream_vector,
)

__all__ = ["load_imag", "load_real", "store_pairs", "stream_pairs"]

_INDEX = ir.IntType(32)


def _shuffle(builder: Any, a: Any, b: Any, mask: list[int]) -> Any:
    return builder.shuffle_vector(a, b, ir.Constant(ir.VectorType(_INDEX, LANES), mask))


def _make_load(first: int) -> Any:
    """Intrinsic that takes every second of 32 floats, from the first or the second on."""

    @lane_intrinsic
    def take(typing_context: Any, array: Any, offset: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
            pointer = element_pointer(context, builder, signature.args[0], *values)
            low = load_vector(builder, pointer)
            high = load_vector(builder, builder.gep(pointer, [ir.IntType(64)(LANES)], inbounds=True))
            return _shuffle(builder, low, high, list(range(first, 2 * LANES, 2)))

        return lanes(array, types.intp), generate

    return take


load_real = _make_load(0)
"""``array[offset : offset + 32 : 2]``"""

load_imag = _make_load(1)
"""``array[offset + 1 : offset + 32 : 2]``"""


def _make_store(put: Callable[[Any, Any, Any], None]) -> Any:
    """Intrinsic that stores a vector of real and one of imaginary parts in turn."""

    @lane_intrinsic
    def give(typing_context: Any, array: Any, offset: Any, real: Any, imag: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
            pointer = element_pointer(context, builder, signature.args[0], *values[:2])
            for half in range(2):
                begin = half * LANES // 2
                mask = [part + begin + i for i in range(LANES // 2) for part in (0, LANES)]
                place = builder.gep(pointer, [ir.IntType(64)(half * LANES)], inbounds=True)
                put(builder, _shuffle(builder, values[2], values[3], mask), place)
            return context.get_dummy_value()

        return types.void(array, types.intp, lanes, lanes), generate

    return give


store_pairs = _make_store(store_vector)
"""``array[offset : offset + 32 : 2] = real``, ``array[offset + 1 : offset + 32 : 2] = imag``"""

stream_pairs = _make_store(stream_vector)
"""`store_pairs` past the caches, for results that are not read again soon: the place begins at a cache line."""
