import numpy as np
import pytest

from perfline.recon.errors import InputError
from perfline.recon.nufft.played_trajectory import played_trajectory

STEP = 4e-6
N = 1500
DURATION = N * STEP
DELAYS = (3e-6, -2.5e-6)


def curve(kind, times):
    """A spiral as a function of time, axis order y, x; what lies outside 0 ... DURATION goes on smoothly or rests."""
    t = times / DURATION
    if kind == "outwards":
        # at rest in the centre until the readout begins
        radius = np.where(t > 0, np.abs(t), 0) ** 1.5
    elif kind == "inwards":
        radius = np.where(t < 1, np.abs(1 - t), 0) ** 1.5
    else:
        radius = 2 * t - 1
    phase = 40 * radius
    return 100 * np.stack([radius * np.sin(phase), radius * np.cos(phase)], axis=-1)


def at(kind, shift=(0.0, 0.0), n=N):
    times = np.arange(n) * STEP
    return np.stack([curve(kind, times - late)[:, axis] for axis, late in enumerate(shift)], axis=-1)[None]


@pytest.mark.parametrize("kind", ["outwards", "inwards", "in and out"])
def test_delays_read_the_curve_earlier(kind):
    played = played_trajectory(at(kind), STEP, DELAYS)
    # the begin of the readout misses what came before it: there the curve is only continued smoothly
    np.testing.assert_allclose(played[:, 8:-8], at(kind, DELAYS)[:, 8:-8], atol=2e-4)
    np.testing.assert_allclose(played, at(kind, DELAYS), atol=5e-3)
    # a delay in the wrong direction or on the wrong axis would be far off
    assert np.abs(played - at(kind)).max() > 0.05


def first_order_response(time_constant, n=2048, step=1e-6):
    frequencies = (np.arange(n) - n // 2) / (n * step)
    return np.stack([1 / (1 + 2j * np.pi * frequencies * time_constant), np.ones(n)], axis=-1), step


@pytest.mark.parametrize("kind", ["outwards", "in and out"])
def test_a_gradient_system_of_first_order(kind):
    response, response_step = first_order_response(6e-6)
    fine = 20
    asked = at(kind)
    played = played_trajectory(asked, STEP, None, response, response_step)
    # of the positions themselves: d played / dt = (asked - played) / tau, solved step by step from far before
    times = np.arange(-200 * fine, N * fine) * (STEP / fine)
    wanted = curve(kind, times)[:, 0]
    slow = np.empty_like(wanted)
    slow[0] = wanted[0]
    keep = np.exp(-STEP / fine / 6e-6)
    for i in range(1, len(times)):
        between = (wanted[i - 1] + wanted[i]) / 2
        slow[i] = between + (slow[i - 1] - between) * keep
    # the table of the response ends at 500 kHz, where 5 % are left
    np.testing.assert_allclose(played[0, 20:, 0], slow[200 * fine :: fine][20:], atol=0.02)
    assert np.abs(played[0, :, 0] - asked[0, :, 0]).max() > 0.3
    # a response of one; only sums of differences are rounded
    np.testing.assert_allclose(played[0, :, 1], asked[0, :, 1], atol=1e-10)


def test_directions_turn_axes_into_coils():
    response, response_step = first_order_response(6e-6)
    of_coils = np.concatenate([response[:, 1:], response[:, :1], response[:, 1:]], axis=1)
    asked = at("outwards")
    played = played_trajectory(asked, STEP, None, of_coils, response_step, [[1, 0, 0], [0, 1, 0]])
    # the second axis lies along coil Y, the slow one
    np.testing.assert_allclose(played[..., 0], asked[..., 0], atol=1e-10)
    slow = played_trajectory(asked[..., ::-1], STEP, None, response, response_step)
    np.testing.assert_allclose(played[..., 1], slow[..., 0], atol=1e-10)


def test_nothing_to_do_changes_nothing():
    asked = at("outwards")
    # only sums of differences are rounded
    np.testing.assert_allclose(played_trajectory(asked, STEP, (0, 0)), asked, atol=1e-10)


@pytest.mark.parametrize(
    ("trajectory", "options", "text"),
    [
        (np.zeros((9, 2)), {}, r"trajectory: expected \(n_shots, n_samples, n_axes\) .* got \(9, 2\)"),
        (np.zeros((1, 3, 2)), {}, "four samples or more, got"),
        (np.full((1, 9, 2), np.nan), {}, "trajectory: expected finite values, got 18"),
        (np.ones((1, 9, 2)), {"sampling_time": 0.0}, "sampling_time: expected a positive number"),
        (np.ones((1, 9, 2)), {"delays": (1e-6,)}, "delays: expected 2 values, got 1"),
        (np.ones((1, 9, 2)), {"delays": (1.0, 0.0)}, "delays: expected less than the readout"),
    ],
)
def test_bad_input(trajectory, options, text):
    with pytest.raises(InputError, match=text):
        played_trajectory(trajectory, **({"sampling_time": STEP} | options))
