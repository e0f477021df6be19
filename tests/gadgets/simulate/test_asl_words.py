from dataclasses import replace

import numpy as np
import pytest

from perfline.gadgets.simulate.anatomy import Anatomy
from perfline.gadgets.simulate.asl_words import asl_words
from perfline.gadgets.simulate.epi_recipe import EpiRecipe
from perfline.gadgets.simulate.label_plan import Delays, TimeEncoding, VesselEncoding
from perfline.gadgets.simulate.scan_recipe import VolumeOrder
from perfline.recon.asl.labeling import BolusCutOffTechnique
from perfline.recon.parameters import LabelingType

RECIPE = EpiRecipe(n_slices=3, n_pairs=2, repetition_time=6.0)
COUNTED = (VolumeOrder.ASLCONTEXT, VolumeOrder.CYCLE)


def test_one_delay_is_a_number():
    words = asl_words(RECIPE)
    assert (words["LabelingDuration"], words["PostLabelingDelay"], words["M0Type"]) == (1.8, 1.8, "Included")
    assert {"EncodingMatrix", "Organ", "BolusCutOffFlag"}.isdisjoint(words)


@pytest.mark.parametrize("order", list(VolumeOrder))
def test_delays_are_listed_by_delay_or_by_volume(order):
    words = asl_words(replace(RECIPE, labels=Delays((1.5, 0.5), (1.0, 1.4)), volume_order=order))
    if order in COUNTED:
        assert words["PostLabelingDelay"] == [0, *[1.5, 1.5, 0.5, 0.5] * 2]
        assert words["LabelingDuration"] == [0, *[1.0, 1.0, 1.4, 1.4] * 2]
    else:
        assert (words["PostLabelingDelay"], words["LabelingDuration"]) == ([1.5, 0.5], [1.0, 1.4])


@pytest.mark.parametrize("order", COUNTED)
def test_what_all_delays_have_in_common_is_one_number(order):
    words = asl_words(replace(RECIPE, labels=Delays((1.5, 0.5)), volume_order=order))
    assert words["LabelingDuration"] == 1.8
    if order is VolumeOrder.CYCLE:
        assert words["aslcontext_cycle"] == ["control", "label"] * 2
        assert words["aslcontext"] == ["m0scan"]


def test_encoded_scans_give_their_matrix():
    words = asl_words(replace(RECIPE, labels=TimeEncoding(4, "walsh", (1.0, 0.8, 0.6)), post_labeling_delay=0.5))
    assert (words["LabelingDuration"], words["PostLabelingDelay"]) == ([1.0, 0.8, 0.6], 0.5)
    assert words["EncodingMatrix"][1] == [1, 1, -1, -1]
    assert words["aslcontext"] == ["m0scan", *["control", "label", "label", "label"] * 2]
    words = asl_words(replace(RECIPE, labels=VesselEncoding()))
    assert (words["LabelingDuration"], words["PostLabelingDelay"]) == (1.8, 1.8)
    assert words["EncodingMatrix"][2] == [1, -0.95, 0.9, -0.2]


def test_pulsed_labelling_names_how_its_bolus_ends():
    pasl = replace(RECIPE, labeling_type=LabelingType.PASL, labeling_duration=0.8)
    assert asl_words(pasl)["BolusCutOffDelayTime"] == 0.8
    words = asl_words(replace(pasl, bolus_cut_off_technique=BolusCutOffTechnique.Q2TIPS))
    assert words["BolusCutOffDelayTime"] == [0.8, 1.1]
    assert (words["BolusCutOffFlag"], words["BolusCutOffTechnique"]) == (True, "Q2TIPS")


def test_kidneys_are_named():
    assert asl_words(replace(RECIPE, anatomy=Anatomy.KIDNEY))["Organ"] == "kidney"


def test_quipss_says_when_its_slices_are_saturated():
    quipss = replace(
        RECIPE,
        labeling_type=LabelingType.PASL,
        labeling_duration=1.2,
        bolus_cut_off_technique=BolusCutOffTechnique.QUIPSS,
        saturation_time=0.7,
    )
    words = asl_words(quipss)
    # of a header BolusCutOffDelayTime is the time of the saturation; how long the bolus is isn't known there
    assert (words["BolusCutOffDelayTime"], words["BolusCutOffTechnique"]) == (0.7, "QUIPSS")


@pytest.mark.parametrize("order", list(VolumeOrder))
def test_a_look_locker_train_is_named(order):
    train = Delays((0.5, 1.5), look_locker=True)
    words = asl_words(
        replace(
            RECIPE,
            labeling_type=LabelingType.PASL,
            labeling_duration=0.7,
            labels=train,
            flip_angle=0.5,
            volume_order=order,
        )
    )
    assert words["LookLocker"] is True
    assert words["FlipAngle"] == pytest.approx(np.rad2deg(0.5))
    assert words["PostLabelingDelay"] == ([0, *[0.5, 1.5] * 4] if order in COUNTED else [0.5, 1.5])
    if order is VolumeOrder.CYCLE:
        assert words["aslcontext_cycle"] == ["control"] * 2 + ["label"] * 2
    assert "LookLocker" not in asl_words(RECIPE)
