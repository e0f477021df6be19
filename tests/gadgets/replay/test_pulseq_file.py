import sys

import numpy as np
import pytest

from perfline.gadgets.errors import ConfigurationError
from perfline.gadgets.replay.pulseq_file import read_pulseq

N = 200


def arms(n_arms, n=N + 1):
    """Gradients [Hz/m] on the raster of 10 us that begin and end at zero, (n_arms, (x, y), n)."""
    t = np.linspace(0, 1, n)
    wave = 1e5 * np.sin(np.pi * t) ** 2 * np.exp(1j * 6 * t)
    turned = wave * np.exp(1j * np.arange(n_arms) * 2 * np.pi / n_arms)[:, None]
    return np.stack([turned.real, turned.imag], axis=1)


def write_sequence(path, gradients, partitions=(0.0,), n_slices=1, with_noise=False, lengths=None):
    """Noise, then each slice (or partition, [1/m]) with all arms."""
    pp = pytest.importorskip("pypulseq")
    system = pp.Opts(max_grad=80, grad_unit="mT/m", max_slew=800, slew_unit="T/m/s", rf_ringdown_time=20e-6)
    sequence = pp.Sequence(system)
    if with_noise:
        sequence.add_block(pp.make_adc(N, dwell=5e-6, system=system))
    for index in range(n_slices):
        for partition in partitions:
            for number, (x, y) in enumerate(gradients):
                pulse = pp.make_block_pulse(
                    np.pi / 6, duration=1e-3, freq_offset=100.0 * index, system=system, use="excitation"
                )
                adc = pp.make_adc((lengths or [N] * 99)[number], dwell=1e-5, system=system)
                sequence.add_block(pulse)
                if partition:
                    sequence.add_block(pp.make_trapezoid("z", area=partition, system=system))
                sequence.add_block(
                    pp.make_arbitrary_grad("x", x, first=0, last=0, system=system),
                    pp.make_arbitrary_grad("y", y, first=0, last=0, system=system),
                    adc,
                )
    sequence.write(str(path))
    return path


def expected_positions(gradients, n=N):
    """k at the middle of each dwell, by fine sums over gradients known in the middle of each interval of the raster."""
    edges = np.arange(gradients.shape[2] + 1) * 1e-5
    middles = (edges[:-1] + edges[1:]) / 2
    fine = np.linspace(0, edges[-1], 100 * gradients.shape[2] + 1)
    k = []
    for arm in gradients:
        axes = []
        for wave in arm:
            g = np.interp(fine, [0, *middles, edges[-1]], [0, *wave, 0])
            moment = np.concatenate([[0], np.cumsum((g[1:] + g[:-1]) / 2)]) * (fine[1] - fine[0])
            axes.append(np.interp((np.arange(n) + 0.5) * 1e-5, fine, moment))
        k.append(np.stack(axes[::-1], axis=-1))
    return np.array(k)


def test_one_shot_for_each_arm_whatever_the_slices(tmp_path):
    path = write_sequence(tmp_path / "spiral.seq", arms(3), n_slices=2, with_noise=True)
    k = read_pulseq(path)
    assert k.shape == (3, N, 2)
    # the file keeps gradients in about seven digits
    np.testing.assert_allclose(k, expected_positions(arms(3)), atol=1e-4 * np.abs(k).max())
    assert np.abs(k).max() > 20


def test_a_stack_has_three_axes(tmp_path):
    path = write_sequence(tmp_path / "stack.seq", arms(2), partitions=(-50.0, 25.0))
    k = read_pulseq(path)
    assert k.shape == (4, N, 3)
    np.testing.assert_allclose(k[:, :, 0], np.repeat([-50.0, -50.0, 25.0, 25.0], N).reshape(4, N), rtol=1e-4)
    np.testing.assert_allclose(k[:2, :, 1:], k[2:, :, 1:], atol=1e-4)


def test_what_cannot_be_a_trajectory_is_refused(tmp_path):
    path = write_sequence(tmp_path / "two.seq", arms(2), lengths=[N, N - 20])
    with pytest.raises(ConfigurationError, match=r"two.seq: expected ADCs of one length, got \[180, 200\]"):
        read_pulseq(path)
    path = write_sequence(tmp_path / "noise.seq", arms(0), with_noise=True)
    with pytest.raises(ConfigurationError, match=r"noise.seq: expected ADCs under gradients, got none"):
        read_pulseq(path)


# pypulseq leaves the file open when it fails
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning")
def test_what_is_no_sequence_is_refused(tmp_path):
    pytest.importorskip("pypulseq")
    (tmp_path / "text.seq").write_text("this is no sequence\n")
    with pytest.raises(ConfigurationError, match=r"text.seq: not read by pypulseq"):
        read_pulseq(tmp_path / "text.seq")


def test_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pypulseq", None)
    with pytest.raises(ConfigurationError, match=r"needs pypulseq: pip install .perfline\[pulseq\]"):
        read_pulseq(tmp_path / "spiral.seq")
