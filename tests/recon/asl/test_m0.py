import numpy as np
import pytest
from coil_array import head, loop_sensitivities
from numpy.typing import NDArray

from perfline.recon.asl.m0 import brain_mask, mean_m0, recovery_correction
from perfline.recon.errors import InputError


def test_correction_by_hand() -> None:
    # exp(-2 / 1.6) = 0.2865048
    assert recovery_correction(2.0, 1.6) == pytest.approx(1 / 0.7134952, rel=1e-7)


def test_correction_undoes_the_saturation_of_a_90_degree_excitation() -> None:
    signal, repetition_time, tissue_t1, step = 0.0, 1.7, 1.3, 1e-5
    for _ in range(round(repetition_time / step)):
        signal += (1 - signal) / tissue_t1 * step
    # Euler steps of the Bloch equation: an error of step / (2 T1) in the exponent
    assert signal * recovery_correction(repetition_time, tissue_t1) == pytest.approx(1, rel=1e-5)


@pytest.mark.parametrize("degrees", [20.0, 65.0, 90.0, 110.0])
def test_correction_undoes_the_steady_state_of_any_angle(degrees: float) -> None:
    angle, repetition_time, tissue_t1, magnetisation = np.deg2rad(degrees), 1.7, 1.3, 1.0
    recovery = np.exp(-repetition_time / tissue_t1)
    for _ in range(60):
        magnetisation = 1 + (magnetisation * np.cos(angle) - 1) * recovery
    # what the transient leaves after 60 excitations is below rounding
    assert magnetisation * recovery_correction(repetition_time, tissue_t1, angle) == pytest.approx(1, rel=1e-12)


def test_90_degrees_are_the_formula_of_the_consensus_to_the_last_digit() -> None:
    assert recovery_correction(2.0, 1.6, np.deg2rad(90.0)) == recovery_correction(2.0, 1.6) == 1 / -np.expm1(-2.0 / 1.6)


@pytest.mark.parametrize("angle", [0.0, -0.5, np.pi, np.nan])
def test_angle_must_be_an_excitation(angle: float) -> None:
    with pytest.raises(InputError, match=r"flip_angle: expected above 0 and below pi \[rad\], got"):
        recovery_correction(2.0, 1.6, angle)


def test_without_a_correction_no_t1_is_needed() -> None:
    assert recovery_correction(8.0, np.nan) == 1.0


@pytest.mark.parametrize(("repetition_time", "is_corrected"), [(4.999, True), (5.0, False), (8.0, False)])
def test_correction_ends_at_5_s(repetition_time: float, is_corrected: bool) -> None:
    assert (recovery_correction(repetition_time, 1.6) > 1) is is_corrected


@pytest.mark.parametrize("bad", [0.0, -2.0, np.nan, np.inf])
def test_repetition_time_must_be_a_time(bad: float) -> None:
    with pytest.raises(InputError, match=r"repetition_time \(RepetitionTimePreparation of M0\): expected a positive"):
        recovery_correction(bad, 1.6)
    with pytest.raises(InputError, match="tissue_t1: expected a positive number"):
        recovery_correction(2.0, bad)


def test_mean_is_of_magnitudes() -> None:
    rng = np.random.default_rng(1)
    phases = np.exp(1j * rng.normal(size=(3, 2, 4, 5)))
    magnitudes = rng.uniform(1, 9, size=(3, 2, 4, 5))
    mean = mean_m0(list((magnitudes * phases).astype(np.complex64)))
    assert mean.dtype == np.float32
    # float32 input
    np.testing.assert_allclose(mean, magnitudes.mean(axis=0), rtol=1e-6)


def test_mean_needs_volumes_of_one_shape() -> None:
    with pytest.raises(InputError, match="volumes: expected one M0 volume or more, got none"):
        mean_m0([])
    with pytest.raises(InputError, match=r"volumes\[1\]: expected \(2, 3\), got \(3, 2\)"):
        mean_m0([np.ones((2, 3)), np.ones((3, 2))])


