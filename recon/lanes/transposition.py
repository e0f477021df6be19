"""Transpositions in registers that bring transforms into the lanes and out of them.

Sixteen rows (coils, slices) of memory become cells of 16 lanes, or the other way round. Rows are loaded in quarters,
four rows to a vector, so that only the transposition within quarters is left to shuffles: the k-th vector holds, in its
lanes 4 g ... 4 g + 3, four neighbours of row 4 g + k. Rows and cells are named by offsets in tables of integers: coils
lie apart, samples stand anywhere.
"""

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types

from perfline.recon.lanes.vector import (
    FLAGS,
    FLOAT,
    LANES,
    element_pointer,
    lane_intrinsic,
    load_constant,
    store_vector,
    stream_vector,
)

__all__ = ["rows_to_cells", "stream_rows", "transpose_rows"]

_INDEX = ir.IntType(32)
_OFFSET = ir.IntType(64)


def _shuffle(builder: Any, a: Any, b: Any, mask: list[int]) -> Any:
    return builder.shuffle_vector(a, b, ir.Constant(ir.VectorType(_INDEX, len(mask)), mask))


def _load_quarters(builder: Any, pointers: list[Any], quarter: int) -> Any:
    """The same quarter of four rows as one vector."""
    part = ir.VectorType(FLOAT, LANES // 4)
    parts = []
    for pointer in pointers:
        begin = builder.gep(pointer, [_OFFSET(4 * quarter)], inbounds=True)
        parts.append(builder.load(builder.bitcast(begin, part.as_pointer()), align=4))
    halves = [_shuffle(builder, parts[i], parts[i + 1], list(range(8))) for i in (0, 2)]
    return _shuffle(builder, halves[0], halves[1], list(range(LANES)))


def _transpose_within_quarters(builder: Any, rows: list[Any]) -> list[Any]:
    """``out[i][4 g + k] = rows[k][4 g + i]``."""

    def interleave(a: Any, b: Any, low: bool) -> Any:
        pick = (0, LANES, 1, LANES + 1) if low else (2, LANES + 2, 3, LANES + 3)
        return _shuffle(builder, a, b, [4 * g + p for g in range(4) for p in pick])

    def join(a: Any, b: Any, low: bool) -> Any:
        pick = (0, 1, LANES, LANES + 1) if low else (2, 3, LANES + 2, LANES + 3)
        return _shuffle(builder, a, b, [4 * g + p for g in range(4) for p in pick])

    out = []
    for low in (True, False):
        a, b = interleave(rows[0], rows[1], low), interleave(rows[2], rows[3], low)
        out += [join(a, b, True), join(a, b, False)]
    return out


def _row_pointer(
    context: Any, builder: Any, kinds: Any, values: Any, array: int, rows: int, at: int, index: int
) -> Any:
    """Address in argument `array` of the row that entry `index` of argument `rows` names, plus argument `at`."""
    entry = builder.load(element_pointer(context, builder, kinds[rows], values[rows], _OFFSET(index)))
    return element_pointer(context, builder, kinds[array], values[array], builder.add(entry, values[at]))


def _transpose(builder: Any, pointers: list[Any]) -> list[Any]:
    """Sixteen vectors: the k-th has the k-th floats at all pointers."""
    columns: list[Any] = []
    for quarter in range(4):
        parts = [_load_quarters(builder, pointers[k::4], quarter) for k in range(4)]
        columns += _transpose_within_quarters(builder, parts)
    return columns


def _make_transposition(put: Callable[[Any, Any, Any], None]) -> Any:
    """Intrinsic that transposes 16 rows and puts each result with a function of builder, vector and pointer."""

    @lane_intrinsic
    def transpose(
        typing_context: Any,
        source: Any,
        source_rows: Any,
        source_at: Any,
        target: Any,
        target_rows: Any,
        target_at: Any,
    ) -> Any:
        def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
            rows = [_row_pointer(context, builder, signature.args, values, 0, 1, 2, k) for k in range(LANES)]
            for index, column in enumerate(_transpose(builder, rows)):
                put(builder, column, _row_pointer(context, builder, signature.args, values, 3, 4, 5, index))
            return context.get_dummy_value()

        return types.void(source, source_rows, types.intp, target, target_rows, types.intp), generate

    return transpose


transpose_rows = _make_transposition(store_vector)
"""Transpose 16 rows of 16 floats.

``target[target_rows[i] + target_at + j] = source[source_rows[j] + source_at + i]``. The two arrays of int64 name the
rows: coils that lie apart on one side, 16 neighbours on the other.
"""

stream_rows = _make_transposition(stream_vector)
"""`transpose_rows` past the caches, for results that are not read again soon: each target begins at a cache line."""


def _cell_pointer(context: Any, builder: Any, kinds: Any, values: Any, array: int, places: int, at: int, k: int) -> Any:
    """Address in argument `array` of the cell that entry ``at + k`` of argument `places` names."""
    index = builder.add(values[at], _OFFSET(k))
    place = builder.load(element_pointer(context, builder, kinds[places], values[places], index))
    if place.type != _OFFSET:
        place = builder.sext(place, _OFFSET)
    return element_pointer(context, builder, kinds[array], values[array], place)


@lane_intrinsic
def rows_to_cells(
    typing_context: Any,
    source: Any,
    source_rows: Any,
    source_at: Any,
    weights: Any,
    weights_at: Any,
    target: Any,
    places: Any,
    places_at: Any,
) -> Any:
    """Transpose 16 rows of eight complex numbers into eight cells, each with a factor of its own.

    Cell k, at ``places[places_at + k]``, gets ``weights[weights_at + k]`` times number k of all rows.
    """

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        kinds = signature.args
        rows = [_row_pointer(context, builder, kinds, values, 0, 1, 2, k) for k in range(LANES)]
        columns = _transpose(builder, rows)
        for k in range(LANES // 2):
            entry = builder.add(values[4], _OFFSET(k))
            weight = load_constant(builder, element_pointer(context, builder, kinds[3], values[3], entry))
            cell = _cell_pointer(context, builder, kinds, values, 5, 6, 7, k)
            for part in range(2):
                place = builder.gep(cell, [_OFFSET(part * LANES)], inbounds=True)
                store_vector(builder, builder.fmul(columns[2 * k + part], weight, flags=FLAGS), place)
        return context.get_dummy_value()

    i = types.intp
    return types.void(source, source_rows, i, weights, i, target, places, i), generate
