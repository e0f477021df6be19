"""N/2 ghost estimates of a scan: per slice and shot, filtered in time, or shared by the two halves of a pair.

Navigators follow every change from volume to volume, but miss a part that stays: in a phantom scan they leave ghost
that the image lines can remove. The lines, in turn, are too noisy to be used for every volume. So the lines of each
slice's first volume give an offset to its navigators once; it then serves the whole scan, control and label alike.
Sharing gives both halves of a pair one and the same correction, so that what remains of the ghost subtracts.

Navigators may be lost, or come out of place. What is there is used as well as it can be, the slice is reported, and a
volume that did not become complete teaches nothing to those that follow.
"""

from collections.abc import Generator, Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from perfline.gadgets.errors import ScanHeaderError
from perfline.gadgets.settings import Settings
from perfline.gadgets.stage_data import Dropped, KSpaceSlice, Notice, ScanHeader, VolumeKey
from perfline.gadgets.stages.volume_order import VolumeOrder
from perfline.recon.epi.ghost import apply_ghost_phase, estimate_from_lines, estimate_from_navigators
from perfline.recon.epi.ghost_phase import GhostPhase, filter_ghost_phase

__all__ = ["GhostMemory"]


class GhostMemory:
    """Estimate the N/2 ghost of one slice after another.

    Parameters
    ----------
    header : ScanHeader
    settings : Settings
        ``ghost_correction``: ``auto`` takes the navigators where there are some, refined once by the lines, else the
        lines of every volume; ``navigator`` demands navigators and takes nothing else; ``data`` takes the lines of
        every volume; ``none`` corrects nothing.
    """

    def __init__(self, header: ScanHeader, settings: Settings) -> None:
        self._mode = settings.ghost_correction
        self._weight = settings.ghost_filter_weight
        is_shared = settings.ghost_sharing == "pair"
        self._order = VolumeOrder(header) if is_shared and header.asl is not None else None
        self._is_unshared_said = not is_shared or self._order is not None
        self._pairs: dict[VolumeKey, int | None] = {}
        self._n_volumes = 0
        self._last: dict[tuple[int, int, int], tuple[int | None, GhostPhase]] = {}
        self._offsets: dict[tuple[int, int], tuple[VolumeKey, GhostPhase]] = {}
        self._n_slices = header.n_slices
        self._n_navigators = header.n_navigators or None
        self._current: dict[int, tuple[VolumeKey, int]] = {}
        self._is_absence_said = False

    def estimate(self, item: KSpaceSlice) -> Generator[Notice | Dropped, None, list[GhostPhase]]:
        """Tell the ghost phase of each shot of a slice; report navigators that were lost, or came out of place.

        Yields
        ------
        Notice or Dropped

        Returns
        -------
        list of GhostPhase
            From shot 0 on; zero for a shot of which no line is in.

        Raises
        ------
        ScanHeaderError
            Navigators were demanded, and there have never been any.
        """
        n_shots = int(item.shots.max()) + 1
        if self._mode == "none":
            return [GhostPhase()] * n_shots
        self._forget_incomplete(item)
        if not self._is_unshared_said:
            self._is_unshared_said = True
            yield Notice("warning", "ghost_sharing is pair, but the scan declares no labelling: nothing is shared")
        reversed_navigators = item.navigator_is_reversed
        has_navigators = bool(reversed_navigators.any() and not reversed_navigators.all())
        n_navigators = len(reversed_navigators)
        if not has_navigators and self._mode == "navigator" and not self._n_navigators:
            raise ScanHeaderError(
                f"ghost_correction is navigator: expected navigators of both polarities (flag 24) in {item.key}, slice "
                f"{item.slice}, got {n_navigators} of one"
            )
        if self._mode != "data":
            yield from self._check_count(item)
        if not n_navigators and self._mode == "auto" and not self._is_absence_said:
            self._is_absence_said = True
            yield Notice("info", "no navigators: the N/2 ghost is estimated from the image lines")
        use_navigators = has_navigators and self._mode != "data"
        shots = np.flatnonzero(np.bincount(item.shots)).tolist()
        phases = {shot: self._phase(item, shot, use_navigators) for shot in shots}
        if use_navigators and self._mode == "auto":
            offset = self._offset(item, phases)
            phases = {shot: phase.plus(offset) for shot, phase in phases.items()}
        return [phases.get(shot, GhostPhase()) for shot in range(n_shots)]

    def _check_count(self, item: KSpaceSlice) -> Iterator[Dropped]:
        """Hold the navigators of each shot against the header, or where it tells nothing against the first slice."""
        counts = np.bincount(item.navigator_shots)
        counts = counts[counts > 0]
        if self._n_navigators is None:
            self._n_navigators = int(counts.max(initial=0))
        elif np.any(counts != self._n_navigators) or (self._n_navigators and not counts.size):
            got = " and ".join(map(str, counts.tolist())) or "none"
            reason = (
                f"{item.key}: slice {item.slice}: expected {self._n_navigators} navigators before its lines, got {got}"
            )
            yield Dropped("navigators", f"{reason}; the slice is used", item.key, item.slice)

    def _forget_incomplete(self, item: KSpaceSlice) -> None:
        """Take back what the volume before has taught if it did not become complete: one of its lines may be wrong."""
        contrast = item.key.contrast
        key, n_slices = self._current.get(contrast, (item.key, 0))
        if key != item.key:
            if n_slices < self._n_slices:
                self._offsets = {place: known for place, known in self._offsets.items() if known[0] != key}
            n_slices = 0
        self._current[contrast] = (item.key, n_slices + 1)

    def _offset(self, item: KSpaceSlice, phases: dict[int, GhostPhase]) -> GhostPhase:
        """What the lines of this slice's first volume find beyond its navigators."""
        place = (item.slice, item.key.contrast)
        if place not in self._offsets:
            offset = _estimate_from_lines(item, _corrected(item, phases), start=GhostPhase())
            self._offsets[place] = (item.key, offset)
        return self._offsets[place][1]

    def count_lost_volume(self) -> None:
        """Keep count of a volume that was dropped: it keeps its place in the order of those that follow."""
        self._n_volumes += 1

    def _phase(self, item: KSpaceSlice, shot: int, use_navigators: bool) -> GhostPhase:
        place = (item.slice, item.key.contrast, shot)
        pair = self._pair(item.key)
        last_pair, last = self._last.get(place, (None, None))
        if last is not None and pair is not None and pair == last_pair:
            return last
        phase = self._estimate(item, shot, use_navigators)
        if last is not None and self._weight > 0:
            phase = filter_ghost_phase(last, phase, 1.0 - self._weight)
        self._last[place] = (pair, phase)
        return phase

    def _pair(self, key: VolumeKey) -> int | None:
        """Pair number of a volume where corrections are shared; None: not shared."""
        if self._order is None or key.contrast > 0:
            return None
        if key not in self._pairs:
            self._pairs = {key: self._order.describe(key, self._n_volumes).pair}
            self._n_volumes += 1
        return self._pairs[key]

    @staticmethod
    def _estimate(item: KSpaceSlice, shot: int, use_navigators: bool) -> GhostPhase:
        if not use_navigators:
            return _estimate_from_lines(item, item.lines)
        of_shot = item.navigator_shots == shot
        is_reversed = item.navigator_is_reversed[of_shot]
        if not is_reversed.any() or is_reversed.all():
            # navigators only before the first shot, or of one polarity here: those of all shots serve
            of_shot = np.ones(len(of_shot), np.bool_)
        return estimate_from_navigators(item.navigators[of_shot], item.navigator_is_reversed[of_shot])


def _estimate_from_lines(
    item: KSpaceSlice, lines: NDArray[np.complex64], start: GhostPhase | None = None
) -> GhostPhase:
    """Of a slice whose lines are all of one direction there is nothing to estimate, and no ghost."""
    if item.is_reversed.all() or not item.is_reversed.any():
        return GhostPhase()
    return estimate_from_lines(lines, item.line_numbers, item.is_reversed, start=start)


def _corrected(item: KSpaceSlice, phases: Mapping[int, GhostPhase]) -> NDArray[np.complex64]:
    """The lines of each shot, corrected with its own phase."""
    corrected = np.empty_like(item.lines)
    for shot, phase in phases.items():
        of_shot = item.shots == shot
        corrected[of_shot] = apply_ghost_phase(item.lines[of_shot], item.is_reversed[of_shot], phase)
    return corrected
