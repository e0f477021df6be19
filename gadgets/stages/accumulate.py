"""Readouts to complete slices: checks and keeps each line on arrival, decides by counts when a slice is complete.

Lines are kept as they came; navigators, of which the ghost is estimated, are whitened and regridded. A slice is
complete when every line that the header announces is in, or when a line carries LAST_IN_SLICE. The arrival of the
next volume only tells that something is missing; it never completes anything (labelling takes seconds: nobody
waits).
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from perfline.gadgets.errors import ReadoutError
from perfline.gadgets.settings import Settings
from perfline.gadgets.stage_data import (
    Dropped,
    KSpaceSlice,
    Notice,
    Purpose,
    Readout,
    ReadoutBlock,
    ScanHeader,
    VolumeKey,
)
from perfline.gadgets.stages.open_slice import OpenSlice, OpenVolume, Shape, expected_lines, keep_lines
from perfline.gadgets.stages.prewhiten import Prewhiten, check_finite, count_finite
from perfline.recon.epi.ramp import ReadoutOperator, make_readout_operator, readout_positions
from perfline.recon.parameters import TrapezoidReadout

__all__ = ["Accumulate"]


class Accumulate:
    """Collect the readouts of each slice.

    Yields a `KSpaceSlice` as soon as its last line is in, `Dropped` for volumes with missing lines.

    Parameters
    ----------
    header : ScanHeader
    settings : Settings
        Uses ``incomplete_volumes`` and ``readout_shift_mm``.
    """

    name = "accumulate"

    def __init__(self, header: ScanHeader, settings: Settings) -> None:
        self._header = header
        self._settings = settings
        limits = header.limits["line"]
        self._line_limits = limits
        self._slice_limits = header.limits["slice"]
        self._whiten = Prewhiten(header, header.trapezoid.dwell_time if header.trapezoid else 0.0)
        self._operators: dict[Shape, ReadoutOperator] = {}
        self._mixed_operators: dict[tuple[Shape, Shape], ReadoutOperator] = {}
        self._is_begun = False
        self._open: dict[int, OpenVolume] = {}
        self._finished: dict[int, VolumeKey] = {}
        self._n_ignored = 0

    def process(self, item: object) -> Iterable[object]:
        """Take a readout; yield what it completed.

        Raises
        ------
        ReadoutError
            Channel or sample count changes, line or slice outside the limits, NaN, repeated line, volume already ended,
            other discarded samples than those of the slice's lines of the same polarity.
        """
        if not isinstance(item, Readout):
            return (item,)
        if item.purpose is Purpose.IMAGING or item.purpose is Purpose.NAVIGATOR:
            # most readouts complete nothing: no generator is made for them
            return self._add(item)
        if item.purpose is Purpose.NOISE:
            return tuple(self._whiten.add_noise(item))
        self._n_ignored += 1
        return ()

    def take_block(self, block: ReadoutBlock, start: int) -> tuple[int, Iterable[object]]:
        """Take readouts of a block from `start` on, as many as are lines of an open slice with nothing to be said.

        Parameters
        ----------
        block : ReadoutBlock
        start : int

        Returns
        -------
        n : int
            Taken; where it is 0, the first one is for `process`.
        results : iterable
            What the last of them completed.
        """
        volume = self._open.get(block.key.contrast)
        if volume is None or volume.key != block.key or not self._whiten.expects(block.samples.shape[1:]):
            return 0, ()
        if block.slice in volume.done or not self._slice_limits.minimum <= block.slice <= self._slice_limits.maximum:
            return 0, ()
        is_navigators = block.purpose is Purpose.NAVIGATOR
        if not is_navigators and block.purpose is not Purpose.IMAGING:
            return 0, ()
        opened = volume.slices.get(block.slice) or OpenSlice(block[start])
        if is_navigators:
            n = self._keep_navigators(opened, block, start)
        else:
            n = keep_lines(opened, block, start, self._line_limits, self._header.acceleration, self._operators.keys())
        if n == 0:
            return 0, ()
        volume.slices[block.slice] = opened
        self._whiten.count(n)
        if is_navigators:
            return n, ()
        return n, self._end_if_due(volume, block.slice, is_last=bool(block.is_last_in_slice[start + n - 1]))

    def finish(self) -> Iterator[object]:
        """Report volumes that never became complete, and readouts that had no use."""
        for volume in list(self._open.values()):
            yield from self._give_up(volume)
        if self._n_ignored:
            yield Notice("info", f"{self._n_ignored} readouts were neither imaging, navigator nor noise, and not used")

    def _check(self, readout: Readout) -> None:
        self._whiten.check_sizes(readout)
        at, lines, slices = readout.counters, self._line_limits, self._slice_limits
        if not lines.minimum <= at.line <= lines.maximum:
            raise ReadoutError(
                f"idx.kspace_encode_step_1: expected {lines.minimum} to {lines.maximum} (encodingLimits), got {at.line}"
            )
        if not slices.minimum <= at.slice <= slices.maximum:
            raise ReadoutError(
                f"idx.slice: expected {slices.minimum} to {slices.maximum} (encodingLimits), got {at.slice}"
            )
        check_finite(readout)

    def _operator(self, readout: Readout) -> ReadoutOperator:
        """Return the regridding operator, made once for each shape of readout."""
        shape = _shape_of(readout)
        n_samples = shape[0]
        if shape not in self._operators:
            trapezoid = self._header.trapezoid
            if trapezoid is None or not trapezoid.is_ramped:
                # MRD names the sample at k = 0; under a constant gradient that is the middle of its dwell
                center = (readout.center_sample or n_samples // 2) + 0.5
                dwell = readout.sample_time or (trapezoid.dwell_time if trapezoid else 1.0)
                trapezoid = TrapezoidReadout(0.0, 0.0, 0.0, 0.0, dwell, n_samples, center)
            elif trapezoid.n_samples != n_samples:
                raise ReadoutError(
                    f"number_of_samples: trajectoryDescription numSamples says {trapezoid.n_samples}, got {n_samples}"
                )
            axis = self._header.readout_axis
            positions = readout_positions(trapezoid, axis.n_encoded)
            self._operators[shape] = make_readout_operator(
                positions,
                axis,
                shift=self._settings.readout_shift_mm,
                n_discard_pre=readout.discard_pre,
                n_discard_post=readout.discard_post,
            )
        return self._operators[shape]

    def _check_field_of_view(self, readout: Readout) -> Iterator[Notice]:
        """Say so where the samples are too far apart for the whole field of view."""
        alias_free = self._operator(readout).alias_free_field_of_view
        wanted = self._header.readout_axis.field_of_view_recon
        if alias_free < wanted:
            yield Notice(
                "warning",
                f"readout samples support {alias_free:.0f} mm of the {wanted:.0f} mm field of view: the image is right"
                " within that width, pixels outside it are empty, and what lies there folds in",
            )

    def _operator_of(self, shapes: dict[bool, Shape]) -> ReadoutOperator:
        """Of a slice: the samples that are discarded may differ between the polarities."""
        forward = shapes.get(False) or shapes[True]
        backward = shapes.get(True, forward)
        if forward == backward:
            return self._operators[forward]
        pair = (forward, backward)
        if pair not in self._mixed_operators:
            self._mixed_operators[pair] = replace(self._operators[forward], reversed=self._operators[backward].reversed)
        return self._mixed_operators[pair]

    def _to_image_space(
        self, samples: NDArray[np.complex64], operator: ReadoutOperator, *, is_reversed: bool
    ) -> NDArray[np.complex64]:
        """Regrid samples (..., n_coils, n_samples), and whiten them."""
        lines = samples @ (operator.reversed if is_reversed else operator.forward)
        return lines if self._whiten.matrix is None else np.matmul(self._whiten.matrix, lines)

    def _add(self, readout: Readout) -> Iterable[object]:
        self._check(readout)
        found: list[object] = []
        if not self._is_begun:
            self._is_begun = True
            found += self._whiten.start(readout)
            found += self._check_field_of_view(readout)
        volume = self._open.get(readout.counters.contrast)
        key = readout.volume_key
        if volume is None or volume.key != key:
            volume = self._volume_of(readout, key, volume, found)
        is_navigator = readout.purpose is Purpose.NAVIGATOR
        completed = self._add_navigator(volume, readout) if is_navigator else self._add_line(volume, readout)
        return (*found, *completed) if found else completed

    def _volume_of(
        self, readout: Readout, key: VolumeKey, volume: OpenVolume | None, found: list[object]
    ) -> OpenVolume:
        """The volume of a readout that is not known to belong to the open one; what ends is added to `found`."""
        if readout.purpose is Purpose.NAVIGATOR:
            # Siemens converters put the polarity into average and segment of navigators: they belong to the open volume
            key = VolumeKey(key.repetition, key.set, key.phase, key.contrast, 0, key.is_m0)
            if volume is not None and _same_but_average(volume.key, key):
                return volume
        if volume is not None and volume.key == key:
            return volume
        if self._finished.get(key.contrast) == key:
            raise ReadoutError(f"{key}: readout after its volume had ended")
        if volume is not None:
            if _same_but_average(volume.key, key) and not volume.done and not _has_lines(volume):
                volume.key = key
                return volume
            found += self._give_up(volume)
        opened = self._open[key.contrast] = OpenVolume(key)
        return opened

    def _slice_of(self, volume: OpenVolume, readout: Readout) -> OpenSlice:
        index = readout.counters.slice
        opened = volume.slices.get(index)
        if opened is None:
            if index in volume.done:
                raise ReadoutError(f"{volume.key}: slice {index}: readout after its slice had ended")
            opened = volume.slices[index] = OpenSlice(readout)
        return opened

    def _add_navigator(self, volume: OpenVolume, readout: Readout) -> Iterable[object]:
        opened = self._slice_of(volume, readout)
        line = self._to_image_space(readout.samples, self._operator(readout), is_reversed=readout.is_reversed)
        opened.add_navigators([line], [readout.is_reversed])
        return ()

    def _keep_navigators(self, opened: OpenSlice, block: ReadoutBlock, start: int) -> int:
        """Put navigators of a block with those of their slice, up to the first of which there is something to say."""
        shapes = {(block.samples.shape[2], pre, post) for pre, post in block.discards[start:].tolist()}
        lines, limits = block.lines[start:], self._line_limits
        is_within = limits.minimum <= lines.min() and lines.max() <= limits.maximum
        if not is_within or len(shapes) > 1 or not shapes <= self._operators.keys():
            return 0
        # aligned, which the block's own need not be
        samples = np.array(block.samples[start:], order="C")
        n = count_finite(samples)
        operator, is_reversed = self._operators[shapes.pop()], block.is_reversed[start : start + n]
        regridded = np.empty((n, samples.shape[1], operator.forward.shape[1]), np.complex64)
        for is_back in (False, True):
            of_polarity = is_reversed == is_back
            regridded[of_polarity] = self._to_image_space(samples[:n][of_polarity], operator, is_reversed=is_back)
        if n:
            opened.add_navigators(list(regridded), is_reversed.tolist())
        return n

    def _add_line(self, volume: OpenVolume, readout: Readout) -> Iterable[object]:
        opened = self._slice_of(volume, readout)
        at = readout.counters
        if at.line in opened.line_numbers:
            raise ReadoutError(f"{volume.key}: slice {at.slice}: line {at.line} came twice")
        n_lines = self._keep_line(opened, readout)
        if n_lines == 1:
            opened.n_expected = len(self._expected_lines(opened))
        return self._end_if_due(volume, at.slice, is_last=readout.is_last_in_slice)

    def _end_if_due(self, volume: OpenVolume, index: int, *, is_last: bool) -> Iterable[object]:
        """End a slice with the line that came last if it is complete, or said to end here."""
        opened = volume.slices[index]
        n_lines = len(opened.line_numbers)
        if n_lines < opened.n_expected and not is_last:
            return ()
        found: list[object] = []
        if n_lines < opened.n_expected:
            if self._settings.incomplete_volumes == "drop":
                # the slice stays open, and the volume is given up when the next one starts
                return ()
            found.append(self._zero_fill_notice(volume, index))
        found.append(self._end_slice(volume, index))
        self._end_if_complete(volume)
        return found

    def _keep_line(self, opened: OpenSlice, readout: Readout) -> int:
        """Put a line with those of its slice; return how many there are."""
        samples = readout.samples
        shape = (samples.shape[1], readout.discard_pre, readout.discard_post)
        if opened.shapes.get(readout.is_reversed) != shape:
            self._begin_polarity(opened, readout, shape)
        n_lines = len(opened.line_numbers)
        opened.raw[n_lines] = samples
        opened.line_numbers.append(readout.counters.line)
        opened.is_reversed.append(readout.is_reversed)
        opened.shots.append(opened.shot)
        return n_lines + 1

    def _begin_polarity(self, opened: OpenSlice, readout: Readout, shape: Shape) -> None:
        """Take the first line of a slice, or the first of its polarity.

        Raises
        ------
        ReadoutError
            It is not the first, and discards other samples.
        """
        if shape[0] != opened.raw.shape[2]:
            # the first line; or what was there was the first readout of the scan, of an odd size: the slice begins anew
            opened.forget_lines()
            opened.raw = np.empty((self._line_limits.count, *readout.samples.shape), np.complex64)
        known = opened.shapes.setdefault(readout.is_reversed, shape)
        if known != shape:
            raise ReadoutError(
                f"discard_pre, discard_post: expected {known[1]}, {known[2]} as in the slice's other lines of this"
                f" polarity, got {shape[1]}, {shape[2]}"
            )
        self._operator(readout)

    def _expected_lines(self, opened: OpenSlice) -> range:
        first = opened.line_numbers[0] if opened.line_numbers else None
        return expected_lines(self._line_limits, self._header.acceleration, first)

    def _missing(self, opened: OpenSlice) -> tuple[int, ...]:
        return tuple(sorted(set(self._expected_lines(opened)) - set(opened.line_numbers)))

    def _zero_fill_notice(self, volume: OpenVolume, index: int) -> Notice:
        missing = self._missing(volume.slices[index])
        return Notice("warning", f"{volume.key}: slice {index}: {_lines_text(missing)} missing, filled with zeros")

    def _end_if_complete(self, volume: OpenVolume) -> None:
        if len(volume.done) == self._header.n_slices:
            del self._open[volume.key.contrast]
            self._finished[volume.key.contrast] = volume.key

    def _end_slice(self, volume: OpenVolume, index: int) -> KSpaceSlice:
        opened = volume.slices.pop(index)
        volume.done.add(index)
        n_lines, first = len(opened.line_numbers), opened.first
        shape = (0, opened.raw.shape[1], self._header.readout_axis.n_recon)
        navigators = np.stack(opened.navigators) if opened.navigators else np.empty(shape, np.complex64)
        return KSpaceSlice(
            key=volume.key,
            slice=index - self._slice_limits.minimum,
            raw=opened.raw[:n_lines],
            readout=self._operator_of(opened.shapes),
            whitening=self._whiten.matrix,
            line_numbers=np.array(opened.line_numbers, np.int64),
            is_reversed=np.array(opened.is_reversed, np.bool_),
            shots=np.array(opened.shots, np.int64),
            navigators=navigators,
            navigator_is_reversed=np.array(opened.navigator_is_reversed, np.bool_),
            navigator_shots=np.array(opened.navigator_shots, np.int64),
            missing_lines=self._missing(opened),
            position=first.position,
            read_dir=first.read_dir,
            phase_dir=first.phase_dir,
            slice_dir=first.slice_dir,
            time_stamp=first.time_stamp,
        )

    def _give_up(self, volume: OpenVolume) -> Iterator[object]:
        """End a volume that has readouts missing: drop it, or fill with zeros where at least every slice was begun."""
        del self._open[volume.key.contrast]
        self._finished[volume.key.contrast] = volume.key
        expected = range(self._slice_limits.minimum, self._slice_limits.maximum + 1)
        absent = [
            i for i in expected if i not in volume.done and not (i in volume.slices and volume.slices[i].line_numbers)
        ]
        if self._settings.incomplete_volumes == "zero_fill" and not absent:
            for index in sorted(volume.slices):
                yield self._zero_fill_notice(volume, index)
                yield self._end_slice(volume, index)
            return
        parts = [f"slice {i} has no lines" for i in absent]
        parts += [
            f"slice {i} lacks {_lines_text(self._missing(s))}"
            for i, s in sorted(volume.slices.items())
            if i not in absent
        ]
        yield Dropped("volume", f"readouts missing: {'; '.join(parts)}", volume.key)


def _shape_of(readout: Readout) -> Shape:
    return readout.samples.shape[1], readout.discard_pre, readout.discard_post


def _has_lines(volume: OpenVolume) -> bool:
    return any(opened.line_numbers for opened in volume.slices.values())


def _same_but_average(one: VolumeKey, other: VolumeKey) -> bool:
    return (one.repetition, one.set, one.phase, one.contrast, one.is_m0) == (
        other.repetition,
        other.set,
        other.phase,
        other.contrast,
        other.is_m0,
    )


def _lines_text(lines: tuple[int, ...]) -> str:
    """Name lines without filling the screen."""
    shown = ", ".join(str(line) for line in lines[:4])
    return f"line{'s' if len(lines) > 1 else ''} {shown}{f' and {len(lines) - 4} more' if len(lines) > 4 else ''}"
