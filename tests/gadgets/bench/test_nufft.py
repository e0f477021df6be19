"""The benchmark at toy size: figures come, the errors hold; times are not judged."""

from pathlib import Path

import numpy as np
import pytest
from reference.nufft import adjoint_dtft
from reference.trajectories import complex_noise, scattered

from perfline.gadgets.bench.figures import Figure
from perfline.gadgets.bench.nufft import measure
from perfline.gadgets.bench.nufft_workloads import WORKLOADS, exact_adjoint


@pytest.mark.slow
def test_toy_size_gives_figures_within_the_tolerance():
    results = list(measure(rounds=1, is_small=True, data=Path(), report=lambda text: None))
    errors = [one for one in results if isinstance(one, Figure) and "error" in one.figure and one.aim is not None]
    assert len(errors) == 3
    assert all(one.met for one in errors)


@pytest.mark.parametrize("matrix", [(9, 12), (6, 9, 8)])
def test_its_definition_is_that_of_the_tests(matrix):
    trajectory = scattered(2, 50, matrix)
    samples = complex_noise(1, (2, 50))
    # double precision
    np.testing.assert_allclose(
        exact_adjoint(samples, trajectory, matrix), adjoint_dtft(samples, trajectory, matrix), rtol=1e-9, atol=1e-9
    )


def test_workloads_lie_within_their_matrix():
    for workload in WORKLOADS.values():
        assert np.all(np.abs(workload.trajectory()) <= np.array(workload.matrix) / 2)
