"""What a scan hands to its live view: small maps with known values."""

from dataclasses import replace

import numpy as np
from stage_items import SHAPE, geometry, volume

from perfline.gadgets.stage_data import (
    CbfVolume,
    Delivered,
    KineticFit,
    M0Volume,
    Motion,
    PerfusionAverage,
    RegionPrecision,
    ScanQuality,
)
from perfline.recon.parameters import VolumeType

MASK = np.zeros(SHAPE, bool)
MASK[1, 1:4, 1:3] = True

RAMP = np.arange(np.prod(SHAPE), dtype=np.float32).reshape(SHAPE)
"""Every voxel has a value of its own."""


def average(n_pairs=2, delay=1.8, artery=None):
    mean = RAMP + np.float32(n_pairs)
    return PerfusionAverage(mean, mean, mean, n_pairs, 1, geometry(), delay, 1.8, (), artery=artery)


def flow(n_pairs=2, **changes):
    head = RegionPrecision("head", 41.5, 1.25, n_pairs, 12, False)
    error = np.full(SHAPE, 2.0, np.float32)
    one = CbfVolume(RAMP, error, MASK, "mL/100g/min", n_pairs, 1, geometry(), 1.8, 1.8, (), precision=head)
    return replace(one, **changes)


def quality(n_pairs=2, **changes):
    figures = {"mean_cbf": 41.5, "median_tsnr": 0.75, "minutes_needed": 3.2}
    head = RegionPrecision("head", 41.5, 1.25, n_pairs, 12, False)
    return replace(ScanQuality(figures, (head,), ((1, "moved"),), n_pairs, ()), **changes)


def fit():
    status = np.zeros(SHAPE, np.uint8)
    status[1, 1, 1] = 5
    return KineticFit(RAMP / 40, RAMP, RAMP, RAMP, RAMP, status, (0.5, 1.5), (1.4, 1.4))


def one_pair(number=0):
    """All items of a pair, in the order in which they leave the chain."""
    control = volume(RAMP + number, VolumeType.CONTROL, number, 2 * number)
    label = volume(RAMP, VolumeType.LABEL, number, 2 * number + 1)
    return [
        control,
        Delivered("volume", 0.004),
        label,
        Delivered("volume", 0.006),
        Motion(label.key, (0.1, 0.2, 0.3), (0.0, 0.0, 0.0), 0.7),
        average(number + 1),
        Delivered("perfusion", 0.007),
        flow(number + 1),
        Delivered("cbf", 0.009),
        quality(number + 1),
    ]


def m0():
    return M0Volume(RAMP, geometry(), 1, 1.0, ())
