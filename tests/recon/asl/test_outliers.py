import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perfline.recon.asl.outliers import likeness, outlying_pairs
from perfline.recon.errors import InputError

USUAL = np.random.default_rng(1).normal(6.0, 1.0, 40)


def test_pairs_with_motion_are_found_and_the_others_kept():
    values = USUAL.copy()
    values[[3, 17, 30]] = (40.0, -25.0, 22.0)
    marked = outlying_pairs(values)
    assert marked[[3, 17, 30]].all()
    # of 40 normal values 3.1 % are marked on average, with a deviation of 4 %
    assert marked.sum() <= 3 + 5


def test_by_hand():
    # median 5, deviations 0 1 1 2 20: MAD 1, limit 2.5 / 0.6745 = 3.7
    np.testing.assert_array_equal(outlying_pairs([5.0, 4.0, 6.0, 7.0, 25.0]), [False, False, False, False, True][:5])


def test_a_second_look_finds_what_a_worse_one_had_hidden():
    # with all values: median 5.1, MAD 0.2, limit 0.74, 6.0 lies outside it only once 90 and 91 are gone
    values = [5.0, 5.1, 4.9, 5.2, 4.8, 90.0, 91.0, 5.7]
    once = np.abs(np.array(values) - np.median(values)) > 2.5 * 0.25 / 0.6745
    assert not once[7]
    assert outlying_pairs(values, most_rejected=0.45)[7]


def test_never_more_than_the_stated_share_and_the_farthest_first():
    values = np.concatenate([np.full(14, 5.0) + 0.01 * np.arange(14), [30.0, 20.0, 50.0, 40.0, 10.0, 60.0]])
    marked = outlying_pairs(values, most_rejected=0.2)
    assert sorted(values[marked]) == [30.0, 40.0, 50.0, 60.0]


def test_a_share_of_zero_rejects_nothing():
    assert not outlying_pairs([5.0, 5.1, 4.9, 5.2, 90.0, 5.0], most_rejected=0.0).any()


def test_too_few_pairs_and_equal_pairs_are_all_kept():
    assert not outlying_pairs([1.0, 1.0, 1.0, 90.0]).any()
    assert not outlying_pairs([5.0] * 8 + [9.0]).any()


@settings(max_examples=50, deadline=None)
@given(
    values=st.lists(st.floats(-100, 100), min_size=5, max_size=40),
    scale=st.floats(0.1, 10),
    shift=st.floats(-50, 50),
    share=st.floats(0, 0.49),
)
def test_sign_and_share(values, scale, shift, share):
    values = np.round(values, 3)
    marked = outlying_pairs(values, most_rejected=share)
    assert marked.sum() <= share * len(values)
    np.testing.assert_array_equal(outlying_pairs(-values, most_rejected=share).sum(), marked.sum())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([[1.0, 2.0]],), r"pair_means: expected \(n_pairs,\), got \(1, 2\)"),
        (([1.0, np.inf],), "pair_means: expected finite values, got 1"),
        (([1.0], 0.0), "limit: expected a positive number, got 0.0"),
        (([1.0], 2.5, 0.5), "most_rejected: expected 0 to less than 0.5, got 0.5"),
    ],
)
def test_bad_arguments_are_refused(arguments, message):
    with pytest.raises(InputError, match=message):
        outlying_pairs(*arguments)


def test_likeness_is_the_correlation_within_the_mask():
    rng = np.random.default_rng(4)
    mean = rng.uniform(0, 100, (2, 7, 5))
    mask = rng.uniform(size=mean.shape) > 0.3
    image = mean + rng.normal(0, 20, mean.shape)
    # the same sums in another order
    assert likeness(image, mean, mask) == pytest.approx(np.corrcoef(image[mask], mean[mask])[0, 1], rel=1e-10)
    assert likeness(np.ones_like(mean), mean, mask) == 0.0


def test_a_moved_kidney_is_less_like_the_mean():
    y, x = np.mgrid[:30, :24]
    kidney = 100.0 * ((y - 15) ** 2 / 64 + (x - 10) ** 2 / 25 < 1)[None]
    here = likeness(kidney + 1, kidney, np.ones_like(kidney, bool))
    moved = likeness(np.roll(kidney, 5, axis=1), kidney, np.ones_like(kidney, bool))
    assert here == pytest.approx(1, rel=1e-12)
    assert moved < 0.7


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"mean": np.ones((1, 2, 3))}, r"mean: expected \(1, 2, 2\), got \(1, 2, 3\)"),
        ({"mask": np.zeros((1, 2, 2), bool)}, "mask: expected two voxels or more, got 0"),
    ],
)
def test_bad_volumes_are_refused(change, message):
    arguments = {"image": np.ones((1, 2, 2)), "mean": np.ones((1, 2, 2)), "mask": np.ones((1, 2, 2), bool), **change}
    with pytest.raises(InputError, match=message):
        likeness(**arguments)
