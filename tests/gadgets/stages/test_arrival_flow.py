from dataclasses import replace

import numpy as np
import pytest
from scan_headers import ASL, scan_header
from stage_items import SHAPE, geometry, of_type, run

from perfline.gadgets.errors import ScanHeaderError
from perfline.gadgets.stage_data import M0Volume, Notice, PerfusionAverage, TransitTimeMap
from perfline.gadgets.stages.arrival_flow import arrival_notice, arrival_scale, check_arrival
from perfline.gadgets.stages.quantify import Quantify
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


def test_voxels_without_flow_are_counted_once_for_each_reason():
    att = ATT.copy()
    att[1, 2, 1], att[2, 2, 2], att[0, 1, 1], att[2, 1, 1] = 0, np.nan, 3.7, 3.7
    asl, image = replace(ASL, slice_timing=(0.0, 0.1, 0.2)), 0.01 * M0
    image[1, 1, 1] = 5 * M0[1, 1, 1]
    scale = arrival_scale(asl, 3, average(image), M0, INSIDE, att)
    (notice,) = arrival_notice("att.nii.gz", asl, average(image), scale, INSIDE, att)
    # 3.7 s is after the excitation of the first slice, at 3.6 s, and before that of the third
    assert notice == Notice(
        "info",
        "att.nii.gz: no blood flow in 4 of 18 voxels (22.2%): the transit time is 0 or no number in 2, no label has"
        " arrived by the excitation in 1, no flow explains so large a difference over M0 in 1",
    )
    scale = arrival_scale(ASL, 3, average(0.01 * M0), M0, INSIDE, ATT)
    assert not list(arrival_notice("att.nii.gz", ASL, average(0.01 * M0), scale, INSIDE, ATT))


def test_a_map_that_is_too_late_everywhere_is_a_warning_at_the_end():
    late = TransitTimeMap(np.full(SHAPE, 4.0, np.float32), np.eye(4), "att.nii.gz")
    stage = Quantify(scan_header(), INSIDE, late)
    items = [M0Volume(M0, geometry(), 1, 1.0, ()), average(0.01 * M0), average(0.01 * M0)]
    (notice,) = of_type(run(stage, items), Notice)
    assert notice.level == "warning"
    assert "no blood flow in 18 of 18 voxels (100.0%)" in notice.text
    assert "no label has arrived by the excitation in 18" in notice.text
