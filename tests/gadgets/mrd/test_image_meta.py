import json
from dataclasses import replace

import numpy as np
from scan_headers import scan_header

from perfline.gadgets.mrd.image_meta import (
    common_meta,
    parameters_as_json,
    precision_meta,
    quantitative_meta,
    window_meta,
)
from perfline.gadgets.stage_data import Parameter, RegionPrecision, SliceGeometry
from perfline.recon.parameters import VolumeType

GEOMETRY = SliceGeometry(
    np.zeros((2, 3)), np.array([0.0, 1, 0]), np.array([0.0, 0, 1]), np.array([1.0, 0, 0]), (3.0, 4.0, 5.0), True
)


def common(**changes):
    options = {"name": "CBF", "comment": "text", "image_type": ("DERIVED", "PRIMARY"), "history": "cbf", **changes}
    return common_meta(replace(scan_header(), protocol_name="pcasl", echo_time=0.014), GEOMETRY, **options)


def test_common_entries():
    meta = common(post_labeling_delay=1.8)
    assert meta["DataRole"] == "Image"
    assert meta["ImageType"] == "DERIVED\\PRIMARY"
    assert meta["SeriesDescription"] == "pcasl_CBF"
    assert meta["SequenceDescriptionAdditional"] == "CBF"
    assert meta["ImageComment"] == meta["ImageComments"] == meta["GADGETRON_ImageComment"] == "text"
    assert meta["ImageProcessingHistory"] == ("PERFLINE", "EPI", "SUB", "AVE", "CBF")
    assert [float(value) for value in meta["ImageRowDir"]] == [0, 1, 0]
    assert [float(value) for value in meta["ImageColumnDir"]] == [0, 0, 1]
    assert meta["Keep_image_geometry"] == 1
    assert (meta["EchoTime"], meta["InversionTime"]) == (14.0, 1800.0)
    assert meta["PERFLINE_SoftwareVersion"].startswith("perfline ")


def test_what_is_unknown_is_left_out():
    meta = common_meta(
        replace(scan_header(), protocol_name="", echo_time=None),
        GEOMETRY,
        name="EPI",
        comment="",
        image_type=("M",),
        history="magnitude",
    )
    assert "EchoTime" not in meta
    assert "InversionTime" not in meta
    assert meta["SeriesDescription"] == "EPI"


def test_quantitative_entries_keep_the_values_from_being_scaled():
    meta = quantitative_meta(role="PERFUSIONMAP", unit="mL/100g/min", n_pairs=7, n_rejected=2, parameters="{}")
    assert meta["DataRole"] == ("Image", "Quantitative")
    assert meta["GADGETRON_DataRole"] == "PERFUSIONMAP"
    assert meta["Skip_processing_after_recon"] == meta["Use_dedicated_scaling_factor"] == 1
    assert (meta["PERFLINE_NumberOfPairs"], meta["PERFLINE_RejectedPairs"]) == (7, 2)
    assert meta["Units"] == "mL/100g/min"


def test_precision_is_told_where_it_is_known():
    assert precision_meta(None, False) == {}
    region = RegionPrecision("left insula", 50.0, 1.25, 6, None, False)
    assert precision_meta(region, False) == {"PERFLINE_Region": "left insula", "PERFLINE_StandardError": 1.25}
    meta = precision_meta(replace(region, n_pairs_needed=9), True)
    assert (meta["PERFLINE_PairsNeeded"], meta["PERFLINE_TargetReached"]) == (9, 1)


def test_windows_are_whole_numbers():
    assert window_meta(50.4, 99.6)["WindowCenter"] == 50
    assert window_meta(50.4, 99.6)["GADGETRON_WindowWidth"] == 100
    # values far below 1 have no window in whole numbers
    assert window_meta(1e-5, 2e-5) == {}


def test_parameters_with_origin():
    parameters = {
        "PostLabelingDelay": Parameter("PostLabelingDelay", (1.8, 2.0), "s", "sidecar"),
        "aslcontext": Parameter("aslcontext", (VolumeType.CONTROL,), "", "header"),
        "RepetitionTimePreparation": Parameter("RepetitionTimePreparation", (4.0,) * 201, "s", "header"),
    }
    assert json.loads(parameters_as_json(parameters)) == {
        "PostLabelingDelay": {"value": [1.8, 2.0], "unit": "s", "origin": "sidecar"},
        "aslcontext": {"value": ["control"], "unit": "", "origin": "header"},
        # every image of a long scan would carry them
        "RepetitionTimePreparation": {"value": "201 values", "unit": "s", "origin": "header"},
    }
