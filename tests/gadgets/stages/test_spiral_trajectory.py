from dataclasses import replace

import numpy as np
import pytest
from spiral_headers import spiral_header

from perfline.gadgets.errors import ConfigurationError, ReadoutError, ScanHeaderError
from perfline.gadgets.settings import Settings
from perfline.gadgets.stage_data import (
    Counters,
    GivenTrajectory,
    GradientResponse,
    HargreavesParameters,
    Limits,
    Readout,
    SpiralParameters,
)
from perfline.gadgets.stages.header_design import header_design
from perfline.gadgets.stages.spiral_trajectory import SpiralTrajectory
from perfline.recon.nufft.density import pipe_menon_weights
from perfline.recon.nufft.plan import NufftPlan
from perfline.recon.phantom.ellipsoids import Ellipse, ellipse_kspace

N = 300
HEADER = spiral_header()
FIELD_OF_VIEW = np.array([240.0, 240.0])
DESIGN = HargreavesParameters(4, (20.0,), 3.0, 12000.0, 4e-6, 0.8)


def arm(turn=0.0, n=N, reach=0.4):
    """An arm in normalized units as MRD has it, float32 (n_samples, (x, y)), farther along x than along y."""
    t = np.linspace(0, 1, n)
    return (reach * t[:, None] * np.stack([np.cos(9 * t + turn), 0.5 * np.sin(9 * t + turn)], axis=1)).astype(
        np.float32
    )


def readout(trajectory=None, n=N, line=0, partition=0, **fields):
    counters = Counters(line=line, partition=partition)
    return Readout(np.zeros((2, n), np.complex64), counters, "imaging", trajectory=trajectory, **fields)


def with_units(units, **changes):
    return spiral_header(spiral=SpiralParameters(units), **changes)


def test_axes_are_reversed_and_scaled_to_the_encoded_matrix():
    k = SpiralTrajectory(HEADER, Settings()).of(readout(arm()))
    assert k.dtype == np.float64
    np.testing.assert_array_equal(k, arm()[:, ::-1].astype(np.float64) * [40, 48])


@pytest.mark.parametrize(
    ("units", "factor"),
    [
        ("cycles_per_fov", [1 / 40, 1 / 48]),
        ("per_m", [0.24 / 40, 0.24 / 48]),
        ("rad_per_m", [0.24 / 40 / 2 / np.pi, 0.24 / 48 / 2 / np.pi]),
    ],
)
def test_declared_units(units, factor):
    # smaller numbers in the same readout mean something else: nothing follows from the values
    expected = arm()[:, ::-1] * np.array([40, 48]) * factor
    for trajectory in (
        SpiralTrajectory(with_units(units), Settings()),
        SpiralTrajectory(HEADER, Settings(trajectory_units=units)),
        SpiralTrajectory(with_units("normalized"), Settings(trajectory_units=units)),
    ):
        np.testing.assert_allclose(trajectory.of(readout(arm())), expected, rtol=1e-12)


def test_the_setting_may_say_normalized_above_the_header():
    trajectory = SpiralTrajectory(with_units("per_m"), Settings(trajectory_units="normalized"))
    np.testing.assert_array_equal(trajectory.of(readout(arm())), arm()[:, ::-1].astype(float) * [40, 48])


def test_discarded_samples_have_no_place():
    full, kept = arm(), arm()[10:-5]
    # what is discarded may be anything
    junk = full.copy()
    junk[:10], junk[-5:] = np.nan, 77
    trajectory = SpiralTrajectory(HEADER, Settings())
    for own in (full, kept, junk):
        k = trajectory.of(readout(own, discard_pre=10, discard_post=5))
        np.testing.assert_array_equal(k, kept[:, ::-1].astype(float) * [40, 48])


