from dataclasses import replace

import pytest
from scan_headers import ASL

from perfline.gadgets.stages.delays import delay_groups
from perfline.gadgets.stages.kinetic_labeling import kinetic_labeling
from perfline.recon.parameters import LabelingType


def test_quipss_has_its_saturation_in_the_model():
    pasl = replace(
        ASL, labeling_type=LabelingType.PASL, labeling_duration=(0.7,), bolus_cut_off_delay_time=0.7,
        bolus_cut_off_technique="QUIPSS",
    )  # fmt: skip
    assert kinetic_labeling(pasl, [(1.8, 0.7)]).saturation_time == 0.7
    assert kinetic_labeling(replace(pasl, bolus_cut_off_technique="QUIPSSII"), [(1.8, 0.7)]).saturation_time == 0
    assert kinetic_labeling(ASL, [(1.8, 1.8)]).saturation_time == 0


def test_the_kinetic_labelling_has_the_loss_in_suppression_pulses():
    suppressed = replace(ASL, background_suppression_pulses=2, background_suppression_efficiency=0.9)
    labeling = kinetic_labeling(suppressed, delay_groups(suppressed))
    assert labeling.labeling_efficiency == pytest.approx(ASL.labeling_efficiency * 0.81)
