from typing import Any

import numpy as np
import pytest
from reference.cbf import delta_m_over_m0_continuous, delta_m_over_m0_pulsed

from perfline.recon.asl.cbf import (
    cbf_factor,
    quantify_cbf,
    slice_delays,
    standard_error_cbf,
    total_labeling_efficiency,
)
from perfline.recon.errors import InputError
from perfline.recon.parameters import LabelingType

SHAPE = (3, 4, 5)
PCASL: dict[str, Any] = {
    "labeling_type": LabelingType.PCASL,
    "post_labeling_delay": 1.8,
    "labeling_duration": 1.8,
    "labeling_efficiency": 0.85,
    "blood_t1": 1.65,
    "partition_coefficient": 0.9,
}
PASL: dict[str, Any] = {
    "labeling_type": LabelingType.PASL,
    "post_labeling_delay": 2.0,
    "bolus_cut_off_delay_time": 0.8,
    "labeling_efficiency": 0.98,
    "blood_t1": 1.65,
    "partition_coefficient": 0.9,
}


def test_hand_worked_value() -> None:
    # 6000 * 0.9 * 0.01 * exp(1.8 / 1.65) / (2 * 0.85 * 1.65 * (1 - exp(-1.8 / 1.65))), to the digits given
    assert 0.01 * cbf_factor(**PCASL) == pytest.approx(86.2999, abs=5e-5)


@pytest.mark.parametrize("labeling_type", [LabelingType.PCASL, LabelingType.CASL])
@pytest.mark.parametrize(("delay", "duration"), [(1.8, 1.8), (0.0, 1.45), (2.3, 3.0)])
def test_continuous_labelling_is_the_inverse_of_the_forward_model(
    labeling_type: LabelingType, delay: float, duration: float
) -> None:
    ratio = delta_m_over_m0_continuous(60.0, delay, duration, 0.7, 1.55, 0.93)
    factor = cbf_factor(
        labeling_type,
        post_labeling_delay=delay,
        labeling_duration=duration,
        labeling_efficiency=0.7,
        blood_t1=1.55,
        partition_coefficient=0.93,
    )
    # midpoint rule with 200,000 steps
    assert ratio * factor == pytest.approx(60.0, rel=1e-9)


def test_pulsed_labelling_is_the_inverse_of_the_forward_model() -> None:
    ratio = delta_m_over_m0_pulsed(45.0, 1.9, 0.7, 0.95, 1.35, 0.88)
    factor = cbf_factor(
        LabelingType.PASL,
        post_labeling_delay=1.9,
        bolus_cut_off_delay_time=0.7,
        labeling_efficiency=0.95,
        blood_t1=1.35,
        partition_coefficient=0.88,
    )
    # rounding
    assert ratio * factor == pytest.approx(45.0, rel=1e-12)


def test_pulsed_value_by_hand() -> None:
    # 6000 * 0.9 * exp(2 / 1.65) / (2 * 0.98 * 0.8) = 5400 * 3.36060 / 1.568; six digits of the exponential
    assert cbf_factor(**PASL) == pytest.approx(11573.5, rel=1e-5)


