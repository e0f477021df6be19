"""Items with random pixels and odd geometry, for tests of what is sent and read back."""

from dataclasses import fields, is_dataclass

import numpy as np

from perfline.gadgets.stage_data import (
    CbfVolume,
    DeltaMVolume,
    KineticFit,
    M0Volume,
    PerfusionAverage,
    SliceGeometry,
    TerritoryMap,
    Volume,
    VolumeKey,
    VolumeLabel,
)
from perfline.recon.parameters import VolumeType

__all__ = ["average", "cbf", "delta_m", "fitted_cbf", "geometry", "m0", "same_item", "territories", "volume"]

SHAPE = (3, 4, 6)


def geometry():
    """Three oblique slices; positions that no float32 can hold."""
    rng = np.random.default_rng(5)
    frame, _ = np.linalg.qr(rng.standard_normal((3, 3)))
    positions = rng.uniform(-100, 100, (3, 3))
    return SliceGeometry(positions, frame[0], frame[1], frame[2], (2.5, 3.75, 6.0), True)


def pixels(seed):
    """Positive and negative float32."""
    return np.random.default_rng(seed).standard_normal(SHAPE).astype(np.float32)


def volume(repetition=7, *, with_label=True, is_m0=False):
    """A complex volume."""
    kind = VolumeType.M0SCAN if is_m0 else VolumeType.LABEL
    label = VolumeLabel(kind, 7, None, None, None) if is_m0 else VolumeLabel(kind, 7, 3, 1.8, 1.7)
    image = (pixels(repetition) + 1j * pixels(repetition + 100)).astype(np.complex64)
    key = VolumeKey(repetition, 1, 2, 0, 4, is_m0)
    return Volume(image, key, geometry(), 0.0123456789, 12.345, label if with_label else None)


def m0():
    """A calibrated M0."""
    return M0Volume(
        np.abs(pixels(1)), geometry(), 2, 1.0987654321, (VolumeKey(0, is_m0=True), VolumeKey(1, is_m0=True))
    )


def delta_m(index=5, artery=None):
    """A subtracted pair, or the part of one artery."""
    return DeltaMVolume(pixels(index), index, geometry(), 1.8, 1.7, (VolumeKey(10), VolumeKey(11, 1)), artery)


def average():
    """The mean of some pairs."""
    return PerfusionAverage(pixels(2), pixels(3), pixels(4), 6, 1, geometry(), 1.8, 1.7, (VolumeKey(1), VolumeKey(2)))


def cbf(unit="mL/100g/min"):
    """Blood flow with values that are missing."""
    flow, error = 50 * pixels(6), pixels(7)
    flow[1, 2, 3] = np.nan
    error[0, 0, :2] = np.nan, np.inf
    return CbfVolume(flow, error, flow > 0, unit, 6, 1, geometry(), 1.8, 1.7, (VolumeKey(1), VolumeKey(2)))


def fitted_cbf(*, with_blood_volume=False):
    """Blood flow and transit time of a fit over three delays, with a voxel that failed; arterial blood volume, too."""
    nan = float("nan")
    status = np.zeros(SHAPE, np.uint8)
    status[1, 2, 3] = 4
    volumes = (pixels(12), pixels(13)) if with_blood_volume else (None, None)
    fit = KineticFit(pixels(8), pixels(9), *volumes, np.abs(pixels(10)), status, (0.5, 1.0, 1.5), (1.8, 1.8, 1.4))
    flow = cbf()
    return CbfVolume(flow.cbf, flow.standard_error, flow.mask, flow.unit, 9, 1, geometry(), nan, nan, flow.source, fit)


def territories():
    """Two arteries after four blocks."""
    rng = np.random.default_rng(11)
    share = rng.uniform(size=SHAPE).astype(np.float32)
    artery = rng.integers(0, 3, SHAPE).astype(np.int16)
    return TerritoryMap(artery, np.stack([share, 1 - share]), 4, geometry(), (VolumeKey(3),))


def same_item(one, other):
    """Whether two items are equal in every bit."""
    if type(one) is not type(other):
        return False
    if is_dataclass(one):
        return all(same_item(getattr(one, field.name), getattr(other, field.name)) for field in fields(one))
    if isinstance(one, np.ndarray):
        return one.dtype == other.dtype and one.shape == other.shape and one.tobytes() == other.tobytes()
    return bool(one == other)
