"""The folded products against the dense operator they stand for."""

from dataclasses import replace

import numpy as np
import pytest
from reference.trajectories import complex_noise

from perfline.recon.epi.ramp import make_readout_operator, readout_positions
from perfline.recon.epi.readout_tables import GROUP, make_readout_tables
from perfline.recon.errors import InputError
from perfline.recon.fourier import centred_positions
from perfline.recon.parameters import ImageAxis, TrapezoidReadout


def multiply(tables, samples, n_x, is_reversed):
    """Pixels of one readout by the words of `ReadoutTables`."""
    polarity = int(is_reversed)
    if tables.phases.size:
        samples = samples * tables.phases.view(np.complex64).reshape(2, -1)[polarity]
    alone, paired = np.split(samples, [tables.n_alone])
    mirrored = paired[::-1]
    first = slice(None, tables.n_terms)
    even = odd = paired
    if tables.is_folded:
        even, odd = paired + mirrored, paired - mirrored
        if paired.size % 2:
            # the middle one is its own mirror
            even[tables.n_terms - 1] /= 2
    lone = np.sum(tables.lone.reshape(2, -1)[polarity] * np.concatenate([alone, odd[first]])) if tables.is_folded else 0
    groups = tables.coefficients.reshape(2, tables.n_groups, -1)[polarity]
    pixels = np.zeros(n_x + 1, complex)
    for i in range(tables.plus.size):
        group, member = divmod(i, GROUP)
        factors = groups[group, GROUP:].reshape(tables.n_terms, GROUP, 2)[:, member]
        p = lone * groups[group, member] + np.sum(factors[:, 0] * even[first])
        q = 1j * np.sum(factors[:, 1] * odd[first])
        pixels[tables.plus[i]], pixels[tables.minus[i]] = p + q, p - q
    return pixels[:n_x]


@pytest.mark.parametrize("is_reversed", [False, True])
@pytest.mark.parametrize("shift", [0.0, 13.7])
@pytest.mark.parametrize(
    ("n_samples", "delay", "n_x", "is_folded"),
    [(92, 20e-6, 32, True), (91, 22.5e-6, 31, True), (80, 60e-6, 24, False)],
)
def test_products_are_those_of_the_operator(n_samples, delay, n_x, is_folded, shift, is_reversed):
    readout = TrapezoidReadout(100e-6, 300e-6, 100e-6, delay, 5e-6, n_samples, n_samples / 2)
    axis = ImageAxis(n_x, 200.0, n_x, 200.0)
    operator = make_readout_operator(readout_positions(readout, n_x), axis, shift=shift)
    tables = make_readout_tables(operator)
    assert tables.is_folded == is_folded
    samples = complex_noise(1, (n_samples,))
    wanted = samples @ (operator.reversed if is_reversed else operator.forward)
    # the tables are single precision
    np.testing.assert_allclose(multiply(tables, samples, n_x, is_reversed), wanted, atol=2e-6 * np.abs(wanted).max())


@pytest.mark.parametrize("is_reversed", [False, True])
@pytest.mark.parametrize("shift", [0.0, 13.7])
@pytest.mark.parametrize("n_x", [24, 16])
def test_first_sample_of_a_cartesian_readout_stands_alone(n_x, shift, is_reversed):
    operator = make_readout_operator(centred_positions(24), ImageAxis(24, 240.0, n_x, 10.0 * n_x), shift=shift)
    tables = make_readout_tables(operator)
    assert (tables.is_folded, tables.n_alone, tables.n_terms) == (True, 1, 12)
    samples = complex_noise(1, (24,))
    wanted = samples @ (operator.reversed if is_reversed else operator.forward)
    # the tables are single precision
    np.testing.assert_allclose(multiply(tables, samples, n_x, is_reversed), wanted, atol=2e-6 * np.abs(wanted).max())


def test_unshifted_samples_keep_their_phase():
    operator = make_readout_operator(centred_positions(12), ImageAxis(12, 200.0, 12, 200.0))
    assert make_readout_tables(operator).phases.size == 0


def test_refuses_another_operator():
    operator = make_readout_operator(centred_positions(12), ImageAxis(12, 200.0, 12, 200.0))
    with pytest.raises(InputError, match="Hermitian"):
        make_readout_tables(replace(operator, forward=complex_noise(1, (12, 12))))
