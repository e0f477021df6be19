import numpy as np
import pytest
from reference import partial_volume as twin

from perfline.recon.asl.partial_volume import split_tissues
from perfline.recon.errors import InputError

RNG = np.random.default_rng(8)
SHAPE = (2, 9, 7)


def shares():
    grey = RNG.uniform(0, 1, SHAPE)
    white = RNG.uniform(0, 1, SHAPE) * (1 - grey)
    # a corner without white matter, and one without any tissue
    white[0, :, :4] = 0
    grey[1, 6:, 4:] = white[1, 6:, 4:] = 0
    return grey, white


@pytest.mark.parametrize("window", [3, 5])
def test_it_is_the_least_squares_of_each_window(window):
    grey, white = shares()
    image = RNG.normal(50, 20, SHAPE)
    image[0, 2, 5] = np.nan
    parts = split_tissues(image, grey, white, window)
    wanted = twin.split_tissues(image, grey, white, window)
    for found, want, share in zip((parts.grey_matter, parts.white_matter), wanted, (grey, white), strict=True):
        compared = (share >= 0.05) & np.isfinite(found)
        assert compared.sum() > 0.9 * (share >= 0.05).sum()
        # float32, and the running sums of the filter against sums of their own
        np.testing.assert_allclose(found[compared], want[compared], rtol=1e-4, atol=1e-4)
        assert np.isnan(found[share < 0.05]).all()


def test_constant_tissues_come_out_whatever_the_mixture():
    grey, white = shares()
    parts = split_tissues((60 * grey + 22 * white).astype(np.float32), grey, white)
    np.testing.assert_allclose(parts.grey_matter[np.isfinite(parts.grey_matter)], 60, rtol=1e-5)
    np.testing.assert_allclose(parts.white_matter[np.isfinite(parts.white_matter)], 22, rtol=2e-5)
    assert np.isfinite(parts.grey_matter).sum() > 60


def test_proportional_shares_cannot_be_told_apart():
    grey = np.full((1, 6, 5), 0.6)
    parts = split_tissues(40 * grey, grey, 0.5 * grey)
    assert np.isnan(parts.grey_matter).all()
    assert np.isnan(parts.white_matter).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"grey_part": np.zeros((2, 9, 6))}, r"grey_part \(tissue map of another grid\?\): expected \(2, 9, 7\)"),
        ({"white_part": np.full(SHAPE, 1.2)}, "white_part: expected 0 to 1, got 1.2 to 1.2"),
        ({"grey_part": np.full(SHAPE, np.nan)}, "grey_part: expected finite values, got 126"),
        ({"window": 4}, "window: expected a positive odd number of voxels, got 4"),
        ({"image": np.zeros((9, 7))}, r"image: expected \(n_slices, n_y, n_x\), got \(9, 7\)"),
    ],
)
def test_bad_arguments_are_refused(change, message):
    grey, white = shares()
    arguments = {"image": np.ones(SHAPE), "grey_part": grey, "white_part": white, "window": 5, **change}
    with pytest.raises(InputError, match=message):
        split_tissues(**arguments)
