"""Volumes to labelled volumes: control, label, m0scan or encoded cycle, by what was declared, never by intensity."""

from collections.abc import Iterator
from dataclasses import replace

from perfline.gadgets.stage_data import Dropped, Notice, ScanHeader, Volume, VolumeKey
from perfline.gadgets.stages.encoded_order import EncodedOrder
from perfline.gadgets.stages.volume_order import VolumeOrder

__all__ = ["Label"]


class Label:
    """Give each volume its `VolumeLabel`.

    Volumes of later echoes (``contrast`` above 0) pass unlabelled: they carry BOLD, not perfusion.

    Parameters
    ----------
    header : ScanHeader
        With ``asl`` resolved.
    """

    name = "label"

    def __init__(self, header: ScanHeader) -> None:
        is_encoded = header.asl is not None and bool(header.asl.encoding_matrix)
        self._order: VolumeOrder | EncodedOrder = EncodedOrder(header) if is_encoded else VolumeOrder(header)
        self._limits = header.limits
        self._arrival = 0
        self._is_later_echo_seen = False

    def process(self, item: object) -> Iterator[object]:
        """Label a volume.

        Raises
        ------
        ScanHeaderError
            The volume's type can't be told: named is what to declare and where.
        """
        if isinstance(item, Dropped) and item.what == "volume" and item.key is not None and self._is_of_scan(item.key):
            # a lost volume keeps its place in the order of those that follow
            self._arrival += 1
        if not isinstance(item, Volume) or item.label is not None:
            yield item
            return
        if item.key.contrast > 0:
            if not self._is_later_echo_seen:
                self._is_later_echo_seen = True
                yield Notice("info", "volumes with idx.contrast above 0 are reconstructed, not used for perfusion")
            yield item
            return
        label = self._order.describe(item.key, self._arrival if item.order is None else item.order)
        self._arrival += 1
        yield from self._order.take_notices()
        yield replace(item, label=label)

    def finish(self) -> Iterator[object]:
        """Nothing is left."""
        yield from ()

    def _is_of_scan(self, key: VolumeKey) -> bool:
        """Whether a lost volume was one: wrong counters of a readout seem to begin one that the scan does not have.

        The flag of M0 may stand for counters of their own. Where repetitions number the volumes, none are counted here.
        """
        if key.contrast > 0:
            return False
        counters = {"repetition": key.repetition, "set": key.set, "phase": key.phase, "average": key.average}
        return key.is_m0 or all(
            self._limits[name].minimum <= n <= self._limits[name].maximum for name, n in counters.items()
        )
