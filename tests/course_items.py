"""A map of blood flow and its quality, as they leave the chain: 3 pairs, one left out."""

from dataclasses import replace

import numpy as np
from stage_items import SHAPE, geometry

from perfline.gadgets.stage_data import CbfVolume, RegionPrecision, ScanQuality

HEAD = RegionPrecision("head", 41.5, 1.25, 3, None, False)
FIGURES = {"mean_cbf": 41.5, "median_tsnr": 0.75, "control_drift_percent_per_minute": -0.4}
_IMAGE = np.ones(SHAPE, np.float32)


def flow(precision=HEAD, **changes):
    one = CbfVolume(_IMAGE, _IMAGE, _IMAGE > 0, "mL/100g/min", 3, 1, geometry(), 1.8, 1.8, (), precision=precision)
    return replace(one, **changes)


def quality(**changes):
    return replace(ScanQuality(FIGURES, (HEAD,), ((2, "moved"),), 3, ()), **changes)
