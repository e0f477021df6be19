"""Labelled volumes to control-label pairs: pairwise, or against the mean of the two neighbours in time (surround).

Surround subtraction (Liu and Wong 2005, NeuroImage 24) cancels a linear drift: with the order C L C L ..., label k is
subtracted from the mean of controls k and k + 1. The volume type that comes second in a pair is the one that stands
alone.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from perfline.gadgets.stage_data import ControlLabelPair, Dropped, Volume, VolumeKey
from perfline.recon.asl.subtraction import surround_mean
from perfline.recon.parameters import SubtractionDomain, SubtractionOrder, VolumeType

__all__ = ["Pair"]


@dataclass
class _Complete:
    """Both halves of a pair, in order of arrival."""

    index: int
    first: Volume
    second: Volume


class Pair:
    """Match controls and labels by the pair number of their labels.

    A half whose partner does not come is reported as dropped once a later pair is complete, or at the end. All volumes
    travel on beside the pairs.

    Parameters
    ----------
    order : SubtractionOrder
    domain : SubtractionDomain
        In which the mean of two neighbours is taken.
    last_pair : int, optional
        Index of the scan's last pair where the header tells: its surround difference then needn't wait for the end.
    """

    name = "pair"

    def __init__(
        self,
        order: SubtractionOrder,
        domain: SubtractionDomain = SubtractionDomain.MAGNITUDE,
        last_pair: int | None = None,
    ) -> None:
        self._order = order
        self._domain = domain
        self._last_pair = last_pair
        self._halves: dict[int, Volume] = {}
        self._waiting: _Complete | None = None

    def process(self, item: object) -> Iterator[object]:
        """Take a volume; yield it, and the pair that it completes."""
        yield item
        if not isinstance(item, Volume) or item.label is None or item.label.pair is None:
            return
        if item.label.volume_type not in (VolumeType.CONTROL, VolumeType.LABEL):
            return
        index = item.label.pair
        half = self._halves.pop(index, None)
        if half is None:
            yield from self._end_waiting(item)
            self._halves[index] = item
            return
        if half.label is not None and half.label.volume_type == item.label.volume_type:
            self._halves[index] = half
            yield Dropped("volume", f"pair {index}: a second {item.label.volume_type}", item.key)
            return
        yield from self._drop_halves(before=item)
        complete = _Complete(index, half, item)
        if self._order is SubtractionOrder.PAIRWISE or index == self._last_pair:
            yield self._make(complete, None)
        else:
            if self._waiting is not None:
                # volumes that are acquired side by side: its neighbour had come before it was complete
                yield self._make(self._waiting, None)
            self._waiting = complete

    def finish(self) -> Iterator[object]:
        """Yield the pair that waited for a neighbour; report halves without a partner."""
        if self._waiting is not None:
            yield self._make(self._waiting, None)
            self._waiting = None
        yield from self._drop_halves(before=None)

    def _end_waiting(self, arrived: Volume) -> Iterator[object]:
        """The first half of a later pair is the neighbour that a waiting pair wants, if they are next to each other."""
        waiting, self._waiting = self._waiting, None
        if waiting is None or arrived.label is None or waiting.first.label is None:
            return
        first = waiting.first.label
        is_neighbour = (
            arrived.label.pair == waiting.index + 1
            and arrived.label.volume_type == first.volume_type
            and arrived.label.post_labeling_delay == first.post_labeling_delay
        )
        yield self._make(waiting, arrived if is_neighbour else None)

    def _make(self, complete: _Complete, neighbour: Volume | None) -> ControlLabelPair:
        first, second = complete.first, complete.second
        source: tuple[VolumeKey, ...] = (first.key, second.key)
        if neighbour is not None:
            first = replace(first, image=surround_mean(first.image, neighbour.image, self._domain))
            source = (*source, neighbour.key)
        is_control_first = first.label is not None and first.label.volume_type is VolumeType.CONTROL
        control, label = (first, second) if is_control_first else (second, first)
        return ControlLabelPair(control, label, complete.index, source)

    def _drop_halves(self, before: Volume | None) -> Iterator[object]:
        """Give up halves of earlier pairs and repetitions; those of the same one may be acquired side by side.

        A half that belongs to a later pair has its partner still to come, as where all controls precede the labels.
        """
        for index in sorted(self._halves):
            if before is not None and not _is_over(self._halves[index], before):
                continue
            half = self._halves.pop(index)
            if half.label is not None:
                is_control = half.label.volume_type is VolumeType.CONTROL
                missing = VolumeType.LABEL if is_control else VolumeType.CONTROL
                yield Dropped("pair", f"pair {index}: its {missing} is missing", half.key)


def _is_over(half: Volume, complete: Volume) -> bool:
    """Whether a half is of an earlier pair than the one that is complete, and of an earlier repetition."""
    if half.label is None or half.label.pair is None or complete.label is None or complete.label.pair is None:
        return False
    one, other = half.key, complete.key
    is_earlier = (one.average, one.repetition) < (other.average, other.repetition)
    return is_earlier and half.label.pair < complete.label.pair
