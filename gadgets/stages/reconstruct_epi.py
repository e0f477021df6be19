"""Complete EPI slices to volumes: ghost correction, phase-encode transform, coil combination, slice by slice on
arrival.

The first complete volume is kept as coil images until its last slice is in; the sensitivity maps made from it then
serve the whole scan, so that control and label are combined alike and subtraction stays linear.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from perfline.gadgets.errors import ScanHeaderError
from perfline.gadgets.settings import Settings
from perfline.gadgets.stage_data import Dropped, KSpaceSlice, ScanHeader, Volume, VolumeKey
from perfline.gadgets.stages.ghost_memory import GhostMemory
from perfline.gadgets.stages.slice_geometry import slice_geometry
from perfline.recon.coils.combination import combine_coils, sum_of_squares
from perfline.recon.coils.sensitivity import estimate_sensitivity
from perfline.recon.epi.ghost_level import ghost_level
from perfline.recon.epi.phase_encoding import make_phase_operator

__all__ = ["ReconstructEpi"]


@dataclass
class _Gathering:
    """The slices of one volume that are in."""

    key: VolumeKey
    image: NDArray[np.complex64]
    coil_images: NDArray[np.complex64] | None
    slices: dict[int, KSpaceSlice] = field(default_factory=dict)


class ReconstructEpi:
    """Turn each complete slice into an image and yield the volume when its last slice is in.

    Parameters
    ----------
    header : ScanHeader
    settings : Settings
        Uses ``ghost_correction``, ``ghost_sharing``, ``ghost_filter_weight``, ``coil_combination``, ``phase_shift_mm``.

    Raises
    ------
    ScanHeaderError
        The scan is accelerated: parallel imaging is not done here.
    """

    name = "reconstruct_epi"

    def __init__(self, header: ScanHeader, settings: Settings) -> None:
        if header.acceleration > 1:
            raise ScanHeaderError(
                "encoding.parallelImaging.accelerationFactor.kspace_encoding_step_1: expected 1, got "
                f"{header.acceleration}: parallel imaging of EPI is not supported"
            )
        self._header = header
        self._settings = settings
        self._phase_operators: dict[bytes, NDArray[np.complex64]] = {}
        self._maps: NDArray[np.complex64] | None = None
        self._gathering: dict[int, _Gathering] = {}
        self._ghosts = GhostMemory(header, settings)

    def process(self, item: object) -> Iterator[object]:
        """Take a slice; yield the volume that it completes."""
        if isinstance(item, Dropped) and item.what == "volume" and item.key is not None:
            was_begun = self._gathering.pop(item.key.contrast, None) is not None
            if not was_begun and item.key.contrast == 0:
                self._ghosts.count_lost_volume()
        if not isinstance(item, KSpaceSlice):
            yield item
            return
        volume = self._gathering_for(item)
        yield from self._ghosts.correct(item)
        self._transform(item, volume)
        volume.slices[item.slice] = item
        if len(volume.slices) == self._header.n_slices:
            del self._gathering[item.key.contrast]
            yield self._complete(volume)

    def finish(self) -> Iterator[object]:
        """Nothing is left: incomplete volumes have been reported where their lines were counted."""
        yield from ()

    def _gathering_for(self, item: KSpaceSlice) -> _Gathering:
        volume = self._gathering.get(item.key.contrast)
        if volume is None or volume.key != item.key:
            n_coils = item.lines.shape[1]
            shape = (
                self._header.n_slices,
                self._header.phase_axis.n_recon,
                self._header.readout_axis.n_recon,
            )
            needs_coils = self._maps is None and self._settings.coil_combination == "adaptive"
            coil_images = np.empty((shape[0], n_coils, *shape[1:]), np.complex64) if needs_coils else None
            volume = _Gathering(item.key, np.empty(shape, np.complex64), coil_images)
            self._gathering[item.key.contrast] = volume
        return volume

    def _phase_operator(self, line_numbers: NDArray[np.int64]) -> NDArray[np.complex64]:
        pattern = line_numbers.tobytes()
        if pattern not in self._phase_operators:
            self._phase_operators[pattern] = make_phase_operator(
                line_numbers,
                self._header.limits["line"].center,
                self._header.phase_axis,
                shift=self._settings.phase_shift_mm,
            )
        return self._phase_operators[pattern]

    def _transform(self, item: KSpaceSlice, volume: _Gathering) -> None:
        """Transform along the phase-encode axis and combine the coils, or keep the coil images for the maps."""
        operator = self._phase_operator(item.line_numbers)
        coil_first = item.lines.transpose(1, 0, 2)
        if volume.coil_images is not None:
            np.matmul(operator, coil_first, out=volume.coil_images[item.slice])
            return
        images = np.matmul(operator, coil_first)
        if self._settings.coil_combination == "sum_of_squares":
            volume.image[item.slice] = sum_of_squares(images)
        elif self._maps is not None:
            combine_coils(images, self._maps[item.slice], out=volume.image[item.slice])

    def _complete(self, volume: _Gathering) -> Volume:
        if volume.coil_images is not None:
            if self._maps is None:
                self._maps = estimate_sensitivity(volume.coil_images)
            for index in range(self._header.n_slices):
                combine_coils(volume.coil_images[index], self._maps[index], out=volume.image[index])
        slices = [volume.slices[index] for index in range(self._header.n_slices)]
        return Volume(
            image=volume.image,
            key=volume.key,
            geometry=slice_geometry(self._header, slices),
            ghost_level=ghost_level(np.abs(volume.image)),
            time_stamp=min(part.time_stamp for part in slices),
        )
