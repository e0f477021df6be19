from pathlib import Path

import numpy as np
import pytest
from analytic_objects import head_lines
from reference import ghost as reference
from reference import ghost_level as reference_level

from perfline.recon.epi.ghost import apply_ghost_phase, estimate_from_lines, estimate_from_navigators
from perfline.recon.epi.ghost_level import ghost_level
from perfline.recon.epi.ghost_phase import GhostPhase
from perfline.recon.epi.phase_encoding import make_phase_operator
from perfline.recon.epi.ramp import make_readout_operator, readout_positions
from perfline.recon.errors import InputError
from perfline.recon.fourier import centred_positions
from perfline.recon.parameters import ImageAxis, TrapezoidReadout

MICRO = 1e-6
N_X, N_Y, N_COILS = 48, 40, 3
DELAY, CONSTANT = 0.35, 0.25
SLOPE = -2 * np.pi * DELAY / N_X
"""Reversed lines at k + delay / 2, forward ones at k - delay / 2: exp(-2 pi i delay x / n) between them."""


def ghosted_lines(
    ky: np.ndarray, is_reversed: np.ndarray, n_coils: int = N_COILS, drift: float = 0.0, decay: float = 0.0
) -> np.ndarray:
    """Regridded lines of the head, sampled on ramps, with delay and constant phase between the polarities.

    Line j in time has the additional phase ``drift j`` and the amplitude ``exp(-decay j)``.
    """
    trapezoid = TrapezoidReadout(160 * MICRO, 240 * MICRO, 160 * MICRO, 32 * MICRO, 496 / 96 * MICRO, 96, 48.0)
    k = readout_positions(trapezoid, N_X)
    operator = make_readout_operator(k, ImageAxis(N_X, 220.0, N_X, 220.0))
    lines = np.empty((len(ky), n_coils, N_X), np.complex64)
    for j, (y, reverse) in enumerate(zip(ky, is_reversed, strict=True)):
        sign = 1 if reverse else -1
        at = sign * DELAY / 2 + (-k if reverse else k)
        factor = np.exp(1j * (sign * CONSTANT / 2 + drift * j) - decay * j)
        samples = (factor * head_lines(at, y, n_coils)).astype(np.complex64)
        lines[j] = samples @ (operator.reversed if reverse else operator.forward)
    return lines


