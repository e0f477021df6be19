"""Blocks of encoded volumes to perfusion-weighted images: one for each sub-bolus, or for each artery."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from perfline.gadgets.errors import ScanHeaderError
from perfline.gadgets.stage_data import DeltaMVolume, Dropped, Notice, ScanHeader, Volume, VolumeKey
from perfline.gadgets.stages.delays import sub_boli
from perfline.gadgets.stages.order_check import OrderCheck
from perfline.recon.asl.encoding import decode, make_encoding
from perfline.recon.parameters import SubtractionDomain

__all__ = ["Decode"]

_SWAPPED = (
    "CONTROL AND LABEL LOOK SWAPPED: the decoded components of the first block together are {mean} of the signal,"
    " perfusion gives about +1 %; check the signs of EncodingMatrix (-1: inverted) and the order of the cycles (nothing"
    " was changed)"
)


class Decode:
    """Decode each block of cycles as soon as its last one is in.

    With one labelling duration for each column of the matrix but the static one, the columns are sub-boli in order of
    time (time encoding), and each difference image has its own duration and delay. With one duration in all, they are
    arteries. A block with a cycle missing is reported as dropped once a later block is complete, or at the end. All
    volumes travel on.

    Parameters
    ----------
    header : ScanHeader
        With ``asl.encoding_matrix``.
    domain : SubtractionDomain
        Magnitudes are decoded, or the parts of the complex images along the phase of their mean.

    Raises
    ------
    ScanHeaderError
        The number of durations or delays fits neither kind of encoding.
    """

    name = "decode"

    def __init__(self, header: ScanHeader, domain: SubtractionDomain) -> None:
        if header.asl is None or not header.asl.encoding_matrix:
            raise ScanHeaderError("decode: the scan declares no EncodingMatrix")
        self._encoding = make_encoding(header.asl.encoding_matrix)
        self._domain = domain
        n = self._encoding.n_components
        durations, delays = header.asl.labeling_duration, header.asl.post_labeling_delay
        if len(durations) not in (1, n):
            raise ScanHeaderError(
                f"LabelingDuration: expected one time (arteries) or {n} (one for each sub-bolus of EncodingMatrix),"
                f" got {len(durations)}"
            )
        encoded = sub_boli(header.asl)
        self._is_time_encoded = encoded is not None
        durations, delays = encoded or (durations, delays)
        if len(delays) not in (1, n) or (len(delays) > 1 and not self._is_time_encoded):
            raise ScanHeaderError(
                f"PostLabelingDelay: expected one time{f' or {n}' if self._is_time_encoded else ''}, got {len(delays)}"
            )
        self._durations = durations if len(durations) == n else durations * n
        self._delays = delays if len(delays) == n else delays * n
        self._blocks: dict[int, dict[int, Volume]] = {}
        self._is_condition_said = False
        self._order = OrderCheck(1, _SWAPPED)

    def process(self, item: object) -> Iterator[object]:
        """Take a volume; yield it, and the images of the block that it completes."""
        yield item
        if not isinstance(item, Volume) or item.label is None or item.label.cycle is None or item.label.pair is None:
            return
        index, cycle = item.label.pair, item.label.cycle
        block = self._blocks.setdefault(index, {})
        if cycle in block:
            yield Dropped("volume", f"block {index}: cycle {cycle} came twice", item.key)
            return
        block[cycle] = item
        if len(block) < self._encoding.n_cycles:
            return
        del self._blocks[index]
        yield from self._drop_blocks(before=index)
        if not self._is_condition_said:
            self._is_condition_said = True
            kind = "sub-boli" if self._is_time_encoded else "arteries"
            yield Notice(
                "info",
                f"EncodingMatrix: {self._encoding.n_cycles} cycles, {self._encoding.n_components} {kind},"
                f" condition number {self._encoding.condition_number:.3g}",
            )
        yield from self._decode(index, [block[number] for number in range(self._encoding.n_cycles)])

    def finish(self) -> Iterator[object]:
        """Report blocks that never became complete."""
        yield from self._drop_blocks(before=None)

    def _decode(self, index: int, volumes: list[Volume]) -> Iterator[DeltaMVolume | Notice]:
        real = self._real_images(volumes)
        images = decode(self._encoding, real)
        if not self._order.is_done:
            # the components together are what control minus label would be
            notice = self._order.add(np.abs(real.mean(axis=0)), images.sum(axis=0))
            if notice is not None:
                yield notice
        source: tuple[VolumeKey, ...] = tuple(volume.key for volume in volumes)
        for number, image in enumerate(images):
            yield DeltaMVolume(
                image=image,
                index=index,
                geometry=volumes[0].geometry,
                post_labeling_delay=self._delays[number],
                labeling_duration=self._durations[number],
                source=source,
                artery=None if self._is_time_encoded else number + 1,
            )

    def _real_images(self, volumes: list[Volume]) -> NDArray[np.float32]:
        images = np.stack([volume.image for volume in volumes])
        if self._domain is SubtractionDomain.MAGNITUDE:
            return np.abs(images)
        mean = images.mean(axis=0)
        size = np.abs(mean)
        phase = np.divide(mean, size, out=np.zeros_like(mean), where=size > 0)
        return np.ascontiguousarray((images * phase.conj()).real)

    def _drop_blocks(self, before: int | None) -> Iterator[Dropped]:
        for index in sorted(self._blocks):
            if before is not None and index >= before:
                continue
            block = self._blocks.pop(index)
            missing = sorted(set(range(self._encoding.n_cycles)) - set(block))
            names = ", ".join(map(str, missing))
            yield Dropped("pair", f"block {index}: cycle {names} of the EncodingMatrix missing", _first_key(block))


def _first_key(block: dict[int, Volume]) -> VolumeKey:
    return block[min(block)].key