@pytest.mark.parametrize(
    ("own", "text"),
    [
        (arm(n=N - 1), "interleaf 0: trajectory: expected 300 samples as in the data, got 299"),
        (arm(reach=0.6), r"declared normalized, expected -0.5 ... 0.5 on axis 1, got up to"),
        (np.where(np.arange(N)[:, None] == 7, np.nan, arm()), "interleaf 0: trajectory: expected finite values, got 2"),
        (arm()[:, :1], "trajectory_dimensions: expected 2 or 3, got 1"),
        (np.tile(arm(), 2), "trajectory_dimensions: expected 2 or 3, got 4"),
        (np.hstack([arm(), arm()[:, :1]]), "expected zeros on axis z of a 2D encoding, got up to"),
    ],
)
def test_bad_trajectories_cost_their_readout(own, text):
    trajectory = SpiralTrajectory(HEADER, Settings())
    with pytest.raises(ReadoutError, match=text):
        trajectory.of(readout(own.astype(np.float32)))
    assert trajectory.of(readout(arm())).shape == (N, 2)
    with pytest.raises(ReadoutError, match=text):
        trajectory.of(readout(own.astype(np.float32)))


def test_coordinates_of_another_unit_are_named():
    with pytest.raises(ReadoutError, match=r"declared normalized, expected -0.5 ... 0.5 on axis 0, got up to"):
        SpiralTrajectory(HEADER, Settings()).of(readout(107 * arm()))


def test_a_third_axis_of_zeros_is_left_out_of_a_2d_scan():
    own = np.hstack([arm(), np.zeros((N, 1), np.float32)])
    trajectory = SpiralTrajectory(HEADER, Settings())
    np.testing.assert_array_equal(trajectory.of(readout(own)), trajectory.of(readout(arm(), line=1)))


def test_three_axes_of_a_3d_encoding():
    own = np.hstack([arm(), np.linspace(-0.5, 0.5, N, dtype=np.float32)[:, None]])
    k = SpiralTrajectory(spiral_header(n_z=10), Settings()).of(readout(own))
    np.testing.assert_array_equal(k, own[:, ::-1].astype(float) * [10, 40, 48])


def test_two_axes_of_a_3d_encoding_are_a_stack():
    k = SpiralTrajectory(spiral_header(n_z=10), Settings()).of(readout(arm(), partition=3))
    np.testing.assert_array_equal(k, arm()[:, ::-1].astype(float) * [40, 48])
    header = spiral_header(n_z=10, partitions=Limits())
    with pytest.raises(ReadoutError, match=r"stack of spirals: expected its partitions in .*kspace_encoding_step_2"):
        SpiralTrajectory(header, Settings()).of(readout(arm()))


def test_the_same_trajectory_is_the_same_array():
    trajectory = SpiralTrajectory(HEADER, Settings())
    first = trajectory.of(readout(arm()))
    assert not trajectory.is_same_as_before
    assert not first.flags.writeable
    assert trajectory.of(readout(arm().copy())) is first
    assert trajectory.is_same_as_before
    # another interleaf that happens to be equal is planned by itself
    assert trajectory.of(readout(arm(), line=1)) is not first
    assert not trajectory.is_same_as_before
    # one of some that alternate
    second = trajectory.of(readout(arm(1.0)))
    assert not trajectory.is_same_as_before
    for _ in range(2):
        assert trajectory.of(readout(arm())) is first
        assert trajectory.is_same_as_before
        assert trajectory.of(readout(arm(1.0))) is second
        assert trajectory.is_same_as_before
    assert trajectory.of(readout(arm(), discard_pre=1)).shape == (N - 1, 2)
    assert not trajectory.is_same_as_before


def test_golden_angles_are_all_new_and_not_all_kept():
    trajectory = SpiralTrajectory(HEADER, Settings())
    turns = 2.399963 * np.arange(20)
    for turn in turns:
        k = trajectory.of(readout(arm(turn)))
        assert not trajectory.is_same_as_before
        np.testing.assert_array_equal(k, arm(turn)[:, ::-1].astype(float) * [40, 48])
    trajectory.of(readout(arm(turns[0])))
    assert not trajectory.is_same_as_before


def file_positions(n_shots, n_axes=2):
    shots = [arm(turn) for turn in range(n_shots)]
    positions = np.stack(shots)[..., ::-1].astype(float)
    return positions if n_axes == 2 else np.concatenate([positions[..., :1] * 0.9, positions], axis=2)


