"""Coil images of a spiral scan to one image: sensitivity maps once, then combination or iterative reconstruction.

All images live on the encoded field of view until the last step, which cuts out the reconstructed one. Scale and place
are those of the unitary centred transform: an accelerated scan gives the image that a full one would give.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from perfline.gadgets.errors import ScanHeaderError
from perfline.gadgets.settings import Settings
from perfline.gadgets.stage_data import ScanHeader
from perfline.gadgets.stages.coil_images import CoilImages, SpiralLayout
from perfline.gadgets.stages.encoded_grid import kept_pixels, partition_positions, stack_transform, uses_homodyne
from perfline.gadgets.stages.planned_sets import PlannedSet
from perfline.gadgets.stages.spiral_gridding import n_threads_of
from perfline.recon.coils.combination import combination_weights, combine_coils, sum_of_squares
from perfline.recon.coils.espirit import calibration_region, espirit_maps
from perfline.recon.coils.sense import CgSense
from perfline.recon.coils.sensitivity import estimate_sensitivity
from perfline.recon.coils.slice_normals import Normal, SliceNormals
from perfline.recon.nufft.homodyne import homodyne, homodyne_weights
from perfline.recon.nufft.stack import StackTransform

__all__ = ["SpiralCombination"]

_CALIBRATION_SIZE: Final = 24
"""Of the centre of k-space that gives ESPIRiT maps [samples]."""

_FEW_ARMS: Final = 3
"""Interleaves of a plane up to which its density weights are refined by some iterations.

