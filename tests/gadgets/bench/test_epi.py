"""The benchmark at toy size: figures come, the errors hold; times are not judged."""

from pathlib import Path

import numpy as np
import pytest
from reference.epi_plan import epi_coil_images
from reference.trajectories import complex_noise

from perfline.gadgets.bench.epi import measure
from perfline.gadgets.bench.epi_peer import exact_image, peer_pipelines
from perfline.gadgets.bench.figures import Figure
from perfline.recon.epi.ghost_phase import GhostPhase
from perfline.recon.epi.ramp import make_readout_operator, readout_positions
from perfline.recon.parameters import ImageAxis, TrapezoidReadout


@pytest.mark.slow
def test_toy_size_gives_figures_within_the_aims():
    results = list(measure(rounds=1, is_small=True, data=Path(), report=lambda text: None))
    errors = [one for one in results if isinstance(one, Figure) and "error" in one.figure]
    assert len(errors) == 2
    assert all(one.met for one in errors)
    assert any("volume over numpy" in one.figure for one in results)


def test_peers_and_definition_do_what_the_tests_define():
    axis_x, axis_y = ImageAxis(12, 200.0, 12, 200.0), ImageAxis(10, 200.0, 10, 200.0)
    trapezoid = TrapezoidReadout(100e-6, 300e-6, 100e-6, 10e-6, 20e-6, 24, 12.0)
    operator = make_readout_operator(readout_positions(trapezoid, 12), axis_x)
    raw, weights = complex_noise(1, (2, 10, 3, 24)), complex_noise(2, (2, 3, 10, 12))
    ghost = [GhostPhase(0.4, 0.03), GhostPhase(-0.2, 0.01)]
    matrices = operator.forward.astype(complex), operator.reversed.astype(complex)
    is_reversed = np.arange(10) % 2 == 1
    wanted = []
    for i in range(2):
        phases = [(ghost[i].constant, ghost[i].slope)] * 10
        coils = epi_coil_images(raw[i], matrices, np.arange(10), is_reversed, 5, axis_y, 0.0, phases)
        wanted.append(np.sum(weights[i] * coils, axis=0))
        # double precision
        np.testing.assert_allclose(exact_image(raw[i], operator, ghost[i], weights[i]), wanted[i], atol=1e-12)
    peers = dict(peer_pipelines(raw, operator, ghost, weights))
    assert len(peers) == 4
    for run in peers.values():
        # single precision, some hundred terms
        np.testing.assert_allclose(run(), wanted, atol=1e-5 * np.abs(wanted).max())
