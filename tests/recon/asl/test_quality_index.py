import numpy as np
import pytest

from perfline.recon.asl.quality_index import QualityIndex, quality_evaluation_index
from perfline.recon.errors import InputError

RNG = np.random.default_rng(9)
SHAPE = (3, 24, 20)
GREY = np.zeros(SHAPE)
GREY[:, 4:20, 3:17] = 1
GREY[:, 8:16, 6:14] = 0
WHITE = np.zeros(SHAPE)
WHITE[:, 8:16, 6:14] = 1
MASK = GREY + WHITE > 0
VOXEL = (3.5, 4.0, 6.0)


def index(cbf, **changes):
    arguments = {"grey_part": GREY, "white_part": WHITE, "voxel_size": VOXEL, "mask": MASK, **changes}
    return quality_evaluation_index(cbf, **arguments)


def test_formula_by_hand_where_smoothing_does_nothing():
    cbf = 60 * GREY + 20 * WHITE + np.where(MASK, RNG.normal(0, 15, SHAPE), np.nan)
    found = index(cbf, voxel_size=(1e4, 1e4, 1e4))
    grey, white = cbf[GREY == 1], cbf[WHITE == 1]
    r = np.corrcoef(cbf[MASK], (2.5 * GREY + WHITE)[MASK])[0, 1]
    pooled = (np.sum((grey - grey.mean()) ** 2) + np.sum((white - white.mean()) ** 2)) / (grey.size + white.size - 2)
    n = np.mean(grey < 0)
    wanted = (
        (1 - np.exp(-3.0126 * r**2.4419)) * np.exp(-(0.054 * (pooled / grey.mean()) ** 0.9272 + 2.8478 * n**0.5196))
    ) ** (1 / 3)
    assert found == pytest.approx(wanted, rel=1e-10)
    assert 0.2 < found < 0.95


def test_it_falls_with_noise_and_is_near_nothing_for_noise_alone():
    noise = RNG.normal(0, 1, SHAPE)
    perfusion = 60 * GREY + 20 * WHITE
    values = [index(perfusion + level * noise) for level in (0, 20, 60, 200)]
    assert values == sorted(values, reverse=True)
    assert values[0] > 0.9
    assert index(50 * noise) < 0.25


def test_an_inverted_map_has_none():
    assert index(-(60 * GREY + 20 * WHITE)) == 0.0


def test_smoothing_stays_within_the_mask():
    cbf = 60 * GREY + 20 * WHITE
    assert index(cbf) == index(np.where(MASK, cbf, 1e6))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"grey_part": GREY[:2]}, r"grey_part: expected \(3, 24, 20\), got \(2, 24, 20\)"),
        ({"white_part": 2 * WHITE}, "white_part: expected 0 to 1, got 0 to 2"),
        ({"white_part": 0 * WHITE}, "white_part: expected two voxels or more of at least 0.9 in the mask"),
        ({"voxel_size": (3.0, 0.0, 3.0)}, r"voxel_size: expected a positive number \[mm\], got 0.0"),
    ],
)
def test_bad_arguments_are_refused(changes, message):
    with pytest.raises(InputError, match=message):
        index(np.ones(SHAPE), **changes)


def test_one_map_after_another_is_judged_as_each_by_itself():
    kept = QualityIndex(GREY, WHITE, VOXEL, MASK)
    perfusion = 60 * GREY + 20 * WHITE
    noisy = perfusion + RNG.normal(0, 20, SHAPE)
    holes = noisy.copy()
    holes[1, 5:8, 4:9] = np.nan
    for cbf in (perfusion, noisy, holes, noisy):
        assert kept.of(cbf) == index(cbf)
    assert kept.of(holes) != kept.of(noisy)
    with pytest.raises(InputError, match="cbf: expected"):
        kept.of(noisy[:1])


def test_what_lies_outside_of_the_mask_does_not_count():
    noisy = 60 * GREY + 20 * WHITE + RNG.normal(0, 20, SHAPE)
    assert index(np.where(MASK, noisy, 1e6)) == index(noisy)
    assert np.isfinite(index(np.where(MASK, noisy, np.nan)))


def test_negative_voxels_may_be_counted_in_another_image():
    cbf = 60 * GREY + 20 * WHITE + np.where(MASK, RNG.normal(0, 15, SHAPE), 0)
    judge = QualityIndex(GREY, WHITE, VOXEL, MASK)
    # an image of one sign for each half of grey matter; smoothing blurs the border alone
    half = np.broadcast_to(np.where(np.arange(SHAPE[2]) < 10, -1.0, 1.0), SHAPE)
    assert judge.of(cbf, np.ones(SHAPE)) == judge.of(cbf) > judge.of(cbf, half)
    n = np.mean(half[GREY == 1] < 0)
    # the border is one voxel wide
    assert judge.of(cbf, half) == pytest.approx(judge.of(cbf) * np.exp(-2.8478 * n**0.5196 / 3), rel=0.05)
    with pytest.raises(InputError, match="difference: expected"):
        judge.of(cbf, half[:1])
