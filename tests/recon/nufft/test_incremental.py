"""Interleaves that arrive one by one."""

import numpy as np
import pytest
from reference.nufft import relative_error
from reference.trajectories import complex_noise, scattered, spiral

from perfline.recon.errors import InputError
from perfline.recon.lanes.vector import lanes_available
from perfline.recon.nufft import IncrementalAdjoint, NufftPlan

MATRIX = (18, 22)


@pytest.fixture(params=["portable", "wide"])
def plan(request):
    if request.param == "wide" and not lanes_available():
        pytest.skip("no wide registers")
    return NufftPlan(spiral(4, 130, MATRIX), MATRIX, 1e-3, path=request.param)


def test_any_order_equals_the_adjoint_of_all(plan):
    samples = complex_noise(1, (2, 5, *plan.sample_shape))
    weights = np.random.default_rng(2).uniform(0.1, 1, plan.sample_shape).astype(np.float32)
    incremental = IncrementalAdjoint(plan, (2, 5), weights)
    for repetition in range(2):
        for shot in (2, 0, 3, 1):
            assert shot in incremental.missing
            incremental.add(shot, samples[:, :, shot] * np.float32(1 + repetition))
        # the same sums in another order
        wanted = plan.adjoint(samples, weights) * (1 + repetition)
        assert relative_error(incremental.finish(), wanted) < 1e-6


def test_three_dimensions():
    matrix = (8, 12, 10)
    plan = NufftPlan(scattered(3, 90, matrix), matrix, 1e-3, n_threads=2)
    samples = complex_noise(1, (3, *plan.sample_shape))
    incremental = IncrementalAdjoint(plan, (3,))
    for shot in range(3):
        incremental.add(shot, samples[:, shot])
    assert relative_error(incremental.finish(), plan.adjoint(samples)) < 1e-6


def test_two_sums_on_one_plan_do_not_mix(plan):
    samples = complex_noise(1, (2, 3, *plan.sample_shape))
    sums = [IncrementalAdjoint(plan, (3,)) for _ in range(2)]
    for shot in range(4):
        for volume, incremental in enumerate(sums):
            incremental.add(shot, samples[volume, :, shot])
    for volume, incremental in enumerate(sums):
        assert relative_error(incremental.finish(), plan.adjoint(samples[volume])) < 1e-6


def test_faults_are_named_and_leave_the_sum_alone(plan):
    samples = complex_noise(1, plan.sample_shape)
    incremental = IncrementalAdjoint(plan)
    for shot in (0, 3):
        incremental.add(shot, samples[shot])
    with pytest.raises(InputError, match=r"shot: 3 was already added"):
        incremental.add(3, samples[3])
    with pytest.raises(InputError, match=r"shot: expected 0 to 3, got 4"):
        incremental.add(4, samples[3])
    with pytest.raises(InputError, match=r"samples: expected \(130,\), got \(1,\)"):
        incremental.add(1, samples[1, :1])
    with pytest.raises(InputError, match=r"shots: expected 4, missing \(1, 2\)"):
        incremental.finish()
    for shot in (1, 2):
        incremental.add(shot, samples[shot])
    assert relative_error(incremental.finish(), plan.adjoint(samples)) < 1e-6
    incremental.add(0, samples[0])
    incremental.reset()
    assert incremental.missing == (0, 1, 2, 3)


def test_wrong_weights_are_refused(plan):
    with pytest.raises(InputError, match=r"weights: expected \(4, 130\), got \(130, 4\)"):
        IncrementalAdjoint(plan, weights=np.ones((130, 4), np.float32))


def test_arrays_of_the_caller_are_used(plan):
    samples = complex_noise(1, (3, *plan.sample_shape))
    sums, scratch = plan.empty_images(2, 3), plan.empty_images(3)
    sums[:] = np.nan
    for volume in range(2):
        incremental = IncrementalAdjoint(plan, (3,), out=sums[volume], scratch=scratch)
        for shot in (3, 1, 0, 2):
            incremental.add(shot, samples[:, shot] * np.float32(1 + volume))
        assert incremental.missing == ()
    wanted = plan.adjoint(samples)
    for volume in range(2):
        assert relative_error(sums[volume], (1 + volume) * wanted) < 1e-6
    with pytest.raises(InputError, match=r"scratch: expected \(3, 18, 22\), got \(2, 18, 22\)"):
        IncrementalAdjoint(plan, (3,), scratch=plan.empty_images(2))