def test_delay_of_each_slice() -> None:
    delays = slice_delays(1.8, (0.0, 0.09, 0.045))
    factors = cbf_factor(**{**PCASL, "post_labeling_delay": delays})
    assert factors.shape == (3,)
    assert factors[0] == cbf_factor(**PCASL)
    # rounding
    np.testing.assert_allclose(factors / factors[0], np.exp(np.array([0.0, 0.09, 0.045]) / 1.65), rtol=1e-12)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"post_labeling_delay": -0.1},
            r"post_labeling_delay \(PostLabelingDelay\): expected zero or more \[s\], got -0.1",
        ),
        ({"post_labeling_delay": np.nan}, r"\(PostLabelingDelay\): expected zero or more \[s\], got nan"),
        ({"post_labeling_delay": None}, r"\(PostLabelingDelay\): expected zero or more \[s\], got nan"),
        (
            {"post_labeling_delay": np.array([1.8, -0.1])},
            r"\(PostLabelingDelay\): expected zero or more \[s\], got -0.1",
        ),
        ({"post_labeling_delay": np.ones((2, 2))}, r"\(PostLabelingDelay\): expected \(n_slices,\), got \(2, 2\)"),
        ({"labeling_duration": None}, r"labeling_duration \(LabelingDuration\): needed for PCASL, got none"),
        (
            {"labeling_duration": 0.0},
            r"labeling_duration \(LabelingDuration\): expected a positive number \[s\], got 0",
        ),
        ({"labeling_efficiency": 0.0}, r"\(LabelingEfficiency\): expected above 0, at most 1, got 0"),
        ({"labeling_efficiency": 85.0}, r"\(LabelingEfficiency\): expected above 0, at most 1, got 85"),
        ({"blood_t1": 0.0}, r"blood_t1 \(BloodT1\): expected a positive number"),
        ({"partition_coefficient": np.nan}, "partition_coefficient: expected a positive number"),
        ({"labeling_type": "VSASL"}, r"labeling_type: expected one of \['PCASL', 'CASL', 'PASL'\], got 'VSASL'"),
    ],
)
def test_bad_labelling(change: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        cbf_factor(**{**PCASL, **change})


def test_pulsed_labelling_needs_a_cut_off_before_the_excitation() -> None:
    with pytest.raises(InputError, match=r"\(BolusCutOffDelayTime\): needed for PASL, got none"):
        cbf_factor(**{**PASL, "bolus_cut_off_delay_time": None})
    with pytest.raises(InputError, match=r"\(BolusCutOffDelayTime\): expected at most the inversion time 2 s"):
        cbf_factor(**{**PASL, "bolus_cut_off_delay_time": 2.1})


def test_slice_delays_are_checked() -> None:
    with pytest.raises(InputError, match=r"\(SliceTiming\): expected zero or more"):
        slice_delays(1.8, [0.0, -0.1])
    with pytest.raises(InputError, match=r"\(PostLabelingDelay\): expected zero or more"):
        slice_delays(-1.8, [0.0, 0.1])


def test_total_efficiency() -> None:
    assert total_labeling_efficiency(0.85, 0) == 0.85
    # by hand; rounding
    assert total_labeling_efficiency(0.85, 4) == pytest.approx(0.85 * 0.81450625, rel=1e-14)
    assert total_labeling_efficiency(0.98, 2, per_pulse=0.9) == pytest.approx(0.7938, rel=1e-14)


def test_bad_efficiency() -> None:
    with pytest.raises(InputError, match=r"labeling_efficiency: expected above 0, at most 1, got 1\.2"):
        total_labeling_efficiency(1.2, 0)
    with pytest.raises(InputError, match="per_pulse: expected above 0, at most 1, got 0"):
        total_labeling_efficiency(0.85, 2, per_pulse=0)
    with pytest.raises(InputError, match="n_pulses: expected a count of pulses, got -1"):
        total_labeling_efficiency(0.85, -1)


def volumes() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(1)
    delta_m = rng.normal(10, 5, size=SHAPE).astype(np.float32)
    m0 = rng.uniform(500, 1500, size=SHAPE).astype(np.float32)
    mask = rng.uniform(size=SHAPE) < 0.7
    return delta_m, m0, mask


@pytest.mark.parametrize("per_slice", [False, True])
def test_flow_is_the_ratio_times_the_factor_of_the_slice(per_slice: bool) -> None:
    delta_m, m0, mask = volumes()
    factor = np.array([8000.0, 8500.0, 9500.0]) if per_slice else 8000.0
    flow = quantify_cbf(delta_m, m0, factor, mask)
    assert flow.dtype == np.float32
    for z, y, x in np.ndindex(SHAPE):
        of_slice = factor[z] if isinstance(factor, np.ndarray) else factor
        expected = float(delta_m[z, y, x]) / float(m0[z, y, x]) * of_slice if mask[z, y, x] else 0.0
        # float32 division
        assert flow[z, y, x] == pytest.approx(expected, rel=1e-6)


def test_undefined_voxels_are_nan_inside_the_mask_and_zero_outside() -> None:
    delta_m, m0, mask = volumes()
    mask[:] = True
    mask[0] = False
    m0[:, 0, 0] = 0
    m0[:, 0, 1] = -5
    m0[:, 0, 2] = np.nan
    m0[:, 1, 0] = np.inf
    delta_m[:, 1, 1] = np.nan
    flow = quantify_cbf(delta_m, m0, 8000.0, mask)
    np.testing.assert_array_equal(flow[0], 0)
    undefined = np.zeros(SHAPE[1:], bool)
    undefined[[0, 0, 0, 1, 1], [0, 1, 2, 0, 1]] = True
    np.testing.assert_array_equal(np.isnan(flow[1]), undefined)
    np.testing.assert_array_equal(np.isnan(flow[2]), undefined)


def test_standard_error() -> None:
    _, m0, mask = volumes()
    variance = np.random.default_rng(2).uniform(1, 30, size=SHAPE)
    factor = np.array([8000.0, 8500.0, 9500.0])
    error = standard_error_cbf(variance, 7, m0, factor, mask)
    expected = np.where(mask, np.sqrt(variance / 7) / m0 * factor[:, None, None], 0)
    assert error.dtype == np.float32
    # float32 rounding
    np.testing.assert_allclose(error, expected, rtol=1e-6)


def test_standard_error_is_that_of_repeated_scans() -> None:
    rng = np.random.default_rng(3)
    m0, mask = np.full((1, 1, 2000), 1000.0, np.float32), np.ones((1, 1, 2000), bool)
    pairs = rng.normal(10, 4, size=(5, 1, 1, 2000)).astype(np.float32)
    flow = quantify_cbf(pairs.mean(axis=0), m0, 8000.0, mask)
    error = standard_error_cbf(pairs.var(axis=0, ddof=1), 5, m0, 8000.0, mask)
    # over 2000 voxels a standard deviation is known to 1 / sqrt(4000) = 1.6 %; 4 of them
    assert np.sqrt(np.mean(error**2)) == pytest.approx(flow.std(), rel=0.065)


def test_standard_error_after_one_pair_is_nan_inside() -> None:
    _, m0, mask = volumes()
    error = standard_error_cbf(np.full(SHAPE, np.nan), 1, m0, 8000.0, mask)
    np.testing.assert_array_equal(np.isnan(error), mask)


def test_output_buffer_and_inputs() -> None:
    delta_m, m0, mask = volumes()
    copies = delta_m.copy(), m0.copy(), mask.copy()
    out = np.full(SHAPE, 3, np.float32)
    assert quantify_cbf(delta_m, m0, 8000.0, mask, out) is out
    np.testing.assert_array_equal(out, quantify_cbf(delta_m, m0, 8000.0, mask))
    for now, before in zip((delta_m, m0, mask), copies, strict=True):
        np.testing.assert_array_equal(now, before)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"delta_m": np.ones((3, 5, 4))}, r"delta_m: expected \(3, 4, 5\), got \(3, 5, 4\)"),
        ({"m0": np.ones((3, 5, 4))}, r"m0: expected \(3, 4, 5\), got \(3, 5, 4\)"),
        ({"mask": np.ones((4, 5), bool)}, r"mask: expected \(n_slices, n_y, n_x\), got \(4, 5\)"),
        ({"mask": np.ones(SHAPE)}, "mask: expected bool, got float64"),
        ({"mask": np.zeros(SHAPE, bool)}, "mask: expected voxels inside, got none"),
        ({"m0": np.zeros(SHAPE)}, "m0: expected positive values in the mask, got none in 60 voxels"),
        ({"factor": np.ones(4)}, r"factor: expected \(3,\), got \(4,\)"),
        ({"factor": np.nan}, "factor: expected finite"),
        ({"out": np.ones((3, 5, 4), np.float32)}, r"out: expected \(3, 4, 5\), got \(3, 5, 4\)"),
    ],
)
def test_bad_volumes(change: dict[str, Any], message: str) -> None:
    arguments: dict[str, Any] = {
        "delta_m": np.ones(SHAPE, np.float32),
        "m0": np.ones(SHAPE, np.float32),
        "factor": 8000.0,
        "mask": np.ones(SHAPE, bool),
    }
    with pytest.raises(InputError, match=message):
        quantify_cbf(**{**arguments, **change})


