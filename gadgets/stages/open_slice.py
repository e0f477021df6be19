"""Slices and volumes of which lines are still to come, and how whole blocks of lines are put into them."""

from collections.abc import Container
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from perfline.gadgets.stage_data import Limits, Readout, ReadoutBlock, VolumeKey
from perfline.gadgets.stages.prewhiten import count_finite

__all__ = ["OpenSlice", "OpenVolume", "Shape", "expected_lines", "keep_lines"]

Shape = tuple[int, int, int]
"""Of a readout: its samples, and how many of them are discarded at the start and at the end."""


@dataclass
class OpenSlice:
    """A slice that still waits for lines."""

    first: Readout
    raw: NDArray[np.complex64] = field(default_factory=lambda: np.empty((0, 0, 0), np.complex64))
    """Of all lines that the slice may have; empty before the first one."""
    shapes: dict[bool, Shape] = field(default_factory=dict)
    """Of the lines of either polarity, by whether they are reversed."""
    line_numbers: list[int] = field(default_factory=list)
    is_reversed: list[bool] = field(default_factory=list)
    shots: list[int] = field(default_factory=list)
    navigators: list[NDArray[np.complex64]] = field(default_factory=list)
    navigator_is_reversed: list[bool] = field(default_factory=list)
    navigator_shots: list[int] = field(default_factory=list)
    shot: int = 0
    n_expected: int = 0
    """Lines of the whole slice, known from its first line on."""

    def add_navigators(self, lines: list[NDArray[np.complex64]], is_reversed: list[bool]) -> None:
        """Take regridded navigators (n_coils, n_x); the first after image lines begins a new shot."""
        if self.shots and self.shots[-1] == self.shot:
            self.shot += 1
        self.navigators += lines
        self.navigator_is_reversed += is_reversed
        self.navigator_shots += [self.shot] * len(lines)

    def forget_lines(self) -> None:
        """Begin anew, but for the navigators."""
        for of_lines in (self.shapes, self.line_numbers, self.is_reversed, self.shots):
            of_lines.clear()


@dataclass
class OpenVolume:
    """A volume of which not all slices are complete."""

    key: VolumeKey
    slices: dict[int, OpenSlice] = field(default_factory=dict)
    done: set[int] = field(default_factory=set)


def expected_lines(limits: Limits, step: int, first: int | None) -> range:
    """Lines that belong to a slice; under acceleration its first line tells the offset of the pattern."""
    offset = 0 if first is None else (first - limits.minimum) % step
    return range(limits.minimum + offset, limits.maximum + 1, step)


def keep_lines(
    opened: OpenSlice, block: ReadoutBlock, start: int, limits: Limits, step: int, known: Container[Shape]
) -> int:
    """Put lines of a block with those of their slice, up to the one that ends it, or the first that is not plain.

    Plain is a line within the limits that the slice has not yet, that discards what others of its polarity do, and of
    finite samples.

    Parameters
    ----------
    opened : OpenSlice
        Changed in place.
    block : ReadoutBlock
        Image lines of this slice.
    start : int
        The first one of the block to be kept.
    limits : Limits
        Of line numbers.
    step : int
        Between the lines of a slice.
    known : container of Shape
        Those of readouts that have been seen, so that there is nothing to say of them.

    Returns
    -------
    int
        Lines that were kept. Of the others nothing was taken.
    """
    n_before, n_samples = len(opened.line_numbers), block.samples.shape[2]
    n_expected = opened.n_expected
    if n_before == 0:
        n_expected = len(expected_lines(limits, step, int(block.lines[start])))
    if n_before >= n_expected or (opened.raw.size and opened.raw.shape[1:] != block.samples.shape[1:]):
        return 0
    stop = min(start + n_expected - n_before, len(block))
    lines, is_reversed = block.lines[start:stop].tolist(), block.is_reversed[start:stop].tolist()
    shapes = [(n_samples, pre, post) for pre, post in block.discards[start:stop].tolist()]
    n = _count_plain(opened, lines, is_reversed, shapes, limits, known)
    if block.is_last_in_slice[start : start + n].any():
        n = int(block.is_last_in_slice[start : start + n].argmax()) + 1
    if n == 0:
        return 0
    if not opened.raw.size:
        opened.raw = np.empty((limits.count, *block.samples.shape[1:]), np.complex64)
    target = opened.raw[n_before : n_before + n]
    target[:] = block.samples[start : start + n]
    # what is not usable is overwritten by the next line
    n = count_finite(target)
    opened.n_expected = n_expected
    opened.shapes.update(zip(is_reversed[:n], shapes[:n], strict=True))
    opened.line_numbers += lines[:n]
    opened.is_reversed += is_reversed[:n]
    opened.shots += [opened.shot] * n
    return n


def _count_plain(
    opened: OpenSlice,
    lines: list[int],
    is_reversed: list[bool],
    shapes: list[Shape],
    limits: Limits,
    known: Container[Shape],
) -> int:
    """Count the lines before the first of which there is something to say; of their samples nothing is known yet."""
    seen, of_polarity = set(opened.line_numbers), dict(opened.shapes)
    for n, (line, is_back, shape) in enumerate(zip(lines, is_reversed, shapes, strict=True)):
        if line in seen or not limits.minimum <= line <= limits.maximum:
            return n
        if of_polarity.setdefault(is_back, shape) != shape or shape not in known:
            return n
        seen.add(line)
    return len(lines)
