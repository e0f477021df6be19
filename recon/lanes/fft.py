"""Fourier transform of 16 lanes between a grid and the pixels cropped from it.

How it works. The grid length is ``G = r1 r2`` with two short lengths (`RADICES`). With grid cell ``c = j + r2 p`` and
bin ``m = k + r1 q`` the transform is: for each j a transform of length r1 over p, a twiddle factor ``exp(2 pi i j k /
G)``, for each k a transform of length r2 over j (Cooley and Tukey). Each short transform is straight-line code over
vectors (`perfline.recon.lanes.passes`). Only some bins are pixels: `slots` names the pixel of each bin or -1, and bins
that are not pixels are not stored. `scale` multiplies each pixel on its way (deapodisation, sign, unit). The forward
direction runs the same steps backwards: pixels are read through `slots` and padding has scale 0.

The code is the same for all lengths: the radix is switched inside a pass, so that one compiled version serves every
plan. It is compiled once as a C function; kernels get its address in `FftTables` and don't compile it again.
"""

from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir
from numba import cfunc, njit, types
from numpy.typing import NDArray

from perfline.recon.errors import InputError
from perfline.recon.lanes.passes import (
    FLOATS,
    RADICES,
    SLOTS,
    forward_first,
    forward_last,
    inverse_first,
    inverse_last,
)
from perfline.recon.lanes.vector import CELL, lane_intrinsic

__all__ = ["LANE_SIZES", "FftTables", "LaneFft", "crop_transform", "pad_transform"]


class FftTables(NamedTuple):
    """What the kernels need to know of one axis; the first two are the addresses of the compiled transforms."""

    inverse: int
    forward: int
    radix_1: int
    radix_2: int
    inverse_twiddles: NDArray[np.float32]
    forward_twiddles: NDArray[np.float32]
    slots: NDArray[np.int32]
    sources: NDArray[np.int32]
    scale: NDArray[np.float32]


