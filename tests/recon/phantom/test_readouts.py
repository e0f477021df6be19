from dataclasses import replace

import numpy as np
import pytest
from reference.phantom import fourier_integral, raster, region_values_on_raster

from perfline.recon.errors import InputError
from perfline.recon.parameters import ImageAxis, TrapezoidReadout
from perfline.recon.phantom.brain import Phantom, Region, Tissue, TissueClass, brain_phantom
from perfline.recon.phantom.ellipsoids import Ellipsoid, ellipse_kspace
from perfline.recon.phantom.object_kspace import kspace_scale
from perfline.recon.phantom.readouts import EpiReadout, epi_kspace, epi_schedule, sample_positions
from perfline.recon.phantom.sensitivities import ring_of_coils, sensitivity_maps, uniform_sensitivity

TRAPEZOID = TrapezoidReadout(
    ramp_up_time=120e-6,
    flat_top_time=280e-6,
    ramp_down_time=120e-6,
    acquisition_delay=20e-6,
    dwell_time=8e-6,
    n_samples=60,
    center_sample=30.0,
)
EPI = EpiReadout(
    readout=TRAPEZOID,
    readout_axis=ImageAxis(36, 180.0, 36, 180.0),
    phase_axis=ImageAxis(22, 220.0, 20, 200.0),
    echo_time=12e-3,
)
BALL = Phantom((Region("ball", Ellipsoid(11, -23, 0, 30, 50, 40, 0.3), Tissue(TissueClass.OTHER, 3.0, 1.0, 0.02)),))


def samples(epi, phantom=BALL, coils=None, shot=0):
    values = phantom.values("m0")[None]
    return epi_kspace(epi, phantom, phantom.cut(5.0), coils or uniform_sensitivity(), values, shot)[0]


def ball_kspace(k_y, k_x, epi=EPI):
    """Of the ball alone, k in cycles per encoded field of view."""
    ellipse = BALL.cut(5.0).ellipses[0]
    scale = 3.0 * kspace_scale(epi.phase_axis, epi.readout_axis)
    return scale * ellipse_kspace(ellipse, k_y / 220.0, k_x / 180.0)


def test_positions_are_the_integral_of_the_gradient():
    time = np.linspace(20e-6, 500e-6, 60 * 2000 + 1)
    gradient = np.interp(time, [0, 120e-6, 400e-6, 520e-6], [0, 1, 1, 0])
    area = np.concatenate([[0], np.cumsum((gradient[1:] + gradient[:-1]) / 2)])
    expected = 36 * (area[1000::2000][:60] - area[60_000]) / area[-1]
    # the trapezoid rule is exact up to the kinks, which fall on its points
    np.testing.assert_allclose(sample_positions(TRAPEZOID, 36), expected, rtol=0, atol=1e-6)


def test_positions_are_odd_and_densest_on_the_ramps():
    k = sample_positions(TRAPEZOID, 36)
    np.testing.assert_allclose(k, -k[::-1], atol=1e-12)
    steps = np.diff(k)
    assert steps.argmin() in (0, 58)
    assert (np.diff(steps[:10]) > 0).all()
    assert 17.9 < k[-1] < 18
    assert steps[25:35] == pytest.approx(36 * 8e-6 / (400e-6 - 2 * 20e-6**2 / 240e-6), rel=1e-9)


def test_asymmetric_trapezoid_and_centre():
    readout = TrapezoidReadout(1.0, 3.0, 2.0, 0.0, 1.0, 6, 2.0)
    # areas at 0.5 ... 5.5: 1/8, 1, 2, 3, 3.5 + 7/16, 4.5 - 1/16; at 2: 1.5; in all 4.5
    areas = np.array([1 / 8, 1, 2, 3, 3.5 + 7 / 16, 4.5 - 1 / 16])
    np.testing.assert_allclose(sample_positions(readout, 9), 2 * (areas - 1.5), atol=1e-12)