def test_a_file_has_a_shot_for_each_interleaf():
    header = spiral_header(first_line=3, n_lines=4)
    trajectory = SpiralTrajectory(header, Settings(), GivenTrajectory(file_positions(4), "normalized", "t.npz"))
    for line in range(4):
        k = trajectory.of(readout(line=3 + line, discard_pre=2))
        np.testing.assert_array_equal(k, file_positions(4)[line, 2:] * [40, 48])
        assert trajectory.of(readout(line=3 + line, discard_pre=2)) is k
    with pytest.raises(ReadoutError, match=r"idx.kspace_encode_step_1: the trajectory has 4 shots, got line 7"):
        trajectory.of(readout(line=7))
    with pytest.raises(ReadoutError, match="expected 310 or 308 samples as in the data, got 300"):
        trajectory.of(readout(line=3, n=310, discard_pre=2))


def test_the_readouts_own_trajectory_comes_before_the_file_and_the_file_before_the_design():
    given = GivenTrajectory(file_positions(4) / 2, "normalized", "t.npz")
    trajectory = SpiralTrajectory(spiral_header(with_design=True), Settings(), given)
    np.testing.assert_array_equal(trajectory.of(readout(arm())), arm()[:, ::-1].astype(float) * [40, 48])
    np.testing.assert_array_equal(trajectory.of(readout()), file_positions(4)[0] / 2 * [40, 48])


def test_a_3d_file_may_have_all_partitions():
    header = spiral_header(n_z=10, n_lines=2, partitions=Limits(1, 3, 2))
    given = GivenTrajectory(file_positions(6, 3), "normalized", "t.npz")
    k = SpiralTrajectory(header, Settings(), given).of(readout(line=1, partition=2))
    np.testing.assert_array_equal(k, file_positions(6, 3)[3] * [10, 40, 48])
    with pytest.raises(ConfigurationError, match=r"t.npz: expected 2 or 6 shots as encodingLimits counts them, got 4"):
        SpiralTrajectory(header, Settings(), replace(given, positions=file_positions(4, 3)))


@pytest.mark.parametrize(
    ("given", "text"),
    [
        (GivenTrajectory(file_positions(3), "normalized", "t.npz"), "t.npz: expected 4 shots .* got 3"),
        (GivenTrajectory(file_positions(4), "per_cm", "t.npz"), "t.npz: units: expected one of .* got 'per_cm'"),
        (GivenTrajectory(9 * file_positions(4), "normalized", "t.npz"), "t.npz: trajectory: declared normalized"),
        (GivenTrajectory(np.nan * file_positions(4), "per_m", "t.npz"), "t.npz: trajectory: expected finite"),
        (GivenTrajectory(file_positions(4, 3), "normalized", "t.npz"), "t.npz: trajectory: expected zeros on axis z"),
    ],
)
def test_a_file_that_does_not_fit_stops_the_scan(given, text):
    with pytest.raises(ConfigurationError, match=text):
        SpiralTrajectory(HEADER, Settings(), given)


def test_the_design_of_the_header():
    trajectory = SpiralTrajectory(spiral_header(with_design=True), Settings())
    design = header_design(DESIGN)
    n = design.trajectory.shape[1]
    for line in (0, 3):
        # the readout may end before the design, or go on after it where that is discarded
        k = trajectory.of(readout(n=n - 20, line=line, discard_pre=3, sample_time=4e-6))
        np.testing.assert_allclose(k, design.trajectory[line, 3 : n - 20] * 0.24, rtol=1e-12)
        k = trajectory.of(readout(n=n + 20, line=line, discard_post=20))
        np.testing.assert_allclose(k, design.trajectory[line] * 0.24, rtol=1e-12)
    with pytest.raises(ReadoutError, match=f"trajectoryDescription ends after {n} samples, got {n + 20} that are not"):
        trajectory.of(readout(n=n + 20))
    with pytest.raises(ReadoutError, match="sample_time_us: expected 4 as SamplingTime_ns says, got 5"):
        trajectory.of(readout(n=n, sample_time=5e-6))
    with pytest.raises(ReadoutError, match="the trajectory has 4 shots, got line 4"):
        trajectory.of(readout(n=n, line=4))


