"""Items for tests of stages: small volumes with labels, on a grid of unequal sizes."""

import numpy as np

from perfline.gadgets.stage_data import SliceGeometry, Volume, VolumeKey, VolumeLabel
from perfline.recon.parameters import VolumeType

SHAPE = (3, 5, 4)
"""(n_slices, n_y, n_x)"""


def geometry() -> SliceGeometry:
    positions = np.zeros((SHAPE[0], 3))
    positions[:, 2] = 6.0 * np.arange(SHAPE[0])
    return SliceGeometry(
        positions, np.array([1.0, 0, 0]), np.array([0, 1.0, 0]), np.array([0, 0, 1.0]), (4.0, 3.0, 6.0), True
    )


def volume(
    value: complex | np.ndarray,
    volume_type: VolumeType | None,
    pair: int | None,
    index: int = 0,
    *,
    delay: float = 1.8,
    duration: float = 1.8,
    contrast: int = 0,
) -> Volume:
    """Volume of one value (or the given image), labelled unless `volume_type` is None."""
    image = np.full(SHAPE, value, np.complex64) if np.isscalar(value) else np.asarray(value, np.complex64)
    is_m0 = volume_type is VolumeType.M0SCAN
    key = VolumeKey(
        index if pair is None else pair, int(volume_type is VolumeType.LABEL), contrast=contrast, is_m0=is_m0
    )
    label = None
    if volume_type is not None:
        label = VolumeLabel(volume_type, index, pair, None if is_m0 else delay, None if is_m0 else duration)
    return Volume(image, key, geometry(), 0.01, 0.1 * index, label)


def run(stage, items, *, finish: bool = True) -> list:
    """All that a stage yields for a list of items."""
    results = [result for item in items for result in stage.process(item)]
    return results + (list(stage.finish()) if finish else [])


def of_type(items, kind) -> list:
    return [item for item in items if isinstance(item, kind)]