def test_schedule_of_one_shot():
    schedule = epi_schedule(EPI)
    assert schedule.lines.tolist() == [11, 11, 11, *range(22)]
    assert schedule.is_navigator.tolist() == [True] * 3 + [False] * 22
    assert schedule.is_reversed[:6].tolist() == [True, False, True, False, True, False]
    assert schedule.echo_times[3 + 11] == pytest.approx(12e-3)
    np.testing.assert_allclose(np.diff(schedule.echo_times), 520e-6)


def test_schedule_of_shots_and_partial_fourier():
    epi = replace(EPI, n_shots=2, n_skipped_lines=5, n_navigators=2)
    first, second = epi_schedule(epi, 0), epi_schedule(epi, 1)
    assert first.lines.tolist() == [6, 6, *range(0, 17, 2)]
    assert second.lines.tolist() == [6, 6, *range(1, 17, 2)]
    # two navigators: forward, reversed, and the first line is forward again
    assert first.is_reversed[:4].tolist() == [False, True, False, True]
    assert first.echo_times[first.lines.tolist().index(6, 2)] == pytest.approx(12e-3)


def test_lines_are_the_fourier_integral_of_sensitivity_times_object():
    phantom, coils = brain_phantom(), ring_of_coils(3, 5.0)
    got = samples(EPI, phantom, coils)
    y, x = raster(200.0, 170.0, 0.25)
    image = region_values_on_raster(phantom, 5.0, phantom.values("m0"), y, x) * sensitivity_maps(coils, y, x)
    k = sample_positions(TRAPEZOID, 36)
    # readout, sample: forward and reversed lines, a forward and a reversed navigator
    chosen = [(3, 40), (3 + 12, 25), (3 + 13, 25), (3 + 11, 30), (1, 33), (2, 20)]
    k_y = np.array([0 - 11, 12 - 11, 13 - 11, 0, 0, 0]) / 220.0
    k_x = np.array([k[40], k[25], -k[25], -k[30], k[33], -k[20]]) / 180.0
    expected = np.array([fourier_integral(coil, y, x, k_y, k_x) for coil in image])
    expected *= kspace_scale(EPI.phase_axis, EPI.readout_axis)
    values = np.array([got[readout, :, sample] for readout, sample in chosen]).T
    # the raster's staircase; flips and swapped polarities are off by the size of the values
    np.testing.assert_allclose(values, expected, rtol=0, atol=2e-3 * np.abs(expected).max())
    assert np.abs(values).min() > 4e-3 * np.abs(values).max()


def test_reversed_line_runs_backwards():
    # line 1 is reversed in one shot; it is the first, forward line of the second shot of two
    backward = samples(EPI)[3 + 1]
    forward = samples(replace(EPI, n_shots=2), shot=1)[3]
    # rounding only; the trapezoid is symmetric
    np.testing.assert_allclose(backward[:, ::-1], forward, rtol=0, atol=1e-9)


def test_ghost_is_a_shift_and_a_phase_of_reversed_against_forward_lines():
    epi = replace(EPI, ghost_delay=0.35, ghost_phase=0.25)
    got, k = samples(epi)[:, 0], sample_positions(TRAPEZOID, 36)
    forward = ball_kspace(4 - 11, k - 0.175) * np.exp(-0.125j)
    reverse = ball_kspace(5 - 11, -(k - 0.175)) * np.exp(0.125j)
    # rounding only
    np.testing.assert_allclose(got[3 + 4], forward, rtol=0, atol=1e-9)
    np.testing.assert_allclose(got[3 + 5], reverse, rtol=0, atol=1e-9)
    np.testing.assert_allclose(got[0], ball_kspace(0, -(k - 0.175)) * np.exp(0.125j), rtol=0, atol=1e-9)
    np.testing.assert_allclose(got[1], ball_kspace(0, k - 0.175) * np.exp(-0.125j), rtol=0, atol=1e-9)