def with_krmax(krmax):
    return spiral_header(spiral=SpiralParameters(design=replace(DESIGN, krmax_per_cm=krmax)))


def test_a_design_may_end_a_rounding_error_beyond_the_edge():
    # half a cycle per pixel of 6 mm is 0.83333 per cm
    trajectory = SpiralTrajectory(with_krmax(0.833367), Settings())
    n = header_design(replace(DESIGN, krmax_per_cm=0.833367)).trajectory.shape[1]
    assert np.abs(trajectory.of(readout(n=n))[:, 0]).max() <= 20 * (1 + 1e-9)
    with pytest.raises(ScanHeaderError, match=r"krmax_per_cm: expected at most half a cycle per pixel .* got 0.9, 1.0"):
        SpiralTrajectory(with_krmax(0.9), Settings())


def test_a_design_that_cannot_be_made_stops_the_scan():
    spiral = SpiralParameters(design=replace(DESIGN, fov_coefficients_cm=(20.0, -60.0)))
    with pytest.raises(ScanHeaderError, match=r"encoding.trajectoryDescription: field of view: expected positive"):
        SpiralTrajectory(spiral_header(spiral=spiral), Settings())


def test_no_trajectory_anywhere_names_the_three_places():
    trajectory = SpiralTrajectory(HEADER, Settings())
    with pytest.raises(
        ScanHeaderError, match=r"each readout \(traj\), in a file \(--trajectory\), .*HargreavesVDS2000"
    ):
        trajectory.of(readout())
    trajectory.of(readout(arm()))
    with pytest.raises(ReadoutError, match="expected one in the readout as in those before, got none"):
        trajectory.of(readout())


def test_sample_times_are_counted_from_the_echo():
    trajectory = SpiralTrajectory(HEADER, Settings())
    times = trajectory.sample_times(readout(n=20, center_sample=6, discard_pre=2, discard_post=3, sample_time=4e-6))
    np.testing.assert_allclose(times, 4e-6 * (np.arange(2, 17) - 6), rtol=1e-12)
    assert np.all(np.isnan(trajectory.sample_times(readout(n=20))))
    designed = SpiralTrajectory(spiral_header(with_design=True), Settings())
    np.testing.assert_allclose(designed.sample_times(readout(n=20)), 4e-6 * np.arange(20), rtol=1e-12)
    assert designed.sample_times(readout(n=20)) is designed.sample_times(readout(n=20))


LATE = {"gradient_delay_read_us": 8.0, "gradient_delay_phase_us": -4.0}


@pytest.mark.parametrize(
    ("settings", "delays"), [(LATE, (0.0, 0.0, 0.0)), ({}, (8e-6, -4e-6, 0.0)), (LATE, (1e-6, 1e-6, 0.0))]
)
def test_delays_of_the_settings_stand_above_those_of_the_header(settings, delays):
    header = spiral_header(spiral=SpiralParameters(gradient_delays=delays))
    k = SpiralTrajectory(header, Settings(**settings)).of(readout(arm(), sample_time=4e-6))
    asked = arm()[:, ::-1].astype(float) * [40, 48]
    # two samples later on x, one earlier on y; the curve beyond the ends is only continued
    np.testing.assert_allclose(k[20:-20, 1], asked[18:-22, 1], atol=1e-5)
    np.testing.assert_allclose(k[20:-20, 0], asked[21:-19, 0], atol=1e-5)


def test_a_delay_on_the_slice_axis():
    own = np.hstack([arm(), 0.9 * arm()[:, :1]])
    k = SpiralTrajectory(spiral_header(n_z=10), Settings(gradient_delay_slice_us=4.0)).of(
        readout(own, sample_time=4e-6)
    )
    asked = own[:, ::-1].astype(float) * [10, 40, 48]
    np.testing.assert_allclose(k[20:-20, 0], asked[19:-21, 0], atol=1e-5)
    # sums of differences
    np.testing.assert_allclose(k[:, 1:], asked[:, 1:], atol=1e-10)


