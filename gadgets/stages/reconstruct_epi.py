"""Complete EPI slices to volumes: from raw lines to the image in one planned pass, slice by slice on arrival.

The first complete volume is kept raw until its last slice is in. The sensitivity maps, made from it slice by slice,
serve the whole scan, itself included, so that control and label are combined alike and subtraction stays linear.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from perfline.gadgets.errors import ScanHeaderError
from perfline.gadgets.settings import Settings
from perfline.gadgets.stage_data import Dropped, KSpaceSlice, ScanHeader, Volume, VolumeKey
from perfline.gadgets.stages.epi_plans import EpiPlans, planned_weights
from perfline.gadgets.stages.ghost_memory import GhostMemory
from perfline.gadgets.stages.slice_geometry import slice_geometry
from perfline.recon.coils.combination import sum_of_squares
from perfline.recon.coils.sensitivity import SensitivityEstimate
from perfline.recon.epi.ghost_level import ghost_level
from perfline.recon.epi.ghost_phase import GhostPhase
from perfline.recon.epi.plan import PlannedWeights
from perfline.recon.errors import ConditioningError

__all__ = ["ReconstructEpi"]

Triple = tuple[float, float, float]


class _Place(NamedTuple):
    """What is kept of a slice that is reconstructed."""

    position: Triple
    read_dir: Triple
    phase_dir: Triple
    slice_dir: Triple
    time_stamp: float


@dataclass
class _Gathering:
    """The slices of one volume that are in; until there are maps they wait, and the maps are made from them."""

    key: VolumeKey
    image: NDArray[np.complex64]
    sensitivity: SensitivityEstimate | None
    waiting: list[tuple[KSpaceSlice, list[GhostPhase]]] = field(default_factory=list)
    places: dict[int, _Place] = field(default_factory=dict)


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
        self._plans = EpiPlans(header, settings.phase_shift_mm)
        self._weights: PlannedWeights | None = None
        self._gathering: dict[int, _Gathering] = {}
        self._ghosts = GhostMemory(header, settings)

    def process(self, item: object) -> Iterator[object]:
        """Take a slice; yield the volume that it completes, or what became of it."""
        if isinstance(item, Dropped) and item.what == "volume" and item.key is not None:
            was_begun = self._gathering.pop(item.key.contrast, None) is not None
            if not was_begun and item.key.contrast == 0:
                self._ghosts.count_lost_volume()
        if not isinstance(item, KSpaceSlice):
            yield item
            return
        volume = self._gathering_for(item)
        phases = yield from self._ghosts.estimate(item)
        self._reconstruct(item, phases, volume)
        volume.places[item.slice] = _Place(
            item.position, item.read_dir, item.phase_dir, item.slice_dir, item.time_stamp
        )
        if len(volume.places) == self._header.n_slices:
            del self._gathering[item.key.contrast]
            yield self._complete(volume)

    def finish(self) -> Iterator[object]:
        """Nothing is left: incomplete volumes have been reported where their lines were counted."""
        yield from ()

    def _gathering_for(self, item: KSpaceSlice) -> _Gathering:
        volume = self._gathering.get(item.key.contrast)
        if volume is None or volume.key != item.key:
            n_coils = item.raw.shape[1]
            shape = (
                self._header.n_slices,
                self._header.phase_axis.n_recon,
                self._header.readout_axis.n_recon,
            )
            needs_coils = self._weights is None and self._settings.coil_combination == "adaptive"
            sensitivity = SensitivityEstimate((shape[0], n_coils, *shape[1:])) if needs_coils else None
            volume = _Gathering(item.key, np.empty(shape, np.complex64), sensitivity)
            self._gathering[item.key.contrast] = volume
        return volume

    def _reconstruct(self, item: KSpaceSlice, phases: list[GhostPhase], volume: _Gathering) -> None:
        """Make the image of a slice, or keep what the maps need."""
        if volume.sensitivity is not None:
            volume.waiting.append((item, phases))
            volume.sensitivity.add_slice(item.slice, self._coil_images(item, phases))
        elif self._weights is not None:
            self._plans.of(item).image(item.raw, phases, self._weights, item.slice, volume.image[item.slice])
        else:
            sum_of_squares(self._coil_images(item, phases), volume.image[item.slice])

    def _coil_images(self, item: KSpaceSlice, phases: list[GhostPhase]) -> NDArray[np.complex64]:
        """Images of all coils, whitened."""
        images = self._plans.of(item).coil_images(item.raw, phases)
        if item.whitening is not None:
            pixels = images.reshape(len(images), -1)
            pixels[:] = item.whitening @ pixels
        return images

    def _complete(self, volume: _Gathering) -> Volume | Dropped:
        if volume.sensitivity is not None:
            if self._weights is None:
                item = volume.waiting[0][0]
                try:
                    maps = volume.sensitivity.maps()
                except ConditioningError:
                    # a volume without signal ends with itself: the next one gives the maps
                    return Dropped("volume", "all values are 0", volume.key)
                self._weights = planned_weights(self._plans.of(item), maps, item.whitening)
            volume.sensitivity = None
            for item, phases in volume.waiting:
                self._reconstruct(item, phases, volume)
        places = [volume.places[index] for index in range(self._header.n_slices)]
        return Volume(
            image=volume.image,
            key=volume.key,
            geometry=slice_geometry(self._header, places),
            ghost_level=ghost_level(np.abs(volume.image)),
            time_stamp=min(place.time_stamp for place in places),
        )
