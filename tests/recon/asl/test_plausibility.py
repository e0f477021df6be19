import numpy as np
import pytest

from perfline.recon.asl.plausibility import count_implausible
from perfline.recon.errors import InputError


def test_both_signs_count_within_the_mask_alone():
    flow = np.zeros((2, 3, 4))
    flow[0, 1, 2], flow[1, 2, 3], flow[1, 0, 0] = 1001.0, -1001.0, 5000.0
    flow[0, 0, 0] = 1000.0
    mask = np.ones(flow.shape, bool)
    mask[1, 0, 0] = False
    assert count_implausible(flow, mask, 1000.0) == 2


def test_what_is_not_finite_is_not_counted():
    flow = np.full((1, 2, 3), np.nan)
    assert count_implausible(flow, np.ones(flow.shape, bool), 10.0) == 0


@pytest.mark.parametrize(
    ("mask", "limit", "match"),
    [
        (np.ones((1, 2, 4), bool), 10.0, r"mask: expected \(1, 2, 3\)"),
        (np.ones((1, 2, 3)), 10.0, "mask: expected bool"),
        (np.ones((1, 2, 3), bool), 0.0, "limit: expected a positive number"),
    ],
)
def test_bad_arguments_are_named(mask, limit, match):
    with pytest.raises(InputError, match=match):
        count_implausible(np.zeros((1, 2, 3)), mask, limit)
