import numpy as np
import pytest
from delay_series import PASL, PCASL, in_counts

from perfline.recon.asl.fit_status import FitStatus
from perfline.recon.asl.kinetic_model import tissue_signal
from perfline.recon.asl.labeling import Labeling
from perfline.recon.asl.weighted_delay import look_up, weighted_delay, weighted_delay_table
from perfline.recon.errors import InputError
from perfline.recon.parameters import LabelingType

SHAPE = (3, 4, 5)
TIMING = np.array([0.0, 0.08, 0.04])


@pytest.mark.parametrize("labeling", [PCASL, PASL], ids=["pcasl", "pasl"])
def test_noise_free_recovery(labeling: Labeling) -> None:
    rng = np.random.default_rng(1)
    cbf, att = rng.uniform(40, 80, SHAPE), rng.uniform(0.6, 1.4, SHAPE)
    delta_m, m0 = in_counts(tissue_signal(labeling, cbf, att, 1.3, TIMING[:, None, None]))
    got_cbf, got_att = weighted_delay(delta_m, m0, np.ones(SHAPE, bool), labeling, 1.3, TIMING)
    # the table is made for 60 ml/100 g/min: 1/T1' is off by up to 0.5 %
    np.testing.assert_allclose(got_att, att, atol=0.01)
    np.testing.assert_allclose(got_cbf, cbf, rtol=0.01)
    exact = in_counts(tissue_signal(labeling, np.full(SHAPE, 60.0), att, 1.3, TIMING[:, None, None]))
    got_cbf, got_att = weighted_delay(*exact, np.ones(SHAPE, bool), labeling, 1.3, TIMING)
    # interpolation in steps of 1 ms
    np.testing.assert_allclose(got_att, att, atol=1e-4)
    np.testing.assert_allclose(got_cbf, 60, rtol=1e-3)


def test_early_and_late_arrival_stay_in_the_sampled_range() -> None:
    att = np.array([0.05, 1.7]).reshape(1, 1, 2)
    delta_m, m0 = in_counts(tissue_signal(PCASL, np.full(att.shape, 60.0), att, 1.3))
    got = weighted_delay(delta_m, m0, np.ones(att.shape, bool), PCASL, 1.3)[1]
    # float32 of the end points
    np.testing.assert_allclose(got, [[[0.25, 1.5]]], rtol=1e-3)


def test_what_is_undefined() -> None:
    mask = np.array([[[True, True, True, True, False]]])
    delta_m, m0 = in_counts(tissue_signal(PCASL, np.full(mask.shape, 60.0), 1.0, 1.3))
    delta_m[:, 0, 0, 1] *= -1
    delta_m[2, 0, 0, 2] = np.nan
    m0[0, 0, 3] = 0
    for one in weighted_delay(delta_m, m0, mask, PCASL, 1.3):
        assert np.isfinite(one[0, 0, 0])
        assert np.isnan(one[0, 0, 1:4]).all()
        assert one[0, 0, 4] == 0


def test_a_look_up_tells_what_it_does_not_know() -> None:
    # of the second slice all is 0.1 s later: bolus whole from 0.35 to 1.6 s
    att = np.broadcast_to(np.array([0.1, 0.3, 1.0, 1.55, 1.9]), (2, 1, 5))
    timing = np.array([0.0, 0.1])
    delta_m, m0 = in_counts(tissue_signal(PCASL, np.full(att.shape, 60.0), att, 1.3, timing[:, None, None]))
    mask = np.ones(att.shape, bool)
    cbf, found, status = look_up(delta_m, m0, mask, PCASL, 1.3, timing)
    known, unknown = FitStatus.LOOKED_UP, FitStatus.ATT_UNDETERMINED
    assert status.tolist() == [
        [[unknown, known, known, unknown, unknown]],
        [[unknown, unknown, known, known, unknown]],
    ]
    np.testing.assert_array_equal(np.isfinite(found), status == known)
    np.testing.assert_allclose(found[status == known], att[status == known], atol=1e-3)
    # flow of blood that came before the first delay is known within what the time of its decay adds
    np.testing.assert_allclose(cbf[att < 1.5], 60, rtol=0.05)
    assert np.isnan(cbf[(status == unknown) & (att > 1)]).all()
    delta_m[:, 0, 0, 2] *= -1
    m0[1, 0, 2], mask[1, 0, 3] = 0, False
    cbf, found, status = look_up(delta_m, m0, mask, PCASL, 1.3, timing)
    assert (cbf[0, 0, 2], status[0, 0, 2]) == (0, FitStatus.NO_SIGNAL)
    assert status[1, 0, 2:4].tolist() == [FitStatus.BAD_INPUT, FitStatus.OUTSIDE_MASK]
    assert np.isnan([found[0, 0, 2], found[1, 0, 2], cbf[1, 0, 2]]).all()
    assert (cbf[1, 0, 3], found[1, 0, 3]) == (0, 0)


def test_table() -> None:
    weighted, att = weighted_delay_table(PCASL, 1.3, 0.1)
    assert att[0] == pytest.approx(0.35)
    assert att[-1] == pytest.approx(1.6)
    assert np.all(np.diff(weighted) > 0)
    at = 400
    signal = tissue_signal(PCASL, 60.0, att[at], 1.3, 0.1)
    # rounding
    assert weighted[at] == pytest.approx(np.sum(np.array(PCASL.post_labeling_delay) * signal) / signal.sum(), rel=1e-12)


def test_bad_input() -> None:
    same = Labeling(LabelingType.PCASL, (1.0, 1.0), 1.4, 0.85, 1.65, 0.9)
    with pytest.raises(InputError, match=r"\(PostLabelingDelay\): expected different delays"):
        weighted_delay_table(same, 1.3)
    ones = np.ones((6, *SHAPE), np.float32)
    with pytest.raises(InputError, match=r"delta_m: expected \(6, 3, 4, 5\), got \(5, 3, 4, 5\)"):
        weighted_delay(ones[1:], ones[0], ones[0] > 0, PCASL, 1.3)
    with pytest.raises(InputError, match="tissue_t1: expected a positive number"):
        weighted_delay(ones, ones[0], ones[0] > 0, PCASL, 0.0)
    with pytest.raises(InputError, match=r"slice_timing \(SliceTiming\): expected \(3,\), got \(2,\)"):
        weighted_delay(ones, ones[0], ones[0] > 0, PCASL, 1.3, TIMING[:2])
