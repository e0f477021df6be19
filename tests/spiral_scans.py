"""Readouts of small spiral scans of Gaussians, whose k-space is known on paper: for tests of the stages."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scan_headers import scan_header

from perfline.gadgets.stage_data import Counters, Limits, Purpose, Readout, ScanHeader, SpiralParameters, VolumeKey
from perfline.recon.parameters import ImageAxis

__all__ = ["GaussianScan", "feed"]

BLOBS = (
    ((0.05, -0.10, 0.06), (0.34, 0.20, 0.26), 10.0),
    ((-0.08, 0.22, -0.16), (0.30, 0.16, 0.18), 6.0),
    ((0.04, -0.16, 0.20), (0.32, 0.17, 0.16), -4.0),
)
"""Centre and width along z, y, x in fields of view, height; narrow in k-space, without any symmetry."""


@dataclass(frozen=True)
class GaussianScan:
    """A scan of Gaussians in coils that are sums of complex exponentials.

    ``n_partitions`` 0: slices, each with an object of its own. ``oversampling`` of the fields of view along y and x.
    """

    n_y: int = 24
    n_x: int = 28
    n_slices: int = 3
    n_partitions: int = 0
    n_coils: int = 4
    n_shots: int = 2
    n_samples: int = 560
    n_pairs: int = 4
    acceleration: int = 1
    n_cut: int = 0
    """Pixels that the image has less than the encoding along y and x."""
    wave: float = 0.4
    """Of the sensitivities [cycles per field of view]."""
    frequency: float = 0.0
    sample_time: float = 5e-6

    @property
    def header(self) -> ScanHeader:
        header = scan_header(
            n_x=self.n_x, n_y=self.n_y, n_slices=self.n_slices, n_coils=self.n_coils, n_pairs=self.n_pairs
        )
        limits = dict(header.limits)
        limits["line"] = Limits(0, self.n_shots - 1, 0)
        z = None
        if self.n_partitions:
            limits["slice"] = Limits()
            limits["partition"] = Limits(0, self.n_partitions - 1, self.n_partitions // 2)
            z = ImageAxis(self.n_partitions, 5.0 * self.n_partitions, self.n_slices, 5.0 * self.n_slices)
        return replace(
            header,
            readout_axis=_axis(self.n_x, 4.0, self.n_cut),
            phase_axis=_axis(self.n_y, 4.0, self.n_cut),
            partition_axis=z,
            limits=limits,
            trajectory="spiral",
            spiral=SpiralParameters(),
            acceleration=self.acceleration,
        )

    @property
    def trajectory(self) -> NDArray[np.float64]:
        """(n_shots, n_samples, 2), cycles per field of view: turns 0.8 apart, samples at most 0.9."""
        matrix = np.array([self.n_y, self.n_x])
        n_turns = 0.5 * matrix.max() / (0.8 * self.n_shots)
        t = np.sqrt(np.linspace(0, 1, self.n_samples))
        angle = 2 * np.pi * (n_turns * t + np.arange(self.n_shots)[:, None] / self.n_shots)
        # not to the very edge: in single precision it would lie beyond
        return 0.4999 * t[:, None] * np.stack([np.sin(angle), np.cos(angle)], axis=-1) * matrix

    @property
    def truth(self) -> NDArray[np.complex128]:
        """Object times the root of the sum of squares of the coils, (n_slices, n_y, n_x) of the image."""
        images = self.coil_images()
        return np.sqrt(np.sum(np.abs(images) ** 2, axis=1))

    def coil_images(self) -> NDArray[np.complex128]:
        """What each coil sees, (n_slices, n_coils, n_y, n_x) of the image."""
        y, x = (_positions(n, self.n_cut) for n in (self.n_y, self.n_x))
        maps = np.zeros((self.n_coils, y.size, x.size), np.complex128)
        for weights, (f_y, f_x) in self._waves():
            maps += weights[:, None, None] * np.exp(2j * np.pi * (f_y * y[:, None] + f_x * x))
        return self._object(y, x)[:, None] * maps

    def _object(self, y, x):
        if self.n_partitions:
            z = _positions(self.n_partitions, self.n_partitions - self.n_slices)
        total = np.zeros((self.n_slices, y.size, x.size))
        for number, (centre, width, height) in enumerate(BLOBS):
            plane = _bell(y, centre[1], width[1])[:, None] * _bell(x, centre[2], width[2])
            along = _bell(z, centre[0], width[0]) if self.n_partitions else self._heights(number)
            total += height * along[:, None, None] * plane
        return total

    def _heights(self, number):
        return 1.0 + 0.3 * np.arange(self.n_slices) * (number - 0.5)

    def _waves(self):
        """Weights of the coils (n_coils,) and frequency (y, x) of each wave of the sensitivities."""
        angles = 2 * np.pi * np.arange(self.n_coils) / self.n_coils + 0.3
        f = self.wave
        yield np.ones(self.n_coils, np.complex128), (0.0, 0.0)
        yield 0.7 * np.exp(1j * angles), (f, 0.0)
        yield 0.7 * np.exp(2j * angles), (0.0, -f)
        yield 0.5 * np.exp(-1j * angles), (-0.7 * f, 0.7 * f)

    def samples(self, k: NDArray[np.float64], index: int) -> NDArray[np.complex64]:
        """Samples (n_coils, n_samples) of a slice or partition at positions (n_samples, 2 or 3)."""
        n_z = max(self.n_partitions, 1)
        total = np.zeros((self.n_coils, len(k)), np.complex128)
        k_z = k[:, 0] if k.shape[1] == 3 else np.full(len(k), index - n_z // 2, np.float64)
        for weights, (f_y, f_x) in self._waves():
            for number, (centre, width, height) in enumerate(BLOBS):
                one = height * _bell_kspace(k[:, -2] - f_y, centre[1], width[1])
                one = one * _bell_kspace(k[:, -1] - f_x, centre[2], width[2])
                if self.n_partitions:
                    one = one * _bell_kspace(k_z, centre[0], width[0])
                else:
                    one = one * self._heights(number)[index]
                total += weights[:, None] * one
        times = np.arange(len(k)) * self.sample_time
        total *= np.exp(2j * np.pi * self.frequency * times)
        return (np.sqrt(self.n_y * self.n_x * n_z) * total).astype(np.complex64)

    def readout(
        self,
        key: VolumeKey,
        index: int,
        shot: int,
        *,
        trajectory: NDArray[np.float64] | None = None,
        scale: complex = 1.0,
        **fields,
    ) -> Readout:
        """One interleaf of a slice or partition."""
        k = (self.trajectory if trajectory is None else trajectory)[shot]
        place = {"partition": index} if self.n_partitions else {"slice": index}
        at = Counters(
            line=shot,
            contrast=key.contrast,
            phase=key.phase,
            repetition=key.repetition,
            set=key.set,
            average=key.average,
            **place,
        )
        matrix = np.array([self.n_x, self.n_y, max(self.n_partitions, 1)], np.float64)[: k.shape[1]]
        position = (0.0, 0.0, 30.0) if self.n_partitions else (0.0, 0.0, 6.0 * index)
        readout = Readout(
            (scale * self.samples(k, index)).astype(np.complex64),
            at,
            Purpose.IMAGING,
            is_m0=key.is_m0,
            position=position,
            sample_time=self.sample_time,
            time_stamp=0.1 * key.repetition + 0.01 * shot,
            trajectory=(k[:, ::-1] / matrix).astype(np.float32),
        )
        return replace(readout, **fields)

    def volume(self, key: VolumeKey, *, shots: Sequence[int] | None = None, **fields) -> Iterator[Readout]:
        """All readouts of a volume, shot after shot as segmented scans take them."""
        for shot in range(self.n_shots) if shots is None else shots:
            for index in range(self.n_partitions or self.n_slices):
                yield self.readout(key, index, shot, **fields)


def feed(stages, items, *, finish: bool = True) -> list:
    """Take each item through all stages before the next, as the runner does."""

    def push(item, depth):
        if depth == len(stages):
            return [item]
        return [last for result in stages[depth].process(item) for last in push(result, depth + 1)]

    results = [last for item in items for last in push(item, 0)]
    if finish:
        for depth, stage in enumerate(stages):
            results += [last for result in stage.finish() for last in push(result, depth + 1)]
    return results


def _axis(n, size, n_cut):
    return ImageAxis(n, size * n, n - n_cut, size * (n - n_cut))


def _positions(n, n_cut):
    kept = n - n_cut
    return (np.arange(kept) - kept // 2) / n


def _bell(r, centre, width):
    return np.exp(-np.pi * ((r - centre) / width) ** 2)


def _bell_kspace(k, centre, width):
    return width * np.exp(-np.pi * (width * k) ** 2 - 2j * np.pi * k * centre)
