import math
from dataclasses import replace

import pytest
from dicom_scans import header, items

pytest.importorskip("highdicom")

from perfline.gadgets.stage_data import Parameter
from perfline.gadgets.writers.dicom_asl import (
    CONTRAST,
    asl_item,
    labelling_context,
    technique_description,
    undeclared,
)
from perfline.gadgets.writers.dicom_series import SignalScale, perfusion_series


def scan(kind, **asl):
    """Header and series of blood flow."""
    head = header(kind)
    head = replace(head, asl=replace(head.asl, **asl))
    flows = [item for item in items(kind) if hasattr(item, "cbf")]
    return head, perfusion_series(head, [], flows, SignalScale(100.0, True))[0]


@pytest.mark.parametrize(
    ("kind", "contrast"), [("pcasl", "PSEUDOCONTINUOUS"), ("casl", "CONTINUOUS"), ("fair", "PULSED")]
)
def test_the_kind_of_labelling(kind, contrast):
    head, _ = scan(kind)
    assert CONTRAST[head.asl.labeling_type] == contrast


def test_continuous_labelling_has_no_bolus_cut_off():
    item = asl_item(*scan("pcasl"))
    assert (item.ASLBolusCutoffFlag, item.ASLCrusherFlag) == ("NO", "NO")
    assert "ASLBolusCutoffTimingSequence" not in item
    # of original images, and of slabs whose place is known
    assert "ASLContext" not in item
    assert "ASLSlabSequence" not in item
    assert "ASLPulseTrainDuration" not in item


@pytest.mark.parametrize(("kind", "technique"), [("q2tips", "Q2TIPS"), ("quipss", "QUIPSSII"), ("fair", "")])
def test_pulsed_labelling_tells_how_its_bolus_ends(kind, technique):
    item = asl_item(*scan(kind))
    assert item.ASLBolusCutoffFlag == "YES"
    (timing,) = item.ASLBolusCutoffTimingSequence
    assert (timing.ASLBolusCutoffTechnique, timing.ASLBolusCutoffDelayTime) == (technique, 800)


def test_crushers_that_are_declared():
    item = asl_item(*scan("crushed"))
    assert (item.ASLCrusherFlag, item.ASLCrusherFlowLimit) == ("YES", 2.0)
    assert item.ASLCrusherDescription
    head, series = scan("crushed")
    without = {name: value for name, value in head.parameters.items() if name != "VascularCrushingVENC"}
    assert math.isnan(asl_item(replace(head, parameters=without), series).ASLCrusherFlowLimit)


def test_crushers_of_which_nobody_said_anything_are_told_in_words():
    assert undeclared(header("pcasl")) == ["Vascular crushing is not declared in the raw data: ASL Crusher Flag is NO."]
    assert undeclared(header("crushed")) == []


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("pcasl", "PCASL 1800 ms, PLD 1800 ms"),
        ("q2tips", "PASL Q2TIPS 1800 ms, TI 1800 ms"),
        ("crushed", "PCASL 1800 ms, PLD 1800 ms, 2 BGS pulses"),
        ("fit", "PCASL 1400-1800 ms (2), PLD 500-1500 ms (3)"),
    ],
)
def test_the_technique_in_words(kind, text):
    assert technique_description(*scan(kind)) == text


def test_words_that_are_too_long_are_left_out_whole():
    text = technique_description(*scan("q2tips", bolus_cut_off_technique="x" * 50))
    assert len(text) <= 64
    assert "TI" not in text


def by_code(head, series):
    return {
        item.ConceptNameCodeSequence[0].CodeValue: (
            item.NumericValue,
            item.MeasurementUnitsCodeSequence[0].CodeValue,
        )
        for item in labelling_context(head, series)
    }


def test_labelling_and_quantification_in_numbers():
    assert by_code(*scan("crushed")) == {
        "PLD": (1800, "ms"),
        "LD": (1800, "ms"),
        "BGS": (2, "1"),
        "ALPHA": (0.85, "1"),
        "T1B": (1650, "ms"),
        "LAMBDA": (0.9, "mL/g"),
    }


def test_suppression_that_nobody_declared_is_not_told():
    head, series = scan("pcasl")
    assert "BGS" not in by_code(head, series)
    name = "BackgroundSuppressionNumberPulses"
    assumed = {name: Parameter(name, 0, "", "default: no background suppression")}
    assert "BGS" not in by_code(replace(head, parameters=assumed), series)
    stated = {"BackgroundSuppression": Parameter("BackgroundSuppression", False, "", "sidecar")}
    assert by_code(replace(head, parameters=stated), series)["BGS"] == (0, "1")