def test_delays_need_a_sample_time():
    with pytest.raises(ReadoutError, match="sample_time_us: needed for gradient delays and GIRF_kernel, got 0"):
        SpiralTrajectory(HEADER, Settings(**LATE)).of(readout(arm()))


def test_a_delay_may_push_the_end_out_of_k_space():
    with pytest.raises(ReadoutError, match=r"declared cycles_per_fov, expected -24 ... 24 on axis 1"):
        SpiralTrajectory(HEADER, Settings(gradient_delay_read_us=-90.0)).of(readout(arm(reach=0.54), sample_time=4e-6))


@pytest.mark.parametrize(
    ("directions", "slow"),
    [
        ({}, "x"),
        ({"read_dir": (0.0, 1.0, 0.0), "phase_dir": (-1.0, 0.0, 0.0)}, "y"),
        ({"read_dir": (0.0, -1.0, 0.0), "phase_dir": (0.0, 0.0, 1.0), "slice_dir": (-1.0, 0.0, 0.0)}, "none"),
    ],
)
def test_the_response_is_that_of_coils(directions, slow):
    # coil X comes 8 us late, the others at once
    frequencies = (np.arange(512) - 256) / (512 * 2e-6)
    kernel = np.stack([np.exp(-2j * np.pi * frequencies * 8e-6), np.ones(512), np.ones(512)], axis=1)
    header = spiral_header(spiral=SpiralParameters(gradient_response=GradientResponse(kernel, 2e-6)))
    k = SpiralTrajectory(header, Settings()).of(readout(arm(), sample_time=4e-6, **directions))
    asked = arm()[:, ::-1].astype(float) * [40, 48]
    for axis, name in enumerate("yx"):
        shift = 2 if name == slow else 0
        # the table of the response is linear between its frequencies
        np.testing.assert_allclose(k[40:-40, axis], asked[40 - shift : -40 - shift, axis], atol=0.02)
    assert np.abs(asked[42:] - asked[40:-2]).max() > 0.3


def test_a_response_needs_directions():
    kernel = np.ones((16, 3), np.complex128)
    header = spiral_header(spiral=SpiralParameters(gradient_response=GradientResponse(kernel, 1e-5)))
    none = dict.fromkeys(("read_dir", "phase_dir", "slice_dir"), (0.0, 0.0, 0.0))
    with pytest.raises(ReadoutError, match="directions: expected orthogonal unit vectors"):
        SpiralTrajectory(header, Settings()).of(readout(arm(), sample_time=4e-6, **none))


@pytest.mark.parametrize("source", ["readout", "file", "header"])
def test_an_object_appears_where_it_is(source):
    """An ellipse at positive x and less positive y, at samples taken along what each source says."""
    design = header_design(replace(DESIGN, krmax_per_cm=0.83))
    per_mm = design.trajectory / 1000
    ellipse = Ellipse(50, 20, 30, 15, 0.3)
    samples = ellipse_kspace(ellipse, per_mm[..., 0], per_mm[..., 1]).astype(np.complex64)
    n = samples.shape[1]
    header, given = with_units("per_m"), None
    if source == "file":
        header, given = HEADER, GivenTrajectory(design.trajectory, "per_m", "t.npz")
    elif source == "header":
        header = with_krmax(0.83)
    trajectory = SpiralTrajectory(header, Settings(), given)
    own = [design.trajectory[i, :, ::-1].astype(np.float32) if source == "readout" else None for i in range(4)]
    k = np.stack([trajectory.of(readout(own[i], n=n, line=i)) for i in range(4)])
    weights = pipe_menon_weights(k, (40, 48))
    image = np.abs(NufftPlan(k, (40, 48)).adjoint((samples * weights).astype(np.complex64)))
    rows, columns = np.indices(image.shape)
    inside = image > image.max() / 2
    # pixels of 6 and 5 mm counted from n // 2; to a quarter of a pixel
    assert (rows[inside].mean() - 20) * 6 == pytest.approx(20, abs=1.5)
    assert (columns[inside].mean() - 24) * 5 == pytest.approx(50, abs=1.25)