def _split(size: int) -> tuple[int, int] | None:
    """The two radices nearest to each other, the smaller first; forward takes them the other way round."""
    pairs = [(size // r, r) for r in RADICES if size % r == 0 and size // r in RADICES and size // r <= r]
    return min(pairs, key=lambda pair: pair[1] - pair[0]) if pairs else None


LANE_SIZES = tuple(size for size in range(16, max(RADICES) ** 2 + 1, 2) if _split(size))
"""Even grid lengths that this transform can do."""


@dataclass(frozen=True)
class LaneFft:
    """Transform of one axis.

    Parameters
    ----------
    n_grid : int
        Cells of the grid, one of `LANE_SIZES`.
    bins : int64 array (n,)
        Bin of each pixel.
    scale : float32 array (n,)
        Factor of each pixel.
    """

    n_grid: int
    bins: NDArray[np.int64]
    scale: NDArray[np.float32]

    @cached_property
    def tables(self) -> FftTables:
        """For the kernels."""
        split = _split(self.n_grid)
        if split is None:
            raise InputError(f"n_grid: expected a product of two of {RADICES}, got {self.n_grid}")
        radix_1, radix_2 = split
        phase = 2j * np.pi * np.outer(np.arange(radix_2), np.arange(radix_1)) / self.n_grid
        slots = np.full(self.n_grid, -1, np.int32)
        slots[self.bins] = np.arange(self.bins.size)
        scale = np.zeros(self.n_grid, np.float32)
        scale[self.bins] = self.scale
        inverse, forward = _compiled()
        return FftTables(
            inverse.address,
            forward.address,
            radix_1,
            radix_2,
            np.exp(phase).ravel().astype(np.complex64).view(np.float32),
            np.exp(-phase).ravel().astype(np.complex64).view(np.float32),
            slots,
            np.maximum(slots, 0),
            scale,
        )


# cfunc wants untyped text: radices; source, its place and step; target likewise; scratch and its place; tables
def _inverse(r1, r2, source, s_at, s_step, target, t_at, t_step, scratch, c_at, twiddles, slots, scale):  # type: ignore[no-untyped-def]
    inverse_first(r1, r2, source, s_at, r2 * s_step, s_step, scratch, c_at, r2 * CELL, CELL, twiddles, slots, scale)
    inverse_last(r2, r1, scratch, c_at, CELL, r2 * CELL, target, t_at, t_step, 0, twiddles, slots, scale)


def _forward(r1, r2, source, s_at, s_step, target, t_at, t_step, scratch, c_at, twiddles, slots, scale):  # type: ignore[no-untyped-def]
    forward_first(r2, r1, source, s_at, s_step, 0, scratch, c_at, CELL, r2 * CELL, twiddles, slots, scale)
    forward_last(r1, r2, scratch, c_at, r2 * CELL, CELL, target, t_at, r2 * t_step, t_step, twiddles, slots, scale)


@lru_cache
def _compiled() -> tuple[Any, Any]:
    """Both directions, compiled or read from the cache on first use."""
    i, p = types.int64, FLOATS
    signature = types.void(i, i, p, i, i, p, i, i, p, i, p, SLOTS, p)
    return cfunc(signature, cache=True)(_inverse), cfunc(signature, cache=True)(_forward)


@lane_intrinsic
def _call(
    typing_context: Any,
    address: Any,
    r1: Any,
    r2: Any,
    source: Any,
    source_at: Any,
    source_step: Any,
    target: Any,
    target_at: Any,
    target_step: Any,
    scratch: Any,
    scratch_at: Any,
    twiddles: Any,
    slots: Any,
    scale: Any,
) -> Any:
    """Call `_inverse` or `_forward` by its address, arrays as pointers."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        arguments = [
            context.make_array(kind)(context, builder, value).data if isinstance(kind, types.Array) else value
            for kind, value in zip(signature.args[1:], values[1:], strict=True)
        ]
        kind = ir.FunctionType(ir.IntType(32), [argument.type for argument in arguments])
        builder.call(builder.inttoptr(values[0], kind.as_pointer()), arguments)
        return context.get_dummy_value()

    i = types.int64
    return types.void(i, i, i, source, i, i, target, i, i, scratch, i, twiddles, slots, scale), generate


@njit(cache=True, nogil=True)
def crop_transform(
    tables: FftTables,
    source: NDArray[np.float32],
    source_at: int,
    source_step: int,
    target: NDArray[np.float32],
    target_at: int,
    target_step: int,
    scratch: NDArray[np.float32],
    scratch_at: int,
) -> None:
    """``pixel(x) = scale(x) sum_c exp(+2 pi i c m(x) / G) cell(c)``; 16 lanes.

    Cell c is at ``source_at + c source_step``, pixel x at ``target_at + x target_step``. The scratch takes G
    neighbouring cells; it may be the source, if that is G neighbouring cells and no longer needed.
    """
    _call(
        tables.inverse,
        tables.radix_1,
        tables.radix_2,
        source,
        source_at,
        source_step,
        target,
        target_at,
        target_step,
        scratch,
        scratch_at,
        tables.inverse_twiddles,
        tables.slots,
        tables.scale,
    )


@njit(cache=True, nogil=True)
def pad_transform(
    tables: FftTables,
    source: NDArray[np.float32],
    source_at: int,
    source_step: int,
    target: NDArray[np.float32],
    target_at: int,
    target_step: int,
    scratch: NDArray[np.float32],
    scratch_at: int,
) -> None:
    """``cell(c) = sum_x exp(-2 pi i c m(x) / G) scale(x) pixel(x)``: the adjoint of `crop_transform`.

    The scratch takes G neighbouring cells; it may be the target, if that is G neighbouring cells.
    """
    _call(
        tables.forward,
        tables.radix_2,
        tables.radix_1,
        source,
        source_at,
        source_step,
        target,
        target_at,
        target_step,
        scratch,
        scratch_at,
        tables.forward_twiddles,
        tables.sources,
        tables.scale,
    )
