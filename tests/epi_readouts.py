"""Readouts of a small Cartesian EPI scan, made from an image by the Fourier pair: for tests of the stages."""

from collections.abc import Iterable, Iterator
from itertools import groupby

import numpy as np

from perfline.gadgets.stage_data import Counters, Purpose, Readout, ReadoutBlock, VolumeKey
from perfline.recon.fourier import image_to_kspace, kspace_to_image


def volume_readouts(
    images: np.ndarray, key: VolumeKey, *, n_navigators: int = 3, first_line: int = 0
) -> Iterator[Readout]:
    """Readouts of one volume, slice by slice: navigators (-, +, -), then lines of alternating polarity.

    `images` is (n_slices, n_coils, n_y, n_x); reversed lines run backwards in time, so that sample 0 is at the far end.
    """
    n_slices, _, n_y, n_x = images.shape
    kspace = image_to_kspace(images).astype(np.complex64)
    for index in range(n_slices):
        position = (0.0, 0.0, 6.0 * index)

        def readout(line: int, is_reversed: bool, index: int = index, position=position, **fields) -> Readout:
            samples = kspace[index, :, line]
            if is_reversed:
                # forward positions are -n/2 ... n/2 - 1; the reversed train passes n/2 ... -n/2 + 1
                turned = samples[:, ::-1]
                samples = np.concatenate([np.zeros_like(turned[:, :1]), turned[:, :-1]], axis=1)
            at = Counters(
                line=line, slice=index, contrast=key.contrast, phase=key.phase, repetition=key.repetition, set=key.set
            )
            return Readout(
                np.ascontiguousarray(samples),
                at,
                is_reversed=is_reversed,
                is_m0=key.is_m0,
                center_sample=n_x // 2,
                position=position,
                **fields,
            )

        for number in range(n_navigators):
            yield readout(n_y // 2, number % 2 == 0, purpose=Purpose.NAVIGATOR)
        for line in range(first_line, n_y):
            yield readout(line, line % 2 == 1, purpose=Purpose.IMAGING, is_last_in_slice=line == n_y - 1)


def band_limited_images(shape: tuple[int, int, int, int], seed: int = 0) -> np.ndarray:
    """Random images (n_slices, n_coils, n_y, n_x) without the sample at -n/2, which a reversed line never passes."""
    rng = np.random.default_rng(seed)
    kspace = rng.standard_normal((*shape, 2)) @ np.array([1, 1j])
    kspace[..., 0] = 0
    return kspace_to_image(kspace).astype(np.complex64)


def in_blocks(readouts: Iterable[Readout]) -> Iterator[ReadoutBlock]:
    """The readouts as blocks, each as long as it can be."""
    for _, group in groupby(readouts, lambda one: (one.volume_key, one.counters.slice, one.purpose, one.samples.shape)):
        yield block_of(list(group))


def block_of(readouts: list[Readout]) -> ReadoutBlock:
    """A block of readouts of one size, purpose, volume and slice; its samples are unaligned, as those from a stream."""
    first = readouts[0]
    shape = (len(readouts), *first.samples.shape)
    samples = np.ndarray(shape, np.complex64, bytearray(1 + 8 * int(np.prod(shape))), 1)
    for number, readout in enumerate(readouts):
        samples[number] = readout.samples
    return ReadoutBlock(
        first.volume_key,
        first.counters.slice,
        first.purpose,
        samples,
        np.array([one.counters.line for one in readouts], np.uint16),
        np.array([(one.discard_pre, one.discard_post) for one in readouts], np.uint16),
        np.array([one.is_reversed for one in readouts]),
        np.array([one.is_last_in_slice for one in readouts]),
        readouts.__getitem__,
    )
