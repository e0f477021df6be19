import numpy as np
import pytest

from perfline.recon.asl.outliers import outlying_pairs
from perfline.recon.asl.pair_selection import rejected_pairs
from perfline.recon.errors import InputError

MEANS = np.random.default_rng(4).normal(5, 0.2, 20)
MEANS[[3, 11]] = [9.0, 1.0]


def places(*args, **kwargs):
    return [one.place for one in rejected_pairs(*args, **kwargs)]


def test_one_component_is_judged_as_by_outlying_pairs():
    assert places(MEANS, limit=4.0) == np.flatnonzero(outlying_pairs(MEANS, 4.0)).tolist() == [3, 11]
    assert places(MEANS[:, None], limit=4.0) == [3, 11]


def test_reasons_say_how_far():
    (reason, _) = [one.reason for one in rejected_pairs(MEANS, limit=4.0)]
    kept = np.delete(MEANS, [3, 11])
    deviation = np.median(np.abs(kept - np.median(kept))) / 0.6744897501960817
    times = (9 - np.median(kept)) / deviation
    assert reason == f"mean delta-M 9 is {times:.1f} deviations away from the median {np.median(kept):.4g}"


def test_a_block_goes_by_any_of_its_components():
    means = np.random.default_rng(6).normal(5, 0.2, (20, 3))
    means[7, 1] += 3
    means[12, 2] -= 3
    assert places(means, limit=5.0) == [7, 12]
    assert "distance of the mean components" in rejected_pairs(means, limit=5.0)[0].reason


def test_unlike_pairs_go_without_a_limit():
    likenesses = np.full(20, 0.98)
    likenesses[[2, 9]] = [0.7, 0.8]
    assert places(MEANS, likenesses, limit=None, least_likeness=0.9) == [2, 9]
    assert places(MEANS, likenesses, limit=None) == []
    assert places(MEANS, likenesses, limit=4.0, least_likeness=0.9) == [2, 3, 9, 11]


@pytest.mark.parametrize("share", [0.0, 0.05, 0.1, 0.15, 0.2, 0.49])
def test_never_more_than_the_share_for_both_reasons_together(share):
    likenesses = np.full(20, 0.98)
    likenesses[[2, 9]] = [0.7, 0.8]
    found = places(MEANS, likenesses, limit=4.0, least_likeness=0.9, most_rejected=share)
    assert len(found) == min(int(share * 20), 4)
    # the least alike first, then what lies farthest away
    assert set(found) == set([2, 9, 3, 11][: len(found)])


@pytest.mark.parametrize("n", range(1, 40))
def test_share_holds_for_every_number_of_pairs(n):
    means = np.where(np.arange(n) % 2, 5.0, np.arange(n) * 100.0) + np.random.default_rng(n).normal(0, 0.1, n)
    assert len(places(means, most_rejected=0.49)) <= int(0.49 * n)


def test_equal_pairs_stay():
    assert places(np.full(9, 3.0)) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"pair_means": np.zeros((2, 2, 2))}, "pair_means: expected"),
        ({"pair_means": [1.0, np.nan]}, "pair_means"),
        ({"pair_means": MEANS, "most_rejected": 0.5}, "most_rejected: expected 0 to less than 0.5"),
        ({"pair_means": MEANS, "likenesses": [1.0], "least_likeness": 0.5}, r"likenesses: expected \(20,\)"),
    ],
)
def test_wrong_arguments(arguments, message):
    with pytest.raises(InputError, match=message):
        rejected_pairs(**arguments)