def noisy_head(noise: float) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """A head seen by an array of coils: three times brighter at the rim than in the centre."""
    shape = (3, 48, 56)
    rng = np.random.default_rng(2)
    shading = np.linalg.norm(loop_sensitivities(8, shape), axis=1)
    image = head(shape) * shading
    spread = noise * np.abs(image).max()
    image = image + spread * (rng.normal(size=shape) + 1j * rng.normal(size=shape))
    return np.abs(image).astype(np.float32), head(shape) != 0


@pytest.mark.parametrize("noise", [0.0, 0.02])
def test_mask_of_a_shaded_head_is_the_head(noise: float) -> None:
    image, inside = noisy_head(noise)
    mask = brain_mask(image)
    assert mask.dtype == np.bool_
    # noise of 2 % of the rim is 10 % of the dark inclusion: a few pixels of the border at most may go wrong
    assert np.count_nonzero(mask != inside) <= 0.01 * inside.sum()


def test_side_far_from_the_coils_stays_in() -> None:
    image = np.zeros((2, 40, 48))
    image[:, 8:32, 8:40] = 300
    # five times darker, and open to the outside, so that no filling of holes helps
    image[:, 14:32, 8:40] = 60
    rng = np.random.default_rng(3)
    image += rng.uniform(0, 8, size=image.shape)
    mask = brain_mask(image)
    np.testing.assert_array_equal(mask[1], mask[0])
    assert mask[0, 8:32, 8:40].all()
    assert mask[0].sum() == 24 * 32


def test_mask_does_not_depend_on_scale() -> None:
    image, _ = noisy_head(0.02)
    # a power of two changes no digit
    np.testing.assert_array_equal(brain_mask(image * np.float32(2.0**-30)), brain_mask(image))


def test_holes_are_filled_slice_by_slice() -> None:
    image = np.zeros((3, 20, 24))
    image[:, 4:16, 5:20] = 100
    # a hole through all slices is open at both ends, but closed in each slice; a notch at the border stays
    # out
    image[:, 8:10, 9:12] = 0
    image[1, 4:7, 11:13] = 0
    mask = brain_mask(image)
    assert mask[:, 8:10, 9:12].all()
    assert not mask[1, 4:7, 11:13].any()
    assert mask.sum() == 3 * 12 * 15 - 6


def test_specks_are_removed_and_large_parts_stay() -> None:
    image = np.zeros((2, 40, 50))
    image[:, 5:20, 5:25] = 100
    image[:, 25:35, 30:45] = 80
    image[0, 2, 48] = 100
    mask = brain_mask(image)
    assert not mask[0, 2, 48]
    assert mask.sum() == 2 * (15 * 20 + 10 * 15)


def test_single_spike_does_not_stretch_the_histogram() -> None:
    image, inside = noisy_head(0.02)
    image[1, 24, 28] = 1e4 * image.max()
    assert np.count_nonzero(brain_mask(image) != inside) <= 0.01 * inside.sum()


def test_object_smaller_than_the_percentile() -> None:
    image = np.zeros((1, 60, 70))
    image[0, 20:23, 30:34] = 5.0
    assert brain_mask(image).sum() == 12


def test_uniform_image_has_no_background() -> None:
    assert brain_mask(np.full((2, 3, 4), 7.0)).all()


def test_bad_mask_input() -> None:
    with pytest.raises(InputError, match=r"m0: expected \(n_slices, n_y, n_x\), got \(4, 5\)"):
        brain_mask(np.ones((4, 5)))
    with pytest.raises(InputError, match="m0: expected a magnitude image, got values down to -1"):
        brain_mask(np.full((1, 2, 3), -1.0))
    with pytest.raises(InputError, match="m0: expected finite values, got 6"):
        brain_mask(np.full((1, 2, 3), np.nan))
    with pytest.raises(InputError, match="m0: expected signal somewhere, got 0 everywhere"):
        brain_mask(np.zeros((1, 2, 3)))