def test_decay_and_off_resonance_follow_the_clock():
    plain, decayed = samples(EPI), samples(replace(EPI, decay=True, off_resonance=30.0))
    schedule = epi_schedule(EPI)
    offsets = (np.arange(60) + 0.5 - 30) * 8e-6
    time = schedule.echo_times[:, None, None] + offsets
    expected = plain * np.exp(-time / 0.02 + 2j * np.pi * 30 * time)
    # rounding only
    np.testing.assert_allclose(decayed, expected, rtol=0, atol=1e-9)


def test_each_region_decays_with_its_own_t2_star():
    tissue = Tissue(TissueClass.OTHER, 5.0, 1.0, 0.005, off_resonance=40.0)
    core = Region("core", Ellipsoid(5, -20, 5, 10, 12, 10), tissue, "ball")
    phantom = Phantom((*BALL.regions, core))
    epi = replace(EPI, decay=True)
    got = samples(epi, phantom)[3 + 9, 0, 17]
    time = epi_schedule(EPI).echo_times[3 + 9] + (17.5 - 30) * 8e-6
    k_x = sample_positions(TRAPEZOID, 36)[17]
    hole = ellipse_kspace(phantom.cut(5.0).ellipses[1], (9 - 11) / 220, -k_x / 180)
    hole *= kspace_scale(EPI.phase_axis, EPI.readout_axis)
    around = (ball_kspace(9 - 11, -k_x) - 3 * hole) * np.exp(-time / 0.02)
    inside = 5 * hole * np.exp(-time / 0.005 + 2j * np.pi * 40 * time)
    assert got == pytest.approx(complex(around + inside), rel=1e-10)


def test_uncorrected_shift_moves_the_object():
    moved = Phantom((replace(BALL.regions[0], shape=Ellipsoid(11 + 7, -23 - 9, 0, 30, 50, 40, 0.3)),))
    # rounding only
    np.testing.assert_allclose(samples(replace(EPI, shift_x=7.0, shift_y=-9.0)), samples(EPI, moved), atol=1e-9)


def test_constant_gradient_is_cartesian_but_for_half_a_sample():
    readout = TrapezoidReadout(0, 0, 0, 0, 10e-6, 36, 18.0)
    np.testing.assert_allclose(sample_positions(readout, 36), np.arange(36) - 17.5, atol=1e-12)
    assert replace(EPI, readout=readout).echo_spacing == pytest.approx(360e-6)


def test_samples_of_several_images_are_linear_in_their_signals():
    phantom = brain_phantom()
    one = np.arange(len(phantom.regions), dtype=float)
    stack = np.stack([one, one**2, 3 * one - 2 * one**2])
    raw = epi_kspace(EPI, phantom, phantom.cut(0.0), ring_of_coils(2), stack)
    assert raw.shape == (3, 25, 2, 60)
    np.testing.assert_allclose(raw[2], 3 * raw[0] - 2 * raw[1], atol=1e-9 * np.abs(raw).max())


def test_errors_name_the_argument():
    with pytest.raises(InputError, match=r"echo_time: expected at least 7\.54 ms for 3 navigators"):
        replace(EPI, echo_time=5e-3)
    with pytest.raises(InputError, match="n_skipped_lines: expected 0 to 10, got 11"):
        replace(EPI, n_skipped_lines=11)
    with pytest.raises(InputError, match="n_shots"):
        replace(EPI, n_shots=0)
    with pytest.raises(InputError, match="shot: expected 0 to 0, got 1"):
        epi_schedule(EPI, 1)
    with pytest.raises(InputError, match="n_encoded"):
        sample_positions(TRAPEZOID, 0)
    with pytest.raises(InputError, match="signals: expected"):
        epi_kspace(EPI, BALL, BALL.cut(0.0), uniform_sensitivity(), np.ones((1, 4)))
