import numpy as np
import pytest

from perfline.recon.asl.quality import (
    global_perfusion,
    negative_share,
    relative_difference,
    relative_drift,
    spatial_variation,
)
from perfline.recon.errors import InputError

SHAPE = (2, 3, 5)


def image_and_mask() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(1)
    image = rng.normal(50, 40, size=SHAPE).astype(np.float32)
    mask = rng.uniform(size=SHAPE) < 0.6
    image[~mask] = 1e6
    image[tuple(np.argwhere(mask)[0])] = np.nan
    return image, mask


def values_inside() -> list[float]:
    image, mask = image_and_mask()
    voxels = [float(image[at]) for at in np.ndindex(SHAPE) if mask[at]]
    return [value for value in voxels if not np.isnan(value)]


def test_figures_are_those_of_the_finite_voxels_inside() -> None:
    image, mask = image_and_mask()
    values = values_inside()
    mean = sum(values) / len(values)
    spread = (sum((value - mean) ** 2 for value in values) / len(values)) ** 0.5
    # double precision
    assert global_perfusion(image, mask) == pytest.approx(mean, rel=1e-12)
    assert spatial_variation(image, mask) == pytest.approx(spread / mean, rel=1e-12)
    assert negative_share(image, mask) == sum(value < 0 for value in values) / len(values)
    assert 0 < negative_share(image, mask) < 1


def test_scale_changes_the_mean_only() -> None:
    image, mask = image_and_mask()
    # a power of two changes no digit
    assert global_perfusion(4 * image, mask) == 4 * global_perfusion(image, mask)
    assert spatial_variation(4 * image, mask) == spatial_variation(image, mask)
    assert negative_share(4 * image, mask) == negative_share(image, mask)


def test_spatial_variation_without_perfusion_is_infinite() -> None:
    assert spatial_variation(np.array([[[-1.0, 1.0]]]), np.ones((1, 1, 2), bool)) == float("inf")


def test_relative_difference_tells_exchanged_order_by_its_sign() -> None:
    rng = np.random.default_rng(2)
    label = rng.uniform(100, 1000, size=SHAPE)
    control = 1.01 * label
    mask = rng.uniform(size=SHAPE) < 0.6
    # rounding of the sums
    assert relative_difference(control - label, control, mask) == pytest.approx(0.01 / 1.01, rel=1e-12)
    assert relative_difference(label - control, label, mask) == pytest.approx(-0.01, rel=1e-12)


def test_relative_difference_is_the_ratio_of_the_means() -> None:
    delta_m, control = np.array([[[10.0, 0.0]]]), np.array([[[1000.0, 1.0]]])
    # by hand; rounding
    assert relative_difference(delta_m, control, np.ones((1, 1, 2), bool)) == pytest.approx(10 / 1001, rel=1e-12)


@pytest.mark.parametrize("figure", [global_perfusion, spatial_variation, negative_share])
def test_bad_input(figure: type[global_perfusion]) -> None:
    with pytest.raises(InputError, match=r"image: expected \(n_slices, n_y, n_x\), got \(3, 5\)"):
        figure(np.ones((3, 5)), np.ones((3, 5), bool))
    with pytest.raises(InputError, match=r"mask: expected \(2, 3, 5\), got \(2, 5, 3\)"):
        figure(np.ones(SHAPE), np.ones((2, 5, 3), bool))
    with pytest.raises(InputError, match="mask: expected bool, got int64"):
        figure(np.ones(SHAPE), np.ones(SHAPE, np.int64))
    with pytest.raises(InputError, match="image: expected finite voxels in the mask, got none"):
        figure(np.full(SHAPE, np.nan), np.ones(SHAPE, bool))
    with pytest.raises(InputError, match="image: expected finite voxels in the mask, got none"):
        figure(np.ones(SHAPE), np.zeros(SHAPE, bool))


def test_control_without_signal() -> None:
    with pytest.raises(InputError, match="control: expected signal in the mask, got a mean of 0"):
        relative_difference(np.ones(SHAPE), np.zeros(SHAPE), np.ones(SHAPE, bool))


def test_drift_is_found_over_groups_of_another_signal() -> None:
    rng = np.random.default_rng(2)
    groups = np.arange(40) % 3
    times = np.sort(rng.uniform(0, 10, 40))
    level = np.array([100.0, 40.0, 70.0])[groups]
    # by how much a group's own mean lies off the level at time 0 is of second order
    signals = level * (1 + 1e-4 * (times - times.mean()))
    assert relative_drift(signals, times, groups) == pytest.approx(1e-4, rel=1e-3)
    assert relative_drift(signals, times[::-1], groups[::-1]) < 0
    assert relative_drift(level, times, groups) == pytest.approx(0, abs=1e-15)
    # groups that each came once say nothing
    assert np.isnan(relative_drift([1.0, 2.0], [0.0, 1.0], [0, 1]))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([1.0, 2.0], [0.0], [0, 0]), "times: expected"),
        (([1.0, np.inf], [0.0, 1.0], [0, 0]), "signals"),
        (([0.0, 0.0], [0.0, 1.0], [0, 0]), "signals: expected signal in every group"),
    ],
)
def test_drift_wants_sound_values(arguments, message) -> None:
    with pytest.raises(InputError, match=message):
        relative_drift(*arguments)
