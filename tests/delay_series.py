"""Multi-delay data of known truth for the tests of the fits."""

import numpy as np

from perfline.recon.asl.labeling import Labeling
from perfline.recon.parameters import LabelingType

PCASL = Labeling(LabelingType.PCASL, (0.25, 0.5, 0.75, 1.0, 1.25, 1.5), 1.4, 0.85, 1.65, 0.9)
"""The labelling of a product sequence at 3 T."""

PCASL_DURATIONS = Labeling(
    LabelingType.PCASL, (0.3, 0.6, 0.9, 1.2, 1.5, 1.8), (1.0, 1.2, 1.4, 1.4, 1.6, 1.8), 0.85, 1.65, 0.9
)
"""Another duration for each delay."""

PASL = Labeling(LabelingType.PASL, (0.3, 0.6, 0.9, 1.2, 1.5, 1.8, 2.1, 2.4), 0.8, 0.98, 1.65, 0.9)
"""QUIPSS II at several inversion times."""

M0 = 900.0


def truth(shape: tuple[int, ...], low: float = 0.6, high: float = 1.4) -> tuple[np.ndarray, np.ndarray]:
    """CBF and ATT of each voxel."""
    rng = np.random.default_rng(20)
    return rng.uniform(15, 120, shape), rng.uniform(low, high, shape)


def kinks(labeling: Labeling, low: float, high: float) -> np.ndarray:
    """Arrival times at which the model has a kink."""
    times = np.unique(np.concatenate([labeling.times, labeling.times - labeling.durations]))
    return times[(times >= low) & (times <= high)]


def in_counts(ratio: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Difference and M0 in the unit of a scanner, from the difference over M0."""
    return (M0 * ratio).astype(np.float32), np.full(ratio.shape[1:], M0, np.float32)