Few arms leave the innermost turn of k-space to few samples, and no weights make up for that: of a spiral of 64 x 64
with turns at the Nyquist distance, blood flow is 1.0, 0.9, 0.5 and 0.03 % too low with 1, 2, 3 and 4 arms."""

_N_REFINEMENTS: Final = 3
"""Leave 0.03, 0.25 and 0.17 % of that; more would only make up what lies beyond the spiral."""

_LABEL_STATES: Final = 2

_Kind = tuple[int, int, int, bool]
"""Set, phase and contrast, and whether it is M0: volumes that differ in none of these show the same."""

_SENSES_PER_SLICE: Final = 4
"""Sets of which the iterative reconstructions are kept."""


class SpiralCombination:
    """Makes images of `CoilImages`.

    Parameters
    ----------
    header : ScanHeader
    settings : Settings
        Uses ``coil_combination``, ``sensitivity_maps``, ``sense_iterations``, ``sense_regularization``,
        ``sense_start``, ``n_threads``.

    Raises
    ------
    ScanHeaderError
        The image has other pixels than the encoding, an accelerated scan is to be combined without maps, or iterations
        are to start from the previous volume where the counters don't tell control from label.
    """

    def __init__(self, header: ScanHeader, settings: Settings) -> None:
        self._header = header
        self._settings = settings
        self._is_accelerated = header.acceleration > 1
        self._is_sum_of_squares = settings.coil_combination == "sum_of_squares"
        if self._is_accelerated and self._is_sum_of_squares:
            raise ScanHeaderError(
                f"coil_combination is sum_of_squares: expected adaptive in a scan accelerated by {header.acceleration},"
                " which needs sensitivity maps"
            )
        self._starts_before = settings.sense_start == "previous"
        if self._starts_before and header.asl is not None and header.limits["set"].count != _LABEL_STATES:
            raise ScanHeaderError(
                "sense_start is previous: expected control and label as the two states of encodingLimits.set, since one"
                f" must not start from the other, got {header.limits['set'].count}"
            )
        self._n_slices = header.n_slices
        self._in_plane = (kept_pixels("y", header.phase_axis), kept_pixels("x", header.readout_axis))
        axis = header.partition_axis
        self._slices = slice(0, header.n_slices) if axis is None else kept_pixels("z", axis)
        self._stack: StackTransform | None = None
        self._of_homodyne: tuple[StackTransform, StackTransform] | None = None
        self._maps: NDArray[np.complex64] | None = None
        self._weights: NDArray[np.complex64] | None = None
        self._sense: dict[tuple[int, int], tuple[PlannedSet, CgSense]] = {}
        self._solutions: dict[tuple[_Kind, int], NDArray[np.complex64]] = {}

    @property
    def is_ready(self) -> bool:
        """Whether the maps are there, or none are needed."""
        return self._is_sum_of_squares or self._maps is not None

    def learn(self, parts: Sequence[CoilImages]) -> None:
        """Make the sensitivity maps from a fully sampled volume: all its slices in order, or its one slab."""
        layout = parts[0].layout
        if layout is SpiralLayout.SLICES:
            images = np.stack([part.images for part in parts])
        elif layout is SpiralLayout.STACK:
            images = self._sliced(parts[0])
        else:
            images = np.ascontiguousarray(parts[0].images.swapaxes(0, 1))
        maps = self._maps_of(images)
        if layout is SpiralLayout.VOLUME:
            maps = np.ascontiguousarray(maps.swapaxes(0, 1))
        self._maps = maps
        if layout is SpiralLayout.STACK and not self._is_accelerated:
            self._weights = combination_weights(maps)

    def _maps_of(self, images: NDArray[np.complex64]) -> NDArray[np.complex64]:
        """Sensitivity maps (n_slices, n_coils, n_y, n_x) of unit sum of squares."""
        if self._settings.sensitivity_maps == "adaptive":
            return estimate_sensitivity(images)
        size = [min(n, _CALIBRATION_SIZE) for n in images.shape[-2:]]
        return espirit_maps(calibration_region(images, size), images.shape[-2:]).maps

    def combine(self, part: CoilImages, image: NDArray[np.complex64]) -> None:
        """Write the image of a slice, or of a slab, into that of its volume, complex64 (n_slices, n_y, n_x)."""
        y, x = self._in_plane
        match part.layout:
            case SpiralLayout.SLICES:
                image[part.slice] = self._slice(part)[y, x]
            case SpiralLayout.STACK:
                image[:] = self._partial_slab(part)[:, y, x]
            case SpiralLayout.VOLUME:
                image[:] = self._volume(part)[self._slices, y, x]

    def _slice(self, part: CoilImages) -> NDArray[np.complex64]:
        if self._maps is None:
            return sum_of_squares(part.images)
        if self._n_iterations(part) == 0:
            return combine_coils(part.images, self._maps[part.slice])
        return self._solved(part, self._maps[part.slice], part.images)

    def _partial_slab(self, part: CoilImages) -> NDArray[np.complex64]:
        """A slab; where its partitions are one-sided, with the phase of those in the middle.

        Each volume has its own phase: that of another would take away what has drifted since.
        """
        if part.is_sliced or not uses_homodyne(self._header, self._settings):
            return self._slab(part, self._transform())
        if self._of_homodyne is None:
            n_threads = n_threads_of(self._settings)
            ramp, middle = homodyne_weights(partition_positions(self._header))
            self._of_homodyne = (
                stack_transform(self._header, n_threads, ramp),
                stack_transform(self._header, n_threads, middle),
            )
        image, phase = (self._slab(part, transform) for transform in self._of_homodyne)
        return homodyne(image, phase)

    def _slab(self, part: CoilImages, transform: StackTransform) -> NDArray[np.complex64]:
        n_iterations = self._n_iterations(part)
        if self._weights is not None and n_iterations == 0 and not part.is_sliced:
            return transform.combined(part.images, self._weights)
        images = part.images if part.is_sliced else transform.coil_images(part.images)
        if self._maps is None:
            return np.stack([sum_of_squares(one) for one in images])
        if n_iterations:
            return self._solved(part, self._maps, images)
        return np.stack([combine_coils(one, maps) for one, maps in zip(images, self._maps, strict=True)])

    def _volume(self, part: CoilImages) -> NDArray[np.complex64]:
        n_coils, n_z, n_y, n_x = part.images.shape
        if self._maps is not None and self._n_iterations(part):
            return self._solved(part, self._maps, part.images)
        # pixel by pixel: the third axis may be part of the second
        flat = part.images.reshape(n_coils, n_z * n_y, n_x)
        if self._maps is None:
            return sum_of_squares(flat).reshape(n_z, n_y, n_x)
        return combine_coils(flat, self._maps.reshape(flat.shape)).reshape(n_z, n_y, n_x)

    def _sliced(self, part: CoilImages) -> NDArray[np.complex64]:
        """Coil images of all slices of a stack, (n_slices, n_coils, n_y, n_x)."""
        return part.images if part.is_sliced else self._transform().coil_images(part.images)

    def _transform(self) -> StackTransform:
        """The transform along the partitions."""
        if self._stack is None:
            self._stack = stack_transform(self._header, n_threads_of(self._settings))
        return self._stack

    def _n_iterations(self, part: CoilImages) -> int:
        """Of the reconstruction; 0 where the density weights alone are good enough."""
        if self._is_accelerated:
            return self._settings.sense_iterations
        is_planar = part.layout is not SpiralLayout.VOLUME
        return _N_REFINEMENTS if is_planar and len(part.planned.shots) <= _FEW_ARMS else 0

    def _solved(
        self, part: CoilImages, maps: NDArray[np.complex64], images: NDArray[np.complex64]
    ) -> NDArray[np.complex64]:
        """The iterative reconstruction of a slice or a slab, from 0 or from the last one of its kind."""
        sense = self._sense_of(part, maps)
        right_hand_side = sense.right_hand_side(images)
        if not self._starts_before:
            return sense.solve(right_hand_side, out=right_hand_side)
        kind = part.key.set, part.key.phase, part.key.contrast, part.key.is_m0
        place = kind, part.slice
        image = sense.solve(right_hand_side, self._solutions.get(place), out=right_hand_side)
        if part.is_complete:
            self._solutions[place] = image
        return image

    def _sense_of(self, part: CoilImages, maps: NDArray[np.complex64]) -> CgSense:
        """The iterative reconstruction of a slice or a slab, made once for each set."""
        key = (id(part.planned), part.slice)
        if key not in self._sense:
            normal = self._normal_of(part)
            sense = CgSense(normal, maps, self._settings.sense_regularization, self._n_iterations(part))
            self._sense[key] = part.planned, sense
            if len(self._sense) > _SENSES_PER_SLICE * self._n_slices:
                del self._sense[next(iter(self._sense))]
        return self._sense[key][1]

    def _normal_of(self, part: CoilImages) -> Normal:
        planned = part.planned
        if not planned.corrected:
            return planned.plan.normal_operator(planned.weights)
        if part.layout is SpiralLayout.STACK:
            return SliceNormals([plan.normal_operator(planned.weights) for plan in planned.corrected.values()])
        return planned.corrected[part.slice].normal_operator(planned.weights)
