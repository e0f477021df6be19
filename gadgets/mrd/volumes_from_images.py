"""Images that another reconstruction made, as volumes: what an image-to-image run of OpenRecon or Gadgetron sends.

Counters, place and directions come from the image headers; which volume is control, label or M0 is told as for raw
data (aslcontext, else the counter ``set``; flag USER1 for M0), by the stage that comes next.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from math import isfinite
from typing import Final

import numpy as np
from numpy.typing import NDArray

from perfline.gadgets.mrd.convert import seconds_from_ticks
from perfline.gadgets.mrd.item_json import ITEM_KEY
from perfline.gadgets.mrd.layout import AcquisitionFlag, ImageType
from perfline.gadgets.mrd.messages import Image, ImageHeader
from perfline.gadgets.stage_data import Dropped, Notice, ScanHeader, Volume, VolumeKey
from perfline.gadgets.stages.slice_geometry import slice_geometry
from perfline.recon.errors import InputError

__all__ = ["VolumesFromImages"]

_MOST_OPEN: Final = 4096
"""Volumes that may be incomplete at once: a sender may go slice by slice through the whole scan."""

_N_REMEMBERED: Final = 64
_USABLE_TYPES: Final = (0, ImageType.MAGNITUDE, ImageType.COMPLEX)
_OURS: Final = "PERFLINE_SoftwareVersion"


@dataclass
class _Open:
    """The slices of a volume that have come, each with a header of its own."""

    shape: tuple[int, int]
    voxel_size: tuple[float, float, float]
    slices: dict[int, tuple[ImageHeader, NDArray[np.complex64]]] = field(default_factory=dict)


class VolumesFromImages:
    """Stage: 2D slices or 3D slabs in, each volume out with its last slice; other items pass through.

    Pixels are used as they are, or as ``RescaleSlope`` and ``RescaleIntercept`` of the meta say. Maps that perfline
    itself has made, and images of phase, real or imaginary part, are not taken for volumes.

    Parameters
    ----------
    header : ScanHeader
    """

    name = "volumes_from_images"

    def __init__(self, header: ScanHeader) -> None:
        self._header = header
        self._first_slice = header.limits["slice"].minimum if header.partition_axis is None else 0
        self._open: dict[VolumeKey, _Open] = {}
        self._ended: deque[VolumeKey] = deque(maxlen=_N_REMEMBERED)
        self._is_type_said = False

    def process(self, item: object) -> Iterable[object]:
        """Take one image; yield the volume that it completes."""
        if not isinstance(item, Image):
            yield item
            return
        head = item.header
        key = VolumeKey(
            head.repetition,
            head.set,
            head.phase,
            head.contrast,
            head.average,
            bool(head.flags & AcquisitionFlag.USER1.mask),
        )
        try:
            meta = item.meta
            if _OURS in meta and '"type":"Volume"' not in str(meta.get(ITEM_KEY)):
                yield item
            elif head.image_type not in _USABLE_TYPES:
                yield item
                yield from self._say_type(head.image_type)
            else:
                yield from self._add(key, item, meta)
        except InputError as error:
            yield Dropped("slice", str(error), key, head.slice)

    def finish(self) -> Iterable[object]:
        """Report what is still incomplete."""
        for key in list(self._open):
            yield self._give_up(key)

    def _add(self, key: VolumeKey, image: Image, meta: dict[str, str | list[str]]) -> Iterator[object]:
        if key in self._ended:
            raise InputError(f"{key}: an image of slice {image.header.slice} came after its volume had ended")
        n_channels, n_z, n_y, n_x = image.data.shape
        if n_channels != 1:
            raise InputError(f"{key}: expected images of one channel, got {n_channels}")
        view = image.header.field_of_view
        volume = self._open.setdefault(key, _Open((n_y, n_x), (view[0] / n_x, view[1] / n_y, view[2] / n_z)))
        if volume.shape != (n_y, n_x):
            raise InputError(f"{key}: expected images of {volume.shape}, got {(n_y, n_x)}")
        pixels = _values(image, meta)
        for offset in range(n_z):
            number = image.header.slice - self._first_slice + offset
            if not 0 <= number < self._header.n_slices:
                raise InputError(f"{key}: image of slice {number}: expected less than {self._header.n_slices} slices")
            if number in volume.slices:
                raise InputError(f"{key}: image of slice {number} came twice")
            volume.slices[number] = _header_of_slice(image.header, offset, n_z), pixels[offset]
        if len(volume.slices) == self._header.n_slices:
            # a volume that began before this one won't become complete any more
            before = list(self._open)
            for earlier in before[: before.index(key)]:
                yield self._give_up(earlier)
            yield self._complete(key)
        elif len(self._open) > _MOST_OPEN:
            yield self._give_up(next(iter(self._open)))

    def _complete(self, key: VolumeKey) -> Volume:
        volume = self._open.pop(key)
        self._ended.append(key)
        heads = [volume.slices[number][0] for number in range(self._header.n_slices)]
        return Volume(
            image=np.stack([volume.slices[number][1] for number in range(self._header.n_slices)]),
            key=key,
            geometry=replace(slice_geometry(self._header, heads), voxel_size=volume.voxel_size),
            ghost_level=float("nan"),
            time_stamp=min(seconds_from_ticks(head.acquisition_time_stamp) for head in heads),
        )

    def _give_up(self, key: VolumeKey) -> Dropped:
        volume = self._open.pop(key)
        self._ended.append(key)
        missing = sorted(set(range(self._header.n_slices)) - set(volume.slices))
        return Dropped("volume", f"slices {missing} of {self._header.n_slices} are missing from its images", key)

    def _say_type(self, image_type: int) -> Iterator[Notice]:
        if not self._is_type_said:
            self._is_type_said = True
            yield Notice("warning", f"images of image_type {image_type} (expected 1 magnitude, 5 complex) are not used")


def _values(image: Image, meta: dict[str, str | list[str]]) -> NDArray[np.complex64]:
    """Pixels (n_z, n_y, n_x) in the units of the sender."""
    texts = meta.get("RescaleSlope", "1"), meta.get("RescaleIntercept", "0")
    try:
        slope, intercept = (float(text) for text in texts)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        slope = intercept = float("nan")
    if not (isfinite(slope) and isfinite(intercept) and slope > 0):
        raise InputError(f"RescaleSlope, RescaleIntercept: expected a positive and another number, got {texts}")
    pixels = image.data[0]
    if slope != 1 or intercept != 0:
        pixels = pixels * slope + intercept
    if not np.isfinite(pixels).all():
        raise InputError("image data: expected finite values, got some that are NaN or infinite")
    return pixels.astype(np.complex64)


def _header_of_slice(head: ImageHeader, offset: int, n_z: int) -> ImageHeader:
    """Of a slab the place of one slice; ``position`` is the middle of the slab."""
    if n_z == 1:
        return head
    step = (offset - (n_z - 1) / 2) * head.field_of_view[2] / n_z
    x, y, z = (place + step * part for place, part in zip(head.position, head.slice_dir, strict=True))
    return replace(head, position=(x, y, z))
