"""Slices and volumes of which lines are still to come, and how whole blocks of lines are put into them."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from perfline.gadgets.stage_data import Limits, Readout, ReadoutBlock, VolumeKey
from perfline.gadgets.stages.prewhiten import count_finite

__all__ = ["OpenSlice", "OpenVolume", "Shape", "keep_lines"]

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


def keep_lines(opened: OpenSlice, block: ReadoutBlock, start: int, limits: Limits) -> int:
    """Put lines of a block with those of their slice, up to the one that ends it, or the first that is not plain.

    Plain is a line within the limits that the slice has not yet, of a polarity that it has, and of finite samples.

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

    Returns
    -------
    int
        Lines that were kept. Of the others nothing was taken.
    """
    n_before = len(opened.line_numbers)
    if not 0 < n_before < opened.n_expected or opened.raw.shape[1:] != block.samples.shape[1:]:
        return 0
    stop = min(start + opened.n_expected - n_before, len(block))
    lines, is_reversed = block.lines[start:stop].tolist(), block.is_reversed[start:stop].tolist()
    discards = block.discards[start:stop]
    if _are_plain(opened, lines, is_reversed, discards, limits):
        n = len(lines)
    else:
        n = _count_plain(opened, lines, is_reversed, discards, limits)
    if block.is_last_in_slice[start : start + n].any():
        n = int(block.is_last_in_slice[start : start + n].argmax()) + 1
    if n == 0:
        return 0
    target = opened.raw[n_before : n_before + n]
    target[:] = block.samples[start : start + n]
    # what is not usable is overwritten by the next line
    n = count_finite(target)
    opened.line_numbers += lines[:n]
    opened.is_reversed += is_reversed[:n]
    opened.shots += [opened.shot] * n
    return n


def _are_plain(
    opened: OpenSlice, lines: list[int], is_reversed: list[bool], discards: NDArray[np.uint16], limits: Limits
) -> bool:
    """Whether there is nothing to say of all lines but perhaps for their samples, as far as can be seen at a glance."""
    if not limits.minimum <= min(lines) <= max(lines) <= limits.maximum:
        return False
    if len({*lines, *opened.line_numbers}) < len(lines) + len(opened.line_numbers):
        return False
    n_samples = opened.raw.shape[2]
    found = set(zip(is_reversed, *discards.T.tolist(), strict=True))
    return all(opened.shapes.get(is_back) == (n_samples, pre, post) for is_back, pre, post in found)


def _count_plain(
    opened: OpenSlice, lines: list[int], is_reversed: list[bool], discards: NDArray[np.uint16], limits: Limits
) -> int:
    """Count the lines before the first of which there is something to say."""
    for number in range(len(lines)):
        part = slice(number, number + 1)
        known = lines[number] in lines[:number]
        if known or not _are_plain(opened, lines[part], is_reversed[part], discards[part], limits):
            return number
    return len(lines)
