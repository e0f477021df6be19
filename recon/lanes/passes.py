"""The passes of the transform over lanes as code for LLVM, written by the butterflies themselves.

How it works. `butterfly` is run on numbers that record: `Recorded` holds the names of two vectors, and its ``+``, ``-``
and ``*`` append instructions. Around it, a pass is a loop over short transforms, each of which loads its cells, runs
the butterfly and stores; loads may read through a table of pixels (padding), stores may multiply by a twiddle factor or
write through the table (cropping). The radix is known only when a plan is made: a pass is a switch over `RADICES`, with
a loop of straight-line code for each.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils

from perfline.recon.lanes.butterflies import butterfly
from perfline.recon.lanes.vector import (
    FLAGS,
    FLOAT,
    LANES,
    VECTOR,
    lane_intrinsic,
    load_constant,
    load_vector,
    store_vector,
)

__all__ = ["FLOATS", "RADICES", "SLOTS", "forward_first", "forward_last", "inverse_first", "inverse_last"]

RADICES = (4, 5, 6, 7, 8, 9, 10, 11, 12, 14, 15, 16, 18, 20, 22, 24)

FLOATS, SLOTS = types.CPointer(types.float32), types.CPointer(types.int32)
_INT = ir.IntType(64)
_SLOT = ir.IntType(32)
_NEGLIGIBLE = 1e-12


class Recorded:
    """A complex number of 16 lanes that writes the instructions of what is done to it."""

    def __init__(self, builder: Any, real: Any, imag: Any) -> None:
        self.builder, self.real, self.imag = builder, real, imag

    def __add__(self, other: "Recorded") -> "Recorded":
        return self._with(self._add(self.real, other.real), self._add(self.imag, other.imag))

    def __sub__(self, other: "Recorded") -> "Recorded":
        return self._with(self._subtract(self.real, other.real), self._subtract(self.imag, other.imag))

    def __mul__(self, factor: complex) -> "Recorded":
        c, s = complex(factor).real, complex(factor).imag
        if abs(s) < _NEGLIGIBLE:
            return self._with(self._times(self.real, c), self._times(self.imag, c))
        if abs(c) < _NEGLIGIBLE:
            return self._with(self._times(self.imag, -s), self._times(self.real, s))
        if abs(c - s) < _NEGLIGIBLE:
            total, difference = self._add(self.real, self.imag), self._subtract(self.real, self.imag)
            return self._with(self._times(difference, c), self._times(total, c))
        if abs(c + s) < _NEGLIGIBLE:
            total, difference = self._add(self.real, self.imag), self._subtract(self.imag, self.real)
            return self._with(self._times(total, c), self._times(difference, c))
        return self.times_vectors(_constant_vector(c), _constant_vector(s))

    def times_vectors(self, c: Any, s: Any) -> "Recorded":
        """``(real + i imag) (c + i s)``."""
        real = self._subtract(self._multiply(self.real, c), self._multiply(self.imag, s))
        return self._with(real, self._add(self._multiply(self.real, s), self._multiply(self.imag, c)))

    def _with(self, real: Any, imag: Any) -> "Recorded":
        return Recorded(self.builder, real, imag)

    def _add(self, a: Any, b: Any) -> Any:
        return self.builder.fadd(a, b, flags=FLAGS)

    def _subtract(self, a: Any, b: Any) -> Any:
        return self.builder.fsub(a, b, flags=FLAGS)

    def _multiply(self, a: Any, b: Any) -> Any:
        return self.builder.fmul(a, b, flags=FLAGS)

    def _times(self, a: Any, c: float) -> Any:
        if abs(c - 1) < _NEGLIGIBLE:
            return a
        if abs(c + 1) < _NEGLIGIBLE:
            return self.builder.fneg(a)
        return self._multiply(a, _constant_vector(c))


def _constant_vector(value: float) -> Any:
    return ir.Constant(VECTOR, [float(np.float32(value))] * LANES)


class _Pass:
    """Code of `count` short transforms: where each one reads and writes its cells.

    Cell i of transform t is read at ``source_at + t source_next + i source_step``, and likewise written.
    """

    def __init__(self, builder: Any, arguments: Any, index: Any) -> None:
        self.builder, self.index = builder, index
        _, self.count, *places = arguments
        self.source, self.source_at, self.source_step, self.source_next, *places = places
        self.target, self.target_at, self.target_step, self.target_next, *tables = places
        self.twiddles, self.slots, self.scale = tables

    def load_plain(self, i: int, radix: int) -> Recorded:
        offset = self._offset(self.source_at, self.source_next, self.source_step, _INT(i))
        return self._load(offset)

    def load_padded(self, i: int, radix: int) -> Recorded:
        """Pixel of bin ``index + count i``; padding reads any pixel and has scale 0."""
        bin_ = self._bin(i)
        slot = self.builder.sext(self.builder.load(self._at(self.slots, bin_)), _INT)
        offset = self.builder.add(self.source_at, self.builder.mul(slot, self.source_step))
        scale = load_constant(self.builder, self._at(self.scale, bin_))
        value = self._load(offset)
        return Recorded(self.builder, value._multiply(value.real, scale), value._multiply(value.imag, scale))

    def store_plain(self, i: int, radix: int, value: Recorded) -> None:
        self._store(self._offset(self.target_at, self.target_next, self.target_step, _INT(i)), value)

    def store_turned(self, i: int, radix: int, value: Recorded) -> None:
        """With the twiddle factor of output i of this transform."""
        if i:
            entry = self.builder.add(self.builder.mul(self.index, _INT(2 * radix)), _INT(2 * i))
            c = load_constant(self.builder, self._at(self.twiddles, entry))
            s = load_constant(self.builder, self._at(self.twiddles, self.builder.add(entry, _INT(1))))
            value = value.times_vectors(c, s)
        self.store_plain(i, radix, value)

    def store_cropped(self, i: int, radix: int, value: Recorded) -> None:
        """To the pixel of bin ``index + count i``; what is no pixel goes back to a cell that was read: no branch."""
        builder, bin_ = self.builder, self._bin(i)
        slot = builder.sext(builder.load(self._at(self.slots, bin_)), _INT)
        scale = load_constant(builder, self._at(self.scale, bin_))
        pixel = self._at(self.target, builder.add(self.target_at, builder.mul(slot, self.target_step)))
        spare = self._at(self.source, self._offset(self.source_at, self.source_next, self.source_step, _INT(i)))
        place = builder.select(builder.icmp_signed(">=", slot, _INT(0)), pixel, spare)
        store_vector(builder, value._multiply(value.real, scale), place)
        store_vector(builder, value._multiply(value.imag, scale), builder.gep(place, [_INT(LANES)], inbounds=True))

    def _bin(self, i: int) -> Any:
        return self.builder.add(self.index, self.builder.mul(self.count, _INT(i)))

    def _offset(self, at: Any, next_: Any, step: Any, i: Any) -> Any:
        builder = self.builder
        return builder.add(builder.add(at, builder.mul(self.index, next_)), builder.mul(step, i))

    def _at(self, array: Any, offset: Any) -> Any:
        return self.builder.gep(array, [offset], inbounds=True)

    def _load(self, offset: Any) -> Recorded:
        real = load_vector(self.builder, self._at(self.source, offset))
        imag = load_vector(self.builder, self._at(self.source, self.builder.add(offset, _INT(LANES))))
        return Recorded(self.builder, real, imag)

    def _store(self, offset: Any, value: Recorded) -> None:
        store_vector(self.builder, value.real, self._at(self.target, offset))
        store_vector(self.builder, value.imag, self._at(self.target, self.builder.add(offset, _INT(LANES))))


def _define_pass(module: Any, name: str, sign: int, load: Callable[..., Any], store: Callable[..., Any]) -> Any:
    """The function of a pass in a module: a switch over the radices, a loop over the transforms in each."""
    if name in module.globals:
        return module.globals[name]
    pointer, slot_pointer = FLOAT.as_pointer(), _SLOT.as_pointer()
    kinds = [_INT, _INT, pointer, _INT, _INT, _INT, pointer, _INT, _INT, _INT, pointer, slot_pointer, pointer]
    function = ir.Function(module, ir.FunctionType(ir.VoidType(), kinds), name)
    function.linkage = "linkonce_odr"
    function.attributes.add("noinline")
    builder = ir.IRBuilder(function.append_basic_block("entry"))
    end = function.append_basic_block("end")
    switch = builder.switch(function.args[0], end)
    for radix in RADICES:
        block = function.append_basic_block(f"radix_{radix}")
        switch.add_case(_INT(radix), block)
        builder.position_at_end(block)
        with cgutils.for_range(builder, function.args[1]) as loop:
            step = _Pass(builder, function.args, loop.index)
            outputs = butterfly([load(step, i, radix) for i in range(radix)], sign)
            for i, value in enumerate(outputs):
                store(step, i, radix, value)
        builder.branch(end)
    builder.position_at_end(end)
    builder.ret_void()
    return function


def _make_pass(name: str, sign: int, load: Callable[..., Any], store: Callable[..., Any]) -> Any:
    """Intrinsic that runs a pass; its arguments are those of `_Pass`."""

    @lane_intrinsic
    def run_pass(
        typing_context: Any,
        radix: Any,
        count: Any,
        source: Any,
        source_at: Any,
        source_step: Any,
        source_next: Any,
        target: Any,
        target_at: Any,
        target_step: Any,
        target_next: Any,
        twiddles: Any,
        slots: Any,
        scale: Any,
    ) -> Any:
        def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
            builder.call(_define_pass(builder.module, f"perfline_{name}", sign, load, store), values)
            return context.get_dummy_value()

        i, p, q = types.int64, FLOATS, SLOTS
        return types.void(i, i, p, i, i, i, p, i, i, i, p, q, p), generate

    return run_pass


inverse_first = _make_pass("inverse_first", 1, _Pass.load_plain, _Pass.store_turned)
inverse_last = _make_pass("inverse_last", 1, _Pass.load_plain, _Pass.store_cropped)
forward_first = _make_pass("forward_first", -1, _Pass.load_padded, _Pass.store_turned)
forward_last = _make_pass("forward_last", -1, _Pass.load_plain, _Pass.store_plain)
