"""The corrected transform against the sums themselves, and against images of objects that are known on paper."""

import numpy as np
import pytest
from reference.nufft import relative_error
from reference.off_resonance import off_resonance_matrix, smooth_field
from reference.trajectories import complex_noise, scattered, spiral

from perfline.recon.errors import InputError
from perfline.recon.lanes.vector import lanes_available
from perfline.recon.nufft import IncrementalAdjoint, NufftPlan, OffResonancePlan, off_resonance_plans
from perfline.recon.nufft.density import pipe_menon_weights
from perfline.recon.nufft.field_map import field_map_from_echoes
from perfline.recon.phantom.ellipsoids import Ellipse, ellipse_kspace, inside_ellipse

MATRIX = (18, 22)
TRAJECTORY = spiral(3, 150, MATRIX)
TIMES = np.linspace(-0.002, 0.018, 150)
FIELD = smooth_field(MATRIX)
PATHS = ["portable", pytest.param("wide", marks=pytest.mark.skipif(not lanes_available(), reason="no wide registers"))]


def dense_adjoint(samples, trajectory, times, field_map):
    """Images of samples (..., n_shots, n_samples)."""
    matrix = off_resonance_matrix(trajectory, times, field_map)
    n_batch = samples.ndim - 2
    return (samples.reshape(*samples.shape[:n_batch], -1) @ matrix.conj()).reshape(
        *samples.shape[:n_batch], *field_map.shape
    )


def dense_forward(images, trajectory, times, field_map):
    """Samples of images (..., *matrix)."""
    matrix = off_resonance_matrix(trajectory, times, field_map)
    batch = images.shape[: images.ndim - field_map.ndim]
    return (images.reshape(*batch, -1) @ matrix.T).reshape(*batch, *trajectory.shape[:2])


def some_weights(shape):
    return np.random.default_rng(1).uniform(0.1, 1, shape).astype(np.float32)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("n_threads", [1, 2])
@pytest.mark.parametrize("n_coils", [3, 37])
@pytest.mark.parametrize("linear_shim", [False, True])
def test_adjoint_and_forward_are_the_sums(path, n_threads, n_coils, linear_shim):
    plan = NufftPlan(TRAJECTORY, MATRIX, 1e-4, n_threads, path)
    corrected = OffResonancePlan(plan, TIMES, FIELD, max_error=1e-4, linear_shim=linear_shim)
    samples, weights = complex_noise(0, (n_coils, 3, 150)), some_weights((3, 150))
    wanted = dense_adjoint(samples * weights, TRAJECTORY, TIMES, FIELD)
    # tolerance of the plan and error of the segments
    assert relative_error(corrected.adjoint(samples, weights), wanted) < 2e-4
    images = complex_noise(2, (n_coils, *MATRIX))
    wanted = dense_forward(images, TRAJECTORY, TIMES, FIELD)
    assert relative_error(corrected.forward(images), wanted) < 2e-4
    # without the correction nothing fits
    assert relative_error(plan.forward(images), wanted) > 0.5


def test_three_dimensions_and_no_weights():
    matrix = (6, 9, 10)
    trajectory, field_map = scattered(2, 90, matrix), smooth_field(matrix)
    plan = OffResonancePlan(NufftPlan(trajectory, matrix, 1e-4), TIMES[:90], field_map, max_error=1e-4)
    samples = complex_noise(0, (2, 3, 2, 90))
    wanted = dense_adjoint(samples, trajectory, TIMES[:90], field_map)
    assert relative_error(plan.adjoint(samples), wanted) < 2e-4
    images = complex_noise(1, (2, 3, *matrix))
    assert relative_error(plan.forward(images), dense_forward(images, trajectory, TIMES[:90], field_map)) < 2e-4