def test_bad_spread() -> None:
    _, m0, mask = volumes()
    with pytest.raises(InputError, match="n_pairs: expected one or more, got 0"):
        standard_error_cbf(np.ones(SHAPE), 0, m0, 8000.0, mask)
    with pytest.raises(InputError, match="variance: expected zero or more, got -1"):
        standard_error_cbf(np.full(SHAPE, -1.0), 3, m0, 8000.0, mask)


def test_single_precision_takes_the_kernel_and_gives_the_same_bits() -> None:
    rng = np.random.default_rng(9)
    shape = (3, 8, 7)
    delta_m, m0 = (rng.normal(centre, 5, shape).astype(np.float32) for centre in (8, 900))
    m0[0, 0, :4] = 0, -3, np.nan, np.inf
    delta_m[1, 1, :2] = np.nan, np.inf
    mask, factor = rng.random(shape) > 0.3, rng.normal(8000, 200, 3)
    mask[0, 0, :4] = mask[1, 1, :2] = True
    found = quantify_cbf(delta_m, m0, factor, mask)
    # another layout goes through numpy
    wanted = quantify_cbf(np.asfortranarray(delta_m), m0, factor, mask)
    np.testing.assert_array_equal(found, wanted)
    assert np.isnan(found[0, 0, :4]).all()
    assert np.isnan(found[1, 1, :2]).all()
    assert np.all(found[~mask] == 0)
    np.testing.assert_array_equal(
        quantify_cbf(delta_m, m0, 8000.0, mask), quantify_cbf(np.asfortranarray(delta_m), m0, 8000.0, mask)
    )
