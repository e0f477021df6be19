from dataclasses import replace

import numpy as np
import pytest
from scan_headers import ASL
from stage_items import SHAPE, geometry

from perfline.gadgets.errors import ScanHeaderError
from perfline.gadgets.stage_data import PerfusionAverage
from perfline.gadgets.stages.arrival_flow import arrival_scale, check_arrival
from perfline.recon.asl.kinetic_model import tissue_signal
from perfline.recon.asl.labeling import Labeling
from perfline.recon.parameters import LabelingType

INSIDE = np.zeros(SHAPE, bool)
INSIDE[:, 1:4, 1:3] = True
M0 = np.where(INSIDE, 900.0, 0.0).astype(np.float32)
CBF = np.where(INSIDE, 55.0, 0)
ATT = np.where(INSIDE, np.linspace(0.8, 2.4, INSIDE.size).reshape(SHAPE), 0).astype(np.float32)
LABELING = Labeling(LabelingType.PCASL, (1.8,), 1.8, 0.85, 1.65, 0.9)


def average(image):
    return PerfusionAverage(image.astype(np.float32), M0, M0, 4, 0, geometry(), 1.8, 1.8, ())


def test_the_scale_gives_the_flow_of_late_blood():
    timing = (0.0, 0.05, 0.1)
    signal = tissue_signal(LABELING, CBF, ATT, 1.3, np.array(timing)[:, None, None])[0] * M0
    found = arrival_scale(replace(ASL, slice_timing=timing), 3, average(signal), M0, INSIDE, ATT)
    # the same model; float32 images
    np.testing.assert_allclose((found * signal)[INSIDE], 55, rtol=1e-4)
    assert (found[~INSIDE] == 0).all()


def test_voxels_without_a_transit_time_have_no_flow():
    att = ATT.copy()
    att[1, 2, 1], att[2, 2, 2] = 0, np.nan
    found = arrival_scale(ASL, 3, average(0.01 * M0), M0, INSIDE, att)
    assert np.isnan(found[1, 2, 1])
    assert np.isnan(found[2, 2, 2])
    assert np.isfinite(found[INSIDE]).sum() == INSIDE.sum() - 2
    assert np.isnan(arrival_scale(ASL, 3, average(0.01 * M0), M0, INSIDE, 0 * att)[INSIDE]).all()


def test_noise_below_zero_has_a_scale_too():
    found = arrival_scale(ASL, 3, average(-0.005 * M0), M0, INSIDE, ATT)
    assert (found[INSIDE] > 0).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"bolus_cut_off_technique": "QUIPSS"}, "BolusCutOffTechnique is QUIPSS: expected QUIPSSII or Q2TIPS"),
        ({"m0_type": "Absent"}, "M0Type is Absent: expected an M0 with a map of transit times"),
    ],
)
def test_what_cannot_be_corrected_is_refused(change, message):
    with pytest.raises(ScanHeaderError, match=message):
        check_arrival(replace(ASL, **change))
