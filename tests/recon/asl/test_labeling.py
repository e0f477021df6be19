from typing import Any

import numpy as np
import pytest

from perfline.recon.asl.labeling import BolusCutOffTechnique, Labeling, pasl_bolus
from perfline.recon.errors import InputError
from perfline.recon.parameters import LabelingType

GOOD: dict[str, Any] = {
    "labeling_type": LabelingType.PCASL,
    "post_labeling_delay": (0.5, 1.5),
    "labeling_duration": (1.2, 1.8),
    "labeling_efficiency": 0.85,
    "blood_t1": 1.65,
    "partition_coefficient": 0.9,
}


def test_times() -> None:
    np.testing.assert_array_equal(Labeling(**GOOD).times, [1.7, 3.3])
    pulsed = Labeling(**{**GOOD, "labeling_type": LabelingType.PASL, "labeling_duration": 0.7})
    np.testing.assert_array_equal(pulsed.times, [0.5, 1.5])
    np.testing.assert_array_equal(pulsed.durations, [0.7, 0.7])
    assert pulsed.is_pulsed
    assert pulsed.n_delays == 2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"post_labeling_delay": ()}, "expected one or more delays, got none"),
        ({"labeling_duration": (1.0, 1.1, 1.2)}, "expected one, or one for each of 2 delays, got 3"),
        ({"post_labeling_delay": (0.5, -1.0)}, r"post_labeling_delay \(PostLabelingDelay\): expected zero or more"),
        ({"labeling_duration": 0.0}, r"labeling_duration \(LabelingDuration\): expected a positive number"),
        ({"blood_t1": np.nan}, r"blood_t1 \(BloodT1\): expected a positive number"),
        ({"partition_coefficient": 0.0}, "partition_coefficient: expected a positive number"),
        ({"labeling_efficiency": 1.2}, r"\(LabelingEfficiency\): expected above 0, at most 1, got 1\.2"),
        ({"labeling_type": "VSASL"}, r"labeling_type: expected one of \['PCASL', 'CASL', 'PASL'\], got 'VSASL'"),
        ({"saturation_time": 0.7}, "saturation_time: expected 0 for PCASL, got 0.7 s"),
    ],
)
def test_bad_labeling(change: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Labeling(**{**GOOD, **change})


def test_bolus_of_each_technique() -> None:
    assert pasl_bolus(BolusCutOffTechnique.QUIPSS2, bolus_cut_off_delay_time=0.7) == (0.7, 0.0)
    assert pasl_bolus(BolusCutOffTechnique.Q2TIPS, bolus_cut_off_delay_time=0.7, bolus_duration=0.6) == (0.6, 0.0)
    assert pasl_bolus(BolusCutOffTechnique.QUIPSS, bolus_cut_off_delay_time=0.7, bolus_duration=1.1) == (1.1, 0.7)
    assert pasl_bolus(None, bolus_duration=1.1) == (1.1, 0.0)


def test_bad_bolus() -> None:
    with pytest.raises(InputError, match=r"\(BolusCutOffDelayTime\): needed for QUIPSSII, got none"):
        pasl_bolus(BolusCutOffTechnique.QUIPSS2)
    with pytest.raises(InputError, match="bolus_duration: needed for QUIPSS, got none"):
        pasl_bolus(BolusCutOffTechnique.QUIPSS, bolus_cut_off_delay_time=0.7)
    with pytest.raises(InputError, match="bolus_duration: needed without a cut-off, got none"):
        pasl_bolus(None)
    with pytest.raises(InputError, match=r"bolus_duration: expected a positive number \[s\], got 0"):
        pasl_bolus(None, bolus_duration=0.0)
