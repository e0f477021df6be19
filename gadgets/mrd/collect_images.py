"""The slices that a split chain gets as images, put together to the items they were made of."""

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from perfline.gadgets.mrd.item_json import ITEM_KEY, item_from_json, n_slices_in_json
from perfline.gadgets.mrd.layout import ImageType
from perfline.gadgets.mrd.messages import Image
from perfline.gadgets.stage_data import Dropped, ReadoutBlock
from perfline.recon.errors import InputError

__all__ = ["CollectImages"]


@dataclass
class _Open:
    """An item whose slices are arriving."""

    attributes: bytes
    text: str
    n_slices: int
    slices: dict[int, Image] = field(default_factory=dict)


class CollectImages:
    """Stage: images with our meta in, Volume, M0Volume and DeltaMVolume out; other images and items pass through.

    Slices of one item come one after the other, so one item is open at a time; when the next one begins, or the scan
    ends, an incomplete item is dropped and reported. A magnitude image of a volume passes through: its phase is lost.
    """

    name = "collect_images"

    def __init__(self) -> None:
        self._open: _Open | None = None

    def process(self, item: object) -> Iterable[object]:
        """Take one image; yield the item when its last slice is in."""
        return self._collect(item) if isinstance(item, Image) else (item,)

    def take_block(self, block: ReadoutBlock, start: int) -> tuple[int, Iterable[object]]:
        """Let readouts pass."""
        return len(block) - start, (block,)

    def _collect(self, item: Image) -> Iterable[object]:
        try:
            # the images of an item share their meta: it is decoded once
            if self._open is None or item.attributes != self._open.attributes:
                text = item.meta.get(ITEM_KEY)
                if not isinstance(text, str) or _has_lost_its_phase(item, text):
                    yield item
                    return
                if self._open is None or self._open.text != text:
                    yield from self.finish()
                    self._open = _Open(item.attributes, text, n_slices_in_json(text))
            yield from self._add(self._open, item)
        except InputError as error:
            yield Dropped("slice", str(error), slice=item.header.slice)

    def finish(self) -> Iterable[object]:
        """Report what is still incomplete."""
        left, self._open = self._open, None
        if left is not None:
            missing = sorted(set(range(left.n_slices)) - set(left.slices))
            yield Dropped("volume", f"slices {missing} of {left.n_slices} are missing from the images of an item")

    def _add(self, group: _Open, image: Image) -> Iterable[object]:
        number = image.header.slice
        if number >= group.n_slices or number in group.slices:
            reason = "came twice" if number in group.slices else f"is beyond the {group.n_slices} of its item"
            yield Dropped("slice", f"image of slice {number} {reason}", slice=number)
            return
        group.slices[number] = image
        if len(group.slices) == group.n_slices:
            self._open = None
            shapes = {one.data.shape for one in group.slices.values()}
            if len(shapes) > 1 or image.data.shape[:2] != (1, 1):
                raise InputError(f"images of an item: expected equal shapes (1, 1, n_y, n_x), got {sorted(shapes)}")
            pixels = np.stack([group.slices[index].data[0, 0] for index in range(group.n_slices)])
            yield item_from_json(group.text, pixels)


def _has_lost_its_phase(image: Image, text: str) -> bool:
    return '"type":"Volume"' in text and image.header.image_type != ImageType.COMPLEX
