import json

from perfline.gadgets.stage_data import Dropped, Parameter, VolumeKey
from perfline.gadgets.summary import ScanSummary, StageStatistics, latency_statistics


def summary(**changes):
    values = {
        "status": "success",
        "reason": "",
        "n_readouts": 10,
        "n_volumes": 2,
        "n_pairs": 1,
        "n_pairs_rejected": 0,
        "stages": (StageStatistics("pair", 2, 1, 0, 0.5),),
        "drops": (Dropped("readout", "bad", VolumeKey(3, 1), 2), Dropped("readout", "bad")),
        "latency": {"cbf": latency_statistics([0.004, 0.002])},
        "ghost_levels": (0.01, 0.02),
        "figures": {"mean_cbf": 50.0},
        "notices": (("warning", "look"),),
        "parameters": {"LabelingDuration": Parameter("LabelingDuration", (1.8,), "s", "header")},
        "settings": {"series": ("cbf",)},
        "seconds": 1.5,
        "n_bytes": 100,
        "software": "perfline 0",
    }
    return ScanSummary(**{**values, **changes})


def test_as_dict_is_plain_json_and_keeps_everything():
    content = json.loads(json.dumps(summary().as_dict()))
    assert content["drops"][0] == {"what": "readout", "reason": "bad", "volume": "repetition 3, set 1", "slice": 2}
    assert content["drop_reasons"] == {"readout: bad": 2}
    assert content["latency"]["cbf"]["median"] == 0.003
    assert content["notices"] == [{"level": "warning", "text": "look"}]
    assert content["parameters"]["LabelingDuration"] == {"value": [1.8], "unit": "s", "origin": "header"}
    assert content["stages"][0]["name"] == "pair"


def test_no_latency_without_images():
    assert latency_statistics([]) is None


def test_worst_and_percentile():
    statistics = latency_statistics([0.001] * 99 + [1.0])
    assert statistics.worst == 1.0
    assert statistics.percentile_95 == 0.001