@pytest.fixture(scope="module")
def scan() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    numbers = np.arange(N_Y)
    is_reversed = numbers % 2 == 1
    return ghosted_lines(numbers - N_Y // 2, is_reversed), numbers, is_reversed


def noisy(lines: np.ndarray, share: float, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    noise = rng.standard_normal(lines.shape) + 1j * rng.standard_normal(lines.shape)
    return (lines + share * np.abs(lines).max() * noise).astype(np.complex64)


def random_lines(n_lines: int, n_coils: int, n_x: int) -> np.ndarray:
    rng = np.random.default_rng(6)
    shape = (n_lines, n_coils, n_x)
    return (rng.standard_normal(shape) + 1j * rng.standard_normal(shape)).astype(np.complex64)


# navigators


@pytest.mark.parametrize("polarities", [[1, 0, 1], [0, 1, 0], [1, 0, 1, 0], [0, 1]])
def test_navigators_of_ramp_sampled_lines_give_delay_and_constant(polarities):
    flags = np.array(polarities, bool)
    phase = estimate_from_navigators(ghosted_lines(np.zeros(flags.size), flags), flags)
    # a delay moves the band of each polarity by less than a sample: what differs at its edges
    np.testing.assert_allclose(phase.constant, CONSTANT, atol=1e-5)
    np.testing.assert_allclose(phase.slope, SLOPE, atol=1e-5)
    assert phase.weight > 0


@pytest.mark.parametrize("polarities", [[1, 0, 1], [0, 1, 0, 1]])
def test_drift_and_decay_between_navigators_cancel(polarities):
    flags = np.array(polarities, bool)
    phase = estimate_from_navigators(ghosted_lines(np.zeros(flags.size), flags, drift=0.2, decay=0.03), flags)
    np.testing.assert_allclose(phase.constant, CONSTANT, atol=1e-5)
    np.testing.assert_allclose(phase.slope, SLOPE, atol=1e-5)


def test_two_navigators_keep_the_drift():
    flags = np.array([False, True])
    phase = estimate_from_navigators(ghosted_lines(np.zeros(2), flags, drift=0.2), flags)
    np.testing.assert_allclose(phase.constant, CONSTANT + 0.2, atol=1e-5)


def test_navigator_fit_is_the_most_likely_one():
    lines = noisy(ghosted_lines(np.zeros(2), np.array([False, True])), 0.05)
    phase = estimate_from_navigators(lines, [False, True])
    constant, slope = reference.navigator_phase(lines[0], lines[1])
    # the dense search ends at steps of 1e-8; the fit stops after five steps
    np.testing.assert_allclose(phase.constant, constant, atol=1e-4)
    np.testing.assert_allclose(phase.slope, slope, atol=1e-5)


@pytest.mark.parametrize("slope", [0.9, -0.9])
def test_navigators_need_no_unwrapping(slope):
    x = centred_positions(30)
    forward = np.where(np.abs(x) < 11, 1 + 0.02 * x, 0)[None]
    navigators = np.stack([forward, forward * np.exp(1j * (3.0 + slope * x))]).astype(np.complex64)
    phase = estimate_from_navigators(navigators, [0, 1])
    # single precision input
    np.testing.assert_allclose([phase.constant, phase.slope], [3.0, slope], atol=1e-6)


def test_coils_count_by_their_power():
    x = centred_positions(20)
    strong = np.ones((2, 1, 20)) * np.exp(1j * np.array([0, 1])[:, None, None] * (0.3 + 0.02 * x))
    weak = 0.01 * np.ones((2, 1, 20)) * np.exp(1j * np.array([0, 1])[:, None, None] * (-1.3 - 0.2 * x))
    phase = estimate_from_navigators(np.concatenate([strong, weak], axis=1).astype(np.complex64), [0, 1])
    # the weak coil has 1e-4 of the power
    np.testing.assert_allclose([phase.constant, phase.slope], [0.3, 0.02], atol=3e-4)


def test_navigators_without_signal_have_no_weight():
    assert estimate_from_navigators(np.zeros((3, 2, 8), np.complex64), [1, 0, 1]) == GhostPhase(0.0, 0.0, 0.0)


def test_one_bright_pixel_gives_a_constant():
    navigators = np.zeros((2, 1, 8), np.complex64)
    navigators[0, 0, 2], navigators[1, 0, 2] = 1.0, np.exp(0.4j)
    phase = estimate_from_navigators(navigators, [False, True])
    np.testing.assert_allclose([phase.constant, phase.slope], [0.4, 0.0], atol=1e-6)


# lines


def test_lines_alone_give_delay_and_constant(scan):
    lines, numbers, is_reversed = scan
    phase = estimate_from_lines(lines, numbers, is_reversed)
    # ringing of the truncated k-space is moved by the delay too, and biases the measure
    np.testing.assert_allclose(phase.constant, CONSTANT, atol=1e-3)
    np.testing.assert_allclose(phase.slope, SLOPE, atol=1e-4)


def test_estimate_is_the_smallest_summed_magnitude(scan):
    lines, numbers, is_reversed = scan
    dirty = noisy(lines, 0.01)
    phase = estimate_from_lines(dirty, numbers, is_reversed)
    constant, slope = reference.minimise_summed_magnitude(dirty, numbers, is_reversed, (CONSTANT, SLOPE))
    # the twin has no floor under the root
    np.testing.assert_allclose([phase.constant, phase.slope], [constant, slope], atol=2e-4)


def test_start_leads_the_search(scan):
    lines, numbers, is_reversed = scan
    phase = estimate_from_lines(lines, numbers, is_reversed, start=GhostPhase(0.1, SLOPE + 0.01, 1.0))
    np.testing.assert_allclose([phase.constant, phase.slope], [CONSTANT, SLOPE], atol=1e-3)
    # alternating lines know the constant modulo pi
    turned = estimate_from_lines(lines, numbers, is_reversed, start=GhostPhase(CONSTANT - np.pi + 0.2, SLOPE, 1.0))
    np.testing.assert_allclose(turned.constant, CONSTANT - np.pi, atol=1e-3)


def test_search_stays_in_its_range(scan):
    lines, numbers, is_reversed = scan
    phase = estimate_from_lines(lines, numbers, is_reversed, constant_range=0.1, slope_range=0.01)
    assert phase.constant == 0.1
    assert phase.slope == -0.01


def test_one_coil_partial_fourier_and_undersampling_are_no_obstacle():
    numbers = np.arange(1, 26) * 2
    is_reversed = np.arange(25) % 2 == 0
    # 3/4 of k-space, every line in units of its own spacing: the head of half the field of view
    lines = ghosted_lines((numbers - 34) / 2, is_reversed, n_coils=1)
    phase = estimate_from_lines(lines, numbers, is_reversed)
    # zero filling blurs the image and its ghost
    np.testing.assert_allclose([phase.constant, phase.slope], [CONSTANT, SLOPE], atol=0.02)


def test_lines_without_signal_have_no_weight():
    assert estimate_from_lines(np.zeros((4, 2, 6), np.complex64), np.arange(4), [0, 1, 0, 1]).weight == 0


def test_offset_carries_over_to_other_navigators(scan):
    lines, numbers, is_reversed = scan
    measured = GhostPhase(CONSTANT - 0.1, SLOPE + 0.004, 1.0)
    offset = estimate_from_lines(lines, numbers, is_reversed, start=measured).minus(measured)
    np.testing.assert_allclose([offset.constant, offset.slope], [0.1, -0.004], atol=1e-3)
    later = GhostPhase(3.1, 0.0, 5.0).plus(offset)
    assert -np.pi < later.constant <= np.pi
    np.testing.assert_allclose(later.constant, 3.1 + offset.constant - 2 * np.pi, atol=1e-9)
    assert later.weight == 5.0


# application


def test_apply_takes_half_from_each_polarity():
    lines = random_lines(5, 2, 7)
    flags = np.array([False, True, True, False, True])
    kept = lines.copy()
    corrected = apply_ghost_phase(lines, flags, GhostPhase(0.7, -0.2))
    # single precision
    np.testing.assert_allclose(corrected, reference.apply_phase(kept, flags, 0.7, -0.2), atol=2e-6)
    np.testing.assert_array_equal(lines, kept)


def test_apply_in_place_and_from_read_only_or_strided_lines():
    lines = random_lines(4, 2, 6)
    flags = [False, True, False, True]
    expected = apply_ghost_phase(lines, flags, GhostPhase(0.3, 0.1))
    strided = np.ascontiguousarray(lines.transpose(2, 0, 1)).transpose(1, 2, 0)
    np.testing.assert_array_equal(apply_ghost_phase(strided, flags, GhostPhase(0.3, 0.1)), expected)
    frozen = lines.copy()
    frozen.flags.writeable = False
    np.testing.assert_array_equal(apply_ghost_phase(frozen, flags, GhostPhase(0.3, 0.1)), expected)
    assert apply_ghost_phase(lines, flags, GhostPhase(0.3, 0.1), out=lines) is lines
    np.testing.assert_array_equal(lines, expected)


def test_apply_to_one_polarity():
    lines = random_lines(2, 1, 4)
    corrected = apply_ghost_phase(lines, [True, True], GhostPhase(np.pi, 0.0))
    np.testing.assert_allclose(corrected, -1j * lines, atol=1e-6)


def test_correction_leaves_the_ghost_free_image(scan):
    lines, numbers, is_reversed = scan
    operator = make_phase_operator(numbers, N_Y // 2, ImageAxis(N_Y, 220.0, N_Y, 220.0))

    def image(phase: GhostPhase) -> np.ndarray:
        corrected = apply_ghost_phase(lines, is_reversed, phase)
        return np.sqrt(np.sum(np.abs(np.einsum("yl,lcx->cyx", operator, corrected)) ** 2, axis=0))

    flags = np.array([True, False, True])
    phase = estimate_from_navigators(ghosted_lines(np.zeros(3), flags), flags)
    clean = image(phase)
    perfect = image(GhostPhase(CONSTANT, SLOPE))
    # 1e-5 rad of phase error; a ghost of that size
    np.testing.assert_allclose(clean, perfect, atol=1e-4 * perfect.max())
    assert ghost_level(image(GhostPhase())) > 0.1
    # the rest is ringing
    assert ghost_level(clean) < 0.06


# arguments


@pytest.mark.parametrize(
    ("lines", "flags", "match"),
    [
        (np.zeros((3, 8), np.complex64), [1, 0, 1], r"expected \(n_lines, n_coils, n_x\), got \(3, 8\)"),
        (np.zeros((3, 2, 8), np.complex128), [1, 0, 1], "expected complex64, got complex128"),
        (np.zeros((3, 2, 8), np.complex64), [1, 0], r"is_reversed: expected \(3,\), got \(2,\)"),
        (np.zeros((3, 2, 8), np.complex64), [1, 1, 1], "both polarities, got 3 reversed of 3"),
        (np.zeros((2, 2, 8), np.complex64), [0, 0], "both polarities, got 0 reversed of 2"),
        (np.full((2, 2, 8), np.nan, np.complex64), [0, 1], "expected finite values"),
    ],
)
def test_bad_lines_are_named(lines, flags, match):
    with pytest.raises(InputError, match=match):
        estimate_from_navigators(lines, flags)
    with pytest.raises(InputError, match=match):
        estimate_from_lines(lines, np.arange(len(flags)), flags)


def test_bad_options_are_named():
    lines, flags = random_lines(4, 1, 6), [0, 1, 0, 1]
    with pytest.raises(InputError, match=r"line_numbers: expected \(4,\), got \(3,\)"):
        estimate_from_lines(lines, np.arange(3), flags)
    with pytest.raises(InputError, match="constant_range: expected a positive number"):
        estimate_from_lines(lines, np.arange(4), flags, constant_range=0.0)
    with pytest.raises(InputError, match="slope_range: expected a positive number"):
        estimate_from_lines(lines, np.arange(4), flags, slope_range=-1.0)
    with pytest.raises(InputError, match=r"out: expected contiguous complex64 \(4, 1, 6\), got complex128"):
        apply_ghost_phase(lines, flags, GhostPhase(), out=lines.astype(np.complex128))
    with pytest.raises(InputError, match=r"lines: expected .*got \(4, 6\)"):
        apply_ghost_phase(lines[:, 0], flags, GhostPhase())


# a scanner's data

SKYRA = Path(__file__).parents[4] / "shared" / "data" / "epi_siemens" / "siemens_skyra_ep2d_bold_2ch.h5"


@pytest.mark.skipif(not SKYRA.exists(), reason=f"{SKYRA} is not distributed with the project")
def test_phantom_on_a_scanner():
    ismrmrd = pytest.importorskip("ismrmrd")
    dataset = ismrmrd.Dataset(str(SKYRA), "dataset", create_if_needed=False, mode="r")
    readouts = [dataset.read_acquisition(i) for i in range(dataset.number_of_acquisitions())]
    dataset.close()
    trapezoid = TrapezoidReadout(160 * MICRO, 240 * MICRO, 160 * MICRO, 32 * MICRO, 3.1 * MICRO, 160, 80.0)
    axis = ImageAxis(80, 200.0, 80, 200.0)
    operator = make_readout_operator(readout_positions(trapezoid, 80), axis)
    is_reversed = np.array([readout.isFlagSet(22) for readout in readouts])
    is_navigator = np.array([readout.isFlagSet(24) for readout in readouts])
    numbers = np.array([readout.idx.kspace_encode_step_1 for readout in readouts])[~is_navigator]
    regridded = np.array(
        [
            r.data @ (operator.reversed if back else operator.forward)
            for r, back in zip(readouts, is_reversed, strict=True)
        ]
    )
    lines, flags = regridded[~is_navigator], is_reversed[~is_navigator]
    phase = make_phase_operator(numbers, 40, axis)

    def level(correction: GhostPhase) -> float:
        images = np.einsum("yl,lcx->cyx", phase, apply_ghost_phase(lines, flags, correction))
        return reference_level.ghost_level(np.sqrt(np.sum(np.abs(images) ** 2, axis=0)))

    measured = estimate_from_navigators(regridded[is_navigator], is_reversed[is_navigator])
    refined = estimate_from_lines(lines, numbers, flags, start=measured)
    # measured: 0.168 uncorrected, 0.097 navigators, 0.0765 with the lines; background 0.065
    assert level(GhostPhase()) > 0.15
    assert level(measured) < 0.1
    assert level(refined) < 0.08