@pytest.mark.parametrize("max_error", [1e-1, 1e-2, 1e-3])
def test_error_of_the_image_is_the_one_promised(max_error):
    plan = NufftPlan(TRAJECTORY, MATRIX, 1e-6)
    corrected = OffResonancePlan(plan, TIMES, FIELD, max_error=max_error)
    samples = complex_noise(0, (8, 3, 150))
    error = relative_error(corrected.adjoint(samples), dense_adjoint(samples, TRAJECTORY, TIMES, FIELD))
    # `max_error` is that of the worst sample
    assert max_error / 30 < error < max_error


def test_adjoint_is_the_adjoint_of_forward():
    corrected = OffResonancePlan(NufftPlan(TRAJECTORY, MATRIX), TIMES, FIELD, n_segments=3)
    image, samples = complex_noise(1, MATRIX), complex_noise(2, (3, 150))
    left, right = np.vdot(samples, corrected.forward(image)), np.vdot(corrected.adjoint(samples), image)
    # rounding of single precision, whatever the error of the segments
    assert abs(left - right) < 2e-6 * np.linalg.norm(samples) * np.linalg.norm(corrected.forward(image))


def test_no_off_resonance_is_the_plain_transform():
    plan = NufftPlan(TRAJECTORY, MATRIX)
    corrected = OffResonancePlan(plan, TIMES, np.zeros(MATRIX, np.float32))
    samples = complex_noise(0, (4, 3, 150))
    assert corrected.segments.n_segments == 1
    # rounding of single precision
    assert relative_error(corrected.adjoint(samples), plan.adjoint(samples)) < 1e-6


