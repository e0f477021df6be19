"""A vector of 16 single-precision floats as a type of numba, and the few operations the kernels need.

Transforms that share a trajectory or a grid (coils, slices) differ in their data only. Sixteen of them side by side
turn every weight and twiddle factor into a scalar that multiplies a whole vector, and no kernel needs to move data
between lanes, except to bring it in and out (`perfline.recon.lanes.transposition`). A complex cell is `CELL` floats: 16
real parts, 16 imaginary.

The type is lowered to LLVM's ``<16 x float>``: one register with AVX-512; LLVM splits it in two with AVX2, which is
correct and slower. Arrays are one-dimensional float32, addressed by the offset of an element; nothing is checked.
Products and sums may be contracted to fused ones, NaN and infinity keep their meaning.

Compiled kernels are cached on disk by the time stamp of their own file. After a change here or in `passes.py` the cache
of the kernels that use it must be removed by hand (``__pycache__`` or ``NUMBA_CACHE_DIR``).
"""

import operator
from collections.abc import Callable
from typing import Any

import llvmlite.binding
import numba
import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, models, overload, register_model
from numpy.typing import NDArray

__all__ = [
    "CELL",
    "LANES",
    "aligned_zeros",
    "broadcast",
    "constant",
    "finish_streams",
    "fma",
    "lane_intrinsic",
    "lanes_available",
    "load",
    "prefetch",
    "splat",
    "store",
    "stream",
    "sum_lanes",
]

LANES = 16
CELL = 2 * LANES
"""Floats of a complex cell."""
FLAGS = ("contract", "nsz")
_CACHE_LINE = 64
_HUGE_PAGE = 2**21

FLOAT = ir.FloatType()
VECTOR = ir.VectorType(FLOAT, LANES)
_INDEX = ir.IntType(32)


def lane_intrinsic(function: Callable[..., Any]) -> Any:
    """`intrinsic` for type checkers, who can't know that the first argument goes to the compiler."""
    return intrinsic(function)


class LanesType(types.Type):
    """Numba's name for the vector."""

    def __init__(self) -> None:
        super().__init__(name="lanes16")


lanes = LanesType()


@register_model(LanesType)
class _LanesModel(models.PrimitiveModel):
    def __init__(self, manager: Any, kind: LanesType) -> None:
        super().__init__(manager, kind, VECTOR)


def lanes_available() -> bool:
    """Whether kernels of this type are compiled to vector registers here: AVX2 or AVX-512, and the compiler is on."""
    settings: Any = numba.config
    if settings.DISABLE_JIT:
        return False
    named = settings.CPU_FEATURES
    if named is not None:
        return "+avx512f" in named or "+avx2" in named
    features = llvmlite.binding.get_host_cpu_features()
    return bool(features.get("avx512f") or features.get("avx2"))


def aligned_zeros(*shape: int) -> NDArray[np.float32]:
    """Zeroed float32 array that begins at a cache line, or at a huge page if it is large; numpy's begins anywhere.

    Examples
    --------
    >>> aligned_zeros(3, 32).ctypes.data % 64
    0
    """
    n_bytes = int(np.prod(shape)) * 4
    unit = _CACHE_LINE if n_bytes < _HUGE_PAGE // 4 else _HUGE_PAGE
    # numpy asks the system for huge pages from 4 MB on, which spares the kernels most misses of the page table
    raw = np.zeros(n_bytes + unit if unit == _CACHE_LINE else max(n_bytes + unit, 2 * _HUGE_PAGE), np.uint8)
    begin = -raw.ctypes.data % unit
    return raw[begin : begin + n_bytes].view(np.float32).reshape(shape)


def element_pointer(context: Any, builder: Any, kind: types.Array, array: Any, offset: Any) -> Any:
    """Address of an element of a contiguous array."""
    data = context.make_array(kind)(context, builder, array).data
    return builder.gep(data, [offset], inbounds=True)


def load_vector(builder: Any, pointer: Any) -> Any:
    """Sixteen neighbours; no alignment is assumed."""
    return builder.load(builder.bitcast(pointer, VECTOR.as_pointer()), align=4)


def store_vector(builder: Any, value: Any, pointer: Any) -> None:
    """Sixteen neighbours; no alignment is assumed."""
    builder.store(value, builder.bitcast(pointer, VECTOR.as_pointer()), align=4)


def stream_vector(builder: Any, value: Any, pointer: Any) -> None:
    """Store past the caches to an address that is a multiple of 64."""
    instruction = builder.store(value, builder.bitcast(pointer, VECTOR.as_pointer()), align=_CACHE_LINE)
    instruction.set_metadata("nontemporal", builder.module.add_metadata([_INDEX(1)]))


def splat_vector(builder: Any, scalar: Any) -> Any:
    """The same scalar in all lanes."""
    one = builder.insert_element(ir.Constant(VECTOR, ir.Undefined), scalar, _INDEX(0))
    zeros = ir.Constant(ir.VectorType(_INDEX, LANES), [0] * LANES)
    return builder.shuffle_vector(one, ir.Constant(VECTOR, ir.Undefined), zeros)


