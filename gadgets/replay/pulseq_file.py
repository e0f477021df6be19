"""The trajectory of a Pulseq sequence, by the optional package pypulseq."""

import warnings
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from perfline.gadgets.errors import ConfigurationError
from perfline.gadgets.writers.extras import require

__all__ = ["read_pulseq"]

_SAME: Final = 1e-5
"""Two readouts follow the same trajectory within this share of the largest k: sums over a long sequence are rounded."""

_FLAT: Final = 1e-3
"""Share of the largest k that k_z may reach in a 2D scan: rephasing gradients are rounded to the raster."""

_ADC: Final = 5
"""Column of a block's ADC event."""

_MOST_SHOTS: Final = 4096


def read_pulseq(path: Path) -> NDArray[np.float64]:
    """Read the distinct trajectories of a sequence.

    Parameters
    ----------
    path : Path
        ``.seq``

    Returns
    -------
    float64 array (n_shots, n_samples, n_axes)
        [1/m], axis order y, x, or z, y, x where k leaves the plane z = 0; the axes x, y, z of the sequence are those of
        the readouts, ``read_dir``, ``phase_dir``, ``slice_dir``. One shot for each ADC that follows a trajectory of its
        own, in the order of their first appearance; slices, volumes and echoes that repeat it add nothing, and
        ADCs without gradients (noise) are left out.

    Raises
    ------
    ConfigurationError
        pypulseq isn't there, the file can't be read, no ADC has gradients, or their lengths differ.
    """
    require(f"trajectory file {path.name}", "pulseq", "pypulseq")
    import pypulseq

    with warnings.catch_warnings():
        # of timing checks and of features that have no bearing on k-space
        warnings.simplefilter("ignore")
        try:
            sequence: Any = pypulseq.Sequence()
            sequence.read(str(path), detect_rf_use=True)
            lengths = [
                int(sequence.get_block(number).adc.num_samples)
                for number, events in sequence.block_events.items()
                if events[_ADC] > 0
            ]
            k = np.asarray(sequence.calculate_kspace()[0], np.float64)
        except (OSError, ValueError, RuntimeError, LookupError, TypeError, AttributeError) as error:
            raise ConfigurationError(f"trajectory file {path.name}: not read by pypulseq: {error}") from error
    if k.shape[1] != sum(lengths):
        raise ConfigurationError(f"trajectory file {path.name}: expected {sum(lengths)} samples, got {k.shape[1]}")
    if not np.all(np.isfinite(k)):
        raise ConfigurationError(f"trajectory file {path.name}: expected no ADC during an excitation")
    parts = np.split(k.T[:, ::-1], np.cumsum(lengths)[:-1])
    shots = _distinct(path, [part for part in parts if len(part) and np.ptp(part, axis=0).max() > 0])
    is_flat = np.abs(shots[..., 0]).max() <= _FLAT * np.abs(shots).max()
    return shots[..., 1:] if is_flat else shots


def _distinct(path: Path, parts: list[NDArray[np.float64]]) -> NDArray[np.float64]:
    """Stack those that differ from all before."""
    if not parts:
        raise ConfigurationError(f"trajectory file {path.name}: expected ADCs under gradients, got none")
    n_samples = sorted({len(part) for part in parts})
    if len(n_samples) > 1:
        raise ConfigurationError(f"trajectory file {path.name}: expected ADCs of one length, got {n_samples}")
    least = _SAME * max(float(np.abs(part).max()) for part in parts)
    found: list[NDArray[np.float64]] = []
    # the ends and the middle tell most of them apart
    few = [0, n_samples[0] // 2, n_samples[0] - 1]
    marks = np.empty((_MOST_SHOTS, len(few), 3))
    for part in parts:
        near = np.flatnonzero(np.abs(marks[: len(found)] - part[few]).max(axis=(1, 2)) <= least)
        if any(np.abs(found[i] - part).max() <= least for i in near):
            continue
        if len(found) == _MOST_SHOTS:
            raise ConfigurationError(f"trajectory file {path.name}: expected at most {_MOST_SHOTS} different ADCs")
        marks[len(found)] = part[few]
        found.append(part)
    return np.stack(found)