def test_shim_needs_fewer_segments_and_may_do_all():
    plan = NufftPlan(TRAJECTORY, MATRIX)
    y, x = np.meshgrid(*(np.arange(n) - n // 2 for n in MATRIX), indexing="ij")
    field_map = (30 + 4 * y - 3 * x).astype(np.float32)
    numbers = [
        OffResonancePlan(plan, TIMES, field_map, linear_shim=linear_shim).segments.n_segments
        for linear_shim in (False, True)
    ]
    assert numbers[0] > 6
    assert numbers[1] == 1


def test_given_arrays_are_used_and_samples_stay():
    corrected = OffResonancePlan(NufftPlan(TRAJECTORY, MATRIX), TIMES, FIELD)
    samples = complex_noise(0, (5, 3, 150))
    before, images = samples.copy(), corrected.empty_images(5)
    assert corrected.adjoint(samples, out=images) is images
    np.testing.assert_array_equal(samples, before)
    wanted = images.copy()
    # a second call finds no trace of the first
    corrected.adjoint(complex_noise(1, (40, 3, 150)))
    np.testing.assert_array_equal(corrected.adjoint(samples, out=images), wanted)
    out = np.empty((5, 3, 150), np.complex64)
    assert corrected.forward(images, out=out) is out
    np.testing.assert_array_equal(images, wanted)


@pytest.mark.parametrize("path", PATHS)
def test_interleaves_on_arrival(path):
    plan = NufftPlan(TRAJECTORY, MATRIX, 1e-3, path=path)
    corrected = OffResonancePlan(plan, TIMES, FIELD)
    samples, weights = complex_noise(0, (2, 5, 3, 150)), some_weights((3, 150))
    incremental = IncrementalAdjoint(corrected, (2, 5), weights)
    for shot in (2, 0, 1):
        incremental.add(shot, samples[:, :, shot])
    # the same sums in another order
    assert relative_error(incremental.finish(), corrected.adjoint(samples, weights)) < 2e-6


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("linear_shim", [False, True])
def test_normal_operator_is_the_sums(path, linear_shim):
    plan = NufftPlan(TRAJECTORY, MATRIX, 1e-2, path=path)
    corrected = OffResonancePlan(plan, TIMES, FIELD, max_error=1e-4, linear_shim=linear_shim)
    weights, images = some_weights((3, 150)), complex_noise(0, (2, 3, *MATRIX))
    samples = dense_forward(images, TRAJECTORY, TIMES, FIELD) * weights
    wanted = dense_adjoint(samples, TRAJECTORY, TIMES, FIELD)
    # error of the segments, not of the plan
    assert relative_error(corrected.normal_operator(weights)(images), wanted) < 1e-4
    coarse = corrected.normal_operator(weights, 1e-2)
    assert coarse.n_segments < corrected.normal_operator(weights).n_segments
    assert 1e-4 < relative_error(coarse(images), wanted) < 1e-2


def test_normal_operator_of_a_volume():
    matrix = (5, 8, 7)
    trajectory, field_map = scattered(2, 90, matrix), smooth_field(matrix)
    corrected = OffResonancePlan(NufftPlan(trajectory, matrix), TIMES[:90], field_map)
    image = complex_noise(0, matrix)
    wanted = dense_adjoint(dense_forward(image, trajectory, TIMES[:90], field_map), trajectory, TIMES[:90], field_map)
    # error of the segments
    assert relative_error(corrected.normal_operator()(image), wanted) < 1e-3


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("n_threads", [1, 2])
def test_normal_operator_of_many_coils(path, n_threads):
    plan = NufftPlan(TRAJECTORY, MATRIX, path=path, n_threads=n_threads)
    normal = OffResonancePlan(plan, TIMES, FIELD).normal_operator()
    maps, image = complex_noise(1, (19, *MATRIX)), complex_noise(2, MATRIX)
    wanted = np.sum(maps.conj() * normal(maps * image), axis=0)
    sense = normal.with_maps(maps)
    out = np.empty_like(image)
    assert sense(image, out=out) is out
    # the same sums in another order
    assert relative_error(out, wanted) < 1e-6
    # Hermitian up to rounding
    other = complex_noise(3, MATRIX)
    assert abs(np.vdot(other, out) - np.vdot(sense(other), image)) < 1e-6 * np.linalg.norm(other) * np.linalg.norm(out)


def test_slices_share_segments_and_convolutions():
    plan = NufftPlan(TRAJECTORY, MATRIX, 1e-4)
    field_maps = np.stack([FIELD, -0.5 * FIELD[::-1]])
    plans = off_resonance_plans(plan, TIMES, field_maps, max_error=1e-4)
    assert plans[0].segments is plans[1].segments
    samples, weights = complex_noise(0, (4, 3, 150)), some_weights((3, 150))
    for corrected, field_map in zip(plans, field_maps, strict=True):
        wanted = dense_adjoint(samples, TRAJECTORY, TIMES, field_map)
        # pixels of a slice may be rarer than those of the other, and so less exact
        assert relative_error(corrected.adjoint(samples), wanted) < 3e-4
        image = complex_noise(1, MATRIX)
        wanted = dense_forward(image, TRAJECTORY, TIMES, field_map) * weights
        normal = corrected.normal_operator(weights)
        assert relative_error(normal(image), dense_adjoint(wanted, TRAJECTORY, TIMES, field_map)) < 3e-4
    assert plans[0].normal_operator(weights)._normals is normal._normals
    assert plans[0].normal_operator()._normals is not normal._normals


def test_noise_in_the_air_costs_nothing():
    plan = NufftPlan(TRAJECTORY, MATRIX)
    mask = np.zeros(MATRIX, bool)
    mask[3:15, 4:19] = True
    noisy = np.where(mask, FIELD, np.random.default_rng(0).uniform(-300, 300, MATRIX)).astype(np.float32)
    clean = OffResonancePlan(plan, TIMES, noisy, mask=mask)
    assert clean.segments.n_segments < OffResonancePlan(plan, TIMES, noisy).segments.n_segments - 5
    samples = complex_noise(0, (3, 150))
    wanted = dense_adjoint(samples, TRAJECTORY, TIMES, FIELD)[mask]
    # tolerance of the plan and error of the segments, at few pixels
    assert relative_error(clean.adjoint(samples)[mask], wanted) < 2e-3
    slices = off_resonance_plans(plan, TIMES, noisy[None], masks=mask[None])
    np.testing.assert_array_equal(slices[0].adjoint(samples), clean.adjoint(samples))


# --- images of objects that are known on paper -----------------------------------------------------------------------

FIELD_OF_VIEW = 220.0
IMAGE_MATRIX = (60, 72)
N_SAMPLES = 6000
ECHO_DIFFERENCE = 0.0025
READOUT = np.linspace(0, 0.02, N_SAMPLES)


def single_shot():
    """A spiral that covers the ellipse of k-space in 20 ms."""
    t = np.linspace(0, 1, N_SAMPLES) ** 0.6
    angle = 2 * np.pi * 40 * t
    y, x = (t / 2 * wave * n for wave, n in zip((np.sin(angle), np.cos(angle)), IMAGE_MATRIX, strict=True))
    return np.stack([y, x], axis=-1)[None]


def positions(matrix):
    """Pixel centres [mm]."""
    axes = [(np.arange(n) - n // 2) * FIELD_OF_VIEW / n for n in matrix]
    return np.meshgrid(*axes, indexing="ij")


@pytest.fixture(scope="module")
def plan_and_weights():
    trajectory = single_shot()
    return NufftPlan(trajectory, IMAGE_MATRIX, 1e-4), pipe_menon_weights(trajectory, IMAGE_MATRIX)


OBJECTS = (
    (Ellipse(-45.0, -45.0, 40.0, 45.0, 0.2), 1.0, 60.0),
    (Ellipse(50.0, -40.0, 35.0, 45.0), 1.5, -40.0),
    (Ellipse(0.0, 55.0, 70.0, 35.0), 0.7, 100.0),
)
"""Shape, height and frequency [Hz] of ellipses apart from each other."""


def test_objects_of_their_own_frequencies(plan_and_weights):
    plan, weights = plan_and_weights
    k_y, k_x = np.moveaxis(plan.trajectory, -1, 0) / FIELD_OF_VIEW
    scale = np.sqrt(np.prod(IMAGE_MATRIX)) / FIELD_OF_VIEW**2
    terms = [height * scale * ellipse_kspace(shape, k_y, k_x) for shape, height, _ in OBJECTS]
    on = sum(terms).astype(np.complex64)
    phases = [np.exp(2j * np.pi * frequency * READOUT) for *_, frequency in OBJECTS]
    off = sum(term * phase for term, phase in zip(terms, phases, strict=True)).astype(np.complex64)
    y, x = positions(IMAGE_MATRIX)
    distances = [
        ((y - shape.y) / shape.semi_axis_y) ** 2 + ((x - shape.x) / shape.semi_axis_x) ** 2 for shape, *_ in OBJECTS
    ]
    field_map = np.array([frequency for *_, frequency in OBJECTS], np.float32)[np.argmin(distances, axis=0)]
    inside = np.any([inside_ellipse(shape, y, x) for shape, *_ in OBJECTS], axis=0)
    wanted = plan.adjoint(on, weights)[inside]
    corrected = OffResonancePlan(plan, READOUT, field_map).adjoint(off, weights)[inside]
    # an object reaches into the others with its far side lobes, which have the wrong frequency there
    assert relative_error(corrected, wanted) < 0.03
    assert relative_error(plan.adjoint(off, weights)[inside], wanted) > 0.2
    wrong_sign = OffResonancePlan(plan, READOUT, -field_map).adjoint(off, weights)[inside]
    assert relative_error(wrong_sign, wanted) > 0.3


def smooth_frequencies(matrix):
    """Two bumps and a slope, -45 to 80 Hz, of a head [Hz]."""
    y, x = positions(matrix)
    bumps = 80 * np.exp(-((y - 50) ** 2 + (x - 10) ** 2) / 2450) - 50 * np.exp(-((y + 50) ** 2 + (x - 40) ** 2) / 3200)
    return (bumps + 0.15 * x).astype(np.float32)


@pytest.fixture(scope="module")
def signals(plan_and_weights):
    """On resonance, off resonance, and a second echo of this, of a head on a raster four times as fine as the image."""
    trajectory = plan_and_weights[0].trajectory
    fine = tuple(4 * n for n in IMAGE_MATRIX)
    y, x = positions(fine)
    head = np.zeros(fine, np.complex64)
    for shape, height in (
        (Ellipse(0.0, 0.0, 80.0, 100.0), 1.0),
        (Ellipse(0.0, 45.0, 50.0, 30.0, 0.3), 1.6),
        (Ellipse(-30.0, -40.0, 25.0, 35.0, 0.2), 0.4),
        (Ellipse(35.0, -30.0, 20.0, 25.0), 1.3),
    ):
        head[inside_ellipse(shape, y, x)] = height
    plan = NufftPlan(trajectory, fine, 1e-5)
    field_map = smooth_frequencies(fine)
    second = head * np.exp(2j * np.pi * field_map * ECHO_DIFFERENCE).astype(np.complex64)
    off = OffResonancePlan(plan, READOUT, field_map, max_error=1e-5).forward(np.stack([head, second]))
    return plan.forward(head) / 4, off[0] / 4, off[1] / 4


@pytest.mark.parametrize("linear_shim", [False, True])
def test_conjugate_phase_of_a_head(plan_and_weights, signals, linear_shim):
    plan, weights = plan_and_weights
    on, off, _ = signals
    wanted = plan.adjoint(on, weights)
    corrected = OffResonancePlan(plan, READOUT, smooth_frequencies(IMAGE_MATRIX), linear_shim=linear_shim)
    # the conjugate phase leaves the density of k-space as the gradient of the field changes it
    assert relative_error(corrected.adjoint(off, weights), wanted) < 0.06
    assert relative_error(plan.adjoint(off, weights), wanted) > 0.12


def test_iterations_do_better_than_the_conjugate_phase(plan_and_weights, signals):
    plan, weights = plan_and_weights
    on, off, _ = signals
    corrected = OffResonancePlan(plan, READOUT, smooth_frequencies(IMAGE_MATRIX))
    wanted = least_squares(plan.normal_operator(weights), plan.adjoint(on, weights))
    image = corrected.adjoint(off, weights)
    iterated = least_squares(corrected.normal_operator(weights), image)
    # what the fine raster has beyond k-space
    assert relative_error(iterated, wanted) < 0.04
    assert relative_error(iterated, wanted) < 0.8 * relative_error(image, plan.adjoint(on, weights))


def test_map_from_two_echoes_serves_as_well(plan_and_weights, signals):
    plan, weights = plan_and_weights
    on, *echoes = signals
    wanted, true_map = plan.adjoint(on, weights), smooth_frequencies(IMAGE_MATRIX)
    head = np.abs(wanted) > 0.3
    images = [plan.adjoint(echo[None], weights) for echo in echoes]
    first_map = field_map_from_echoes(*images, ECHO_DIFFERENCE)
    first = OffResonancePlan(plan, READOUT, first_map)
    again = [first.adjoint(echo[None], weights) for echo in echoes]
    second_map = field_map_from_echoes(*again, ECHO_DIFFERENCE)
    image = OffResonancePlan(plan, READOUT, second_map).adjoint(echoes[0], weights)
    first_error, second_error = (np.std((one - true_map)[head]) for one in (first_map, second_map))
    # hertz: the map of the smoothed image against that of the pixels
    assert second_error < first_error < 1
    # as with the true map
    assert relative_error(image, wanted) < 0.06


def least_squares(normal, right_side, n_iterations=15):
    """Conjugate gradients from zero."""
    image = np.zeros_like(right_side)
    rest, direction = right_side.copy(), right_side.copy()
    power = np.vdot(rest, rest).real
    for _ in range(n_iterations):
        turned = normal(direction)
        step = power / np.vdot(direction, turned).real
        image += step * direction
        rest -= step * turned
        before, power = power, np.vdot(rest, rest).real
        direction = rest + power / before * direction
    return image


# --- bad input -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"times": TIMES[1:]}, r"times: expected \(150,\), got \(149,\)"),
        ({"times": TIMES * np.inf}, r"times: expected finite values"),
        ({"field_map": FIELD.T.copy()}, r"field_map: expected \(18, 22\), got \(22, 18\)"),
        ({"field_map": FIELD.astype(float)}, r"field_map: expected float32, got float64"),
        ({"field_map": FIELD * np.float32(np.nan)}, r"field_map: expected finite values, got 396"),
        ({"n_segments": 0}, r"n_segments: expected 1 to 64, got 0"),
        ({"max_error": -1.0}, r"max_error: expected a positive number, got -1"),
        ({"mask": np.ones(MATRIX)}, r"mask: expected bool, got float64"),
        ({"mask": np.ones(MATRIX[::-1], bool)}, r"mask: expected \(18, 22\), got \(22, 18\)"),
        ({"mask": np.zeros(MATRIX, bool)}, r"mask: expected at least one pixel, got none"),
        ({"field_map": FIELD * np.float32(100)}, r"Hz over a readout of 0.02 s needs more than 64 segments"),
    ],
)
def test_bad_arguments_are_refused(change, message):
    arguments = {"times": TIMES, "field_map": FIELD, **change}
    with pytest.raises(InputError, match=message):
        OffResonancePlan(NufftPlan(TRAJECTORY, MATRIX), **arguments)


def test_bad_arrays_are_refused():
    plan = NufftPlan(TRAJECTORY, MATRIX)
    corrected = OffResonancePlan(plan, TIMES, FIELD)
    samples, image = np.zeros((3, 150), np.complex64), np.zeros(MATRIX, np.complex64)
    with pytest.raises(InputError, match=r"samples: expected \(..., 3, 150\), got \(150, 3\)"):
        corrected.adjoint(samples.T)
    with pytest.raises(InputError, match=r"samples: expected complex64, got complex128"):
        corrected.adjoint(samples.astype(complex))
    with pytest.raises(InputError, match=r"weights: expected float32 \(3, 150\), got float64 \(3, 150\)"):
        corrected.adjoint(samples, np.ones((3, 150)))
    with pytest.raises(InputError, match=r"out: expected writeable C-contiguous complex64 \(18, 22\)"):
        corrected.adjoint(samples, out=np.empty(MATRIX[::-1], np.complex64).T)
    with pytest.raises(InputError, match=r"image: expected \(..., 18, 22\), got \(22, 18\)"):
        corrected.forward(image.T)
    with pytest.raises(InputError, match=r"out: expected writeable C-contiguous complex64 \(3, 150\)"):
        corrected.forward(image, out=np.empty((3, 149), np.complex64))
    with pytest.raises(InputError, match=r"weights: expected \(3, 150\), got \(450,\)"):
        corrected.normal_operator(np.ones(450, np.float32))
    with pytest.raises(InputError, match=r"weights: expected float32, got float64"):
        corrected.normal_operator(np.ones((3, 150)))
    with pytest.raises(InputError, match=r"field_maps: expected \(n_slices, 18, 22\), got \(18, 22\)"):
        off_resonance_plans(plan, TIMES, FIELD)


def test_bad_images_of_the_normal_operator_are_refused():
    normal = OffResonancePlan(NufftPlan(TRAJECTORY, MATRIX), TIMES, FIELD).normal_operator()
    image = np.zeros(MATRIX, np.complex64)
    with pytest.raises(InputError, match=r"image: expected complex64 \(..., 18, 22\), got complex64 \(22, 18\)"):
        normal(image.T)
    with pytest.raises(InputError, match=r"out: expected C-contiguous complex64 \(18, 22\), got complex128"):
        normal(image, out=image.astype(complex))
    with pytest.raises(InputError, match=r"out: expected an array apart from image"):
        normal(image, out=image)
    sense = normal.with_maps(np.ones((4, *MATRIX), np.complex64))
    with pytest.raises(InputError, match=r"image: expected \(18, 22\), got \(4, 18, 22\)"):
        sense(np.zeros((4, *MATRIX), np.complex64))
    with pytest.raises(InputError, match=r"out: expected an array apart from image"):
        sense(image, out=image)
    with pytest.raises(InputError, match=r"maps: expected complex64 \(..., n_coils, 18, 22\)"):
        normal.with_maps(image)