def load_constant(builder: Any, pointer: Any) -> Any:
    """A scalar of a table in all lanes; the compiler may keep it across stores to other arrays."""
    scalar = builder.load(pointer, align=4)
    scalar.set_metadata("invariant.load", builder.module.add_metadata([]))
    return splat_vector(builder, scalar)


@lane_intrinsic
def load(typing_context: Any, array: Any, offset: Any) -> Any:
    """``array[offset : offset + 16]``."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        return load_vector(builder, element_pointer(context, builder, signature.args[0], *values))

    return lanes(array, types.intp), generate


@lane_intrinsic
def store(typing_context: Any, array: Any, offset: Any, value: Any) -> Any:
    """``array[offset : offset + 16] = value``."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        store_vector(builder, values[2], element_pointer(context, builder, signature.args[0], *values[:2]))
        return context.get_dummy_value()

    return types.void(array, types.intp, lanes), generate


@lane_intrinsic
def stream(typing_context: Any, array: Any, offset: Any, value: Any) -> Any:
    """`store` past the caches, for what is not read again soon, to a place that begins at a cache line."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        stream_vector(builder, values[2], element_pointer(context, builder, signature.args[0], *values[:2]))
        return context.get_dummy_value()

    return types.void(array, types.intp, lanes), generate


@lane_intrinsic
def finish_streams(typing_context: Any) -> Any:
    """What was stored past the caches is seen by other threads before anything that this one stores from here on."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        builder.fence("seq_cst")
        return context.get_dummy_value()

    return types.void(), generate


@lane_intrinsic
def prefetch(typing_context: Any, array: Any, offset: Any) -> Any:
    """Begin to bring the cache line of an element near."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        pointer = element_pointer(context, builder, signature.args[0], *values)
        bytes_ = builder.bitcast(pointer, ir.IntType(8).as_pointer())
        kind = ir.FunctionType(ir.VoidType(), [bytes_.type, _INDEX, _INDEX, _INDEX])
        function = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
        builder.call(function, [bytes_, _INDEX(0), _INDEX(3), _INDEX(1)])
        return context.get_dummy_value()

    return types.void(array, types.intp), generate


@lane_intrinsic
def constant(typing_context: Any, table: Any, offset: Any) -> Any:
    """``table[offset]`` in all lanes, of a table that the kernel doesn't write to."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        return load_constant(builder, element_pointer(context, builder, signature.args[0], *values))

    return lanes(table, types.intp), generate


@lane_intrinsic
def broadcast(typing_context: Any, table: Any, offset: Any) -> Any:
    """`constant` that is read anew after each store: for more of them than there are registers to keep them in."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        pointer = element_pointer(context, builder, signature.args[0], *values)
        return splat_vector(builder, builder.load(pointer, align=4))

    return lanes(table, types.intp), generate


@lane_intrinsic
def splat(typing_context: Any, scalar: Any) -> Any:
    """A float32 in all lanes."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        return splat_vector(builder, values[0])

    return lanes(types.float32), generate


@lane_intrinsic
def fma(typing_context: Any, a: Any, b: Any, c: Any) -> Any:
    """``a * b + c``, rounded once."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        kind = ir.FunctionType(VECTOR, [VECTOR] * 3)
        return builder.call(cgutils.get_or_insert_function(builder.module, kind, "llvm.fma.v16f32"), values)

    return lanes(lanes, lanes, lanes), generate


@lane_intrinsic
def sum_lanes(typing_context: Any, a: Any) -> Any:
    """Sum of the 16 lanes, as a float32."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        kind = ir.FunctionType(FLOAT, [FLOAT, VECTOR])
        function = cgutils.get_or_insert_function(builder.module, kind, "llvm.vector.reduce.fadd.v16f32")
        return builder.call(function, [FLOAT(-0.0), values[0]], fastmath=("reassoc", "nsz"))

    return types.float32(lanes), generate


def _arithmetic(name: str) -> Any:
    """Intrinsic of an instruction on two vectors."""

    @lane_intrinsic
    def instruction(typing_context: Any, a: Any, b: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
            return getattr(builder, name)(*values, flags=FLAGS)

        return lanes(lanes, lanes), generate

    return instruction


_add, _subtract, _multiply = _arithmetic("fadd"), _arithmetic("fsub"), _arithmetic("fmul")


def _is_pair(a: Any, b: Any) -> bool:
    return isinstance(a, LanesType) and isinstance(b, LanesType)


@overload(operator.add, strict=False)
def _overload_add(a: Any, b: Any) -> Any:
    return (lambda a, b: _add(a, b)) if _is_pair(a, b) else None


@overload(operator.sub, strict=False)
def _overload_subtract(a: Any, b: Any) -> Any:
    return (lambda a, b: _subtract(a, b)) if _is_pair(a, b) else None


@overload(operator.mul, strict=False)
def _overload_multiply(a: Any, b: Any) -> Any:
    return (lambda a, b: _multiply(a, b)) if _is_pair(a, b) else None
