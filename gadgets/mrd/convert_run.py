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

_FLAGS = header_word("flags")
_DISCARDS = slice(header_word("discard_pre"), header_word("discard_pre") + 2)
_CENTER = header_word("center_sample")
_ENCODING_SPACE = header_word("encoding_space_ref")
_LINE = header_word("idx")
_PLACE = slice(_LINE + 2, _LINE + 8)
"""Average, slice, contrast, phase, repetition and set."""


def _word_and_bit(flag: AcquisitionFlag) -> tuple[int, np.uint16]:
    """Where a flag stands among the words of the header."""
    word, bit = divmod(flag.value - 1, 16)
    return _FLAGS + word, np.uint16(1 << bit)


_REVERSE = _word_and_bit(AcquisitionFlag.REVERSE)
_LAST_IN_SLICE = _word_and_bit(AcquisitionFlag.LAST_IN_SLICE)
_M0 = AcquisitionFlag.USER1.mask
# flags that only tell the place of a readout in a sequence of like ones; any other may tell what it is for
_OF_SEQUENCE = AcquisitionFlag.REVERSE.mask | sum(
    AcquisitionFlag[f"{end}_IN_{what}"].mask
    for end in ("FIRST", "LAST")
    for what in ("SLICE", "REPETITION", "SET", "SEGMENT")
)
# the words in which the readouts of a block are alike, and the bits of them that count
_COMMON_WORDS = [*range(_FLAGS, _FLAGS + 4), _ENCODING_SPACE, *range(_PLACE.start, _PLACE.stop)]
_COMMON_BITS = np.array(
    [*(~_OF_SEQUENCE >> 16 * number & 0xFFFF for number in range(4)), *[0xFFFF] * (len(_COMMON_WORDS) - 4)], np.uint16
)


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
    words, n_samples = run.words, run.samples.shape[2]
    discards = words[:, _DISCARDS]
    is_bad = (discards.sum(axis=1, dtype=np.int64) >= n_samples) | (words[:, _CENTER] > n_samples)
    is_reversed = (words[:, _REVERSE[0]] & _REVERSE[1]) != 0
    is_last_in_slice = (words[:, _LAST_IN_SLICE[0]] & _LAST_IN_SLICE[1]) != 0
    borders = _borders(words, is_bad)
    for start, stop in itertools.pairwise(borders):
        if stop - start == 1 or is_bad[start]:
            yield from map(run.message, range(start, stop))
            continue
        average, slice_, contrast, phase, repetition, set_ = words[start, _PLACE].tolist()
        flags = int(run.heads["flags"][start])
        part = slice(start, stop)
        yield ReadoutBlock(
            VolumeKey(repetition, set_, phase, contrast, average, flags & _M0 != 0),
            slice_,
            purpose_of(flags, int(words[start, _ENCODING_SPACE])),
            run.samples[part],
            words[part, _LINE],
            discards[part],
            is_reversed[part],
            is_last_in_slice[part],
            partial(_readout, run, index, start),
        )


def _borders(words: NDArray[np.uint16], is_bad: NDArray[np.bool_]) -> list[int]:
    """Numbers of the readouts that differ from the one before in what makes a block, between 0 and the end."""
    common = words[:, _COMMON_WORDS] & _COMMON_BITS
    is_new = (common[1:] != common[:-1]).any(axis=1) | (is_bad[1:] != is_bad[:-1])
    return [0, *(np.flatnonzero(is_new) + 1).tolist(), len(words)]


def _readout(run: AcquisitionRun, index: int, start: int, number: int) -> Readout:
    at = start + number
    return readout_from_acquisition(run.message(at), index + at)
