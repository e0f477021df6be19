"""Runs of acquisitions to blocks of readouts: what `convert` does for one acquisition, for many at a time.

A run is cut where purpose, volume or slice changes. Pieces of one readout, and readouts that can't be used, stay
messages: `convert` takes them one by one, and is the one place that says what is wrong with them.
"""

import itertools
from collections.abc import Iterator
from functools import partial

import numpy as np
from numpy.typing import NDArray

from perfline.gadgets.mrd.acquisition_run import AcquisitionRun
from perfline.gadgets.mrd.convert import purpose_of, readout_from_acquisition
from perfline.gadgets.mrd.layout import AcquisitionFlag, header_word
from perfline.gadgets.mrd.messages import Acquisition
from perfline.gadgets.stage_data import Readout, ReadoutBlock, VolumeKey

__all__ = ["pieces_of_run"]

_LAST_IN_SLICE = np.uint64(AcquisitionFlag.LAST_IN_SLICE.mask)
_REVERSE = np.uint64(AcquisitionFlag.REVERSE.mask)
_SEQUENTIAL = sum(
    AcquisitionFlag[f"{first_or_last}_IN_{what}"].mask
    for first_or_last in ("FIRST", "LAST")
    for what in ("SLICE", "REPETITION", "SET", "SEGMENT")
)
# all other flags may tell what a readout is for, or that it is of an M0 volume
_DECISIVE_FLAGS = np.uint64(((1 << 64) - 1) ^ (_SEQUENTIAL | AcquisitionFlag.REVERSE.mask))

_DISCARDS = slice(header_word("discard_pre"), header_word("discard_pre") + 2)
_CENTER = header_word("center_sample")
_ENCODING_SPACE = header_word("encoding_space_ref")
_LINE = header_word("idx")
_PLACE = slice(_LINE + 2, _LINE + 8)
"""Average, slice, contrast, phase, repetition and set."""


def pieces_of_run(run: AcquisitionRun, index: int) -> Iterator[ReadoutBlock | Acquisition]:
    """Cut a run into blocks.

    Parameters
    ----------
    run : AcquisitionRun
    index : int
        Number of its first acquisition in the stream, from 0.

    Yields
    ------
    ReadoutBlock or Acquisition
        In order of arrival; what is no block is for `readout_from_acquisition`.
    """
    words = run.heads.view(np.uint16).reshape(len(run), -1)
    flags = run.heads["flags"]
    discards = words[:, _DISCARDS]
    n_samples = run.samples.shape[2]
    is_bad = (discards.sum(axis=1, dtype=np.int64) >= n_samples) | (words[:, _CENTER] > n_samples)
    is_reversed = (flags & _REVERSE) != 0
    is_last_in_slice = (flags & _LAST_IN_SLICE) != 0
    borders = _borders(words, flags & _DECISIVE_FLAGS, is_bad)
    for start, stop in itertools.pairwise(borders):
        if stop - start == 1 or is_bad[start]:
            yield from map(run.message, range(start, stop))
            continue
        average, slice_, contrast, phase, repetition, set_ = words[start, _PLACE].tolist()
        of_first = int(flags[start])
        part = slice(start, stop)
        yield ReadoutBlock(
            VolumeKey(repetition, set_, phase, contrast, average, of_first & AcquisitionFlag.USER1.mask != 0),
            slice_,
            purpose_of(of_first, int(words[start, _ENCODING_SPACE])),
            run.samples[part],
            words[part, _LINE],
            discards[part],
            is_reversed[part],
            is_last_in_slice[part],
            partial(_readout, run, index, start),
        )


def _borders(words: NDArray[np.uint16], flags: NDArray[np.uint64], is_bad: NDArray[np.bool_]) -> list[int]:
    """Numbers of the readouts that differ from the one before in what makes a block, between 0 and the end."""
    is_new = (words[1:, _PLACE] != words[:-1, _PLACE]).any(axis=1)
    is_new |= words[1:, _ENCODING_SPACE] != words[:-1, _ENCODING_SPACE]
    is_new |= flags[1:] != flags[:-1]
    is_new |= is_bad[1:] != is_bad[:-1]
    return [0, *(np.flatnonzero(is_new) + 1).tolist(), len(words)]


def _readout(run: AcquisitionRun, index: int, start: int, number: int) -> Readout:
    at = start + number
    return readout_from_acquisition(run.message(at), index + at)
