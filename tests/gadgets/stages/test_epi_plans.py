from dataclasses import replace

import numpy as np
import pytest
from epi_readouts import band_limited_images, volume_readouts
from scan_headers import scan_header
from stage_items import of_type, run

from perfline.gadgets.settings import Settings
from perfline.gadgets.stage_data import Counters, KSpaceSlice, Purpose, Readout, Volume, VolumeKey
from perfline.gadgets.stages.accumulate import Accumulate
from perfline.gadgets.stages.epi_plans import EpiPlans
from perfline.gadgets.stages.reconstruct_epi import ReconstructEpi
from perfline.recon.coils.combination import combine_coils, sum_of_squares
from perfline.recon.coils.sensitivity import estimate_sensitivity
from perfline.recon.epi import plan as plan_module
from perfline.recon.epi.phase_encoding import make_phase_operator

N_SLICES, N_COILS, N_Y, N_X = 2, 3, 18, 16
HEADER = scan_header(n_x=N_X, n_y=N_Y, n_slices=N_SLICES, n_coils=N_COILS)
IMAGES = band_limited_images((N_SLICES, N_COILS, N_Y, N_X))


def noise():
    rng = np.random.default_rng(5)
    white = rng.standard_normal((N_COILS, 4096)) + 1j * rng.standard_normal((N_COILS, 4096))
    mixing = np.array([[2, 0, 0], [1, 1, 0], [0, 1j, 3]])
    return Readout((mixing @ white).astype(np.complex64), Counters(), Purpose.NOISE, sample_time=1e-5)


def scan_readouts(*, in_two_shots=False):
    items = [replace(r, sample_time=1e-5) for r in volume_readouts(IMAGES, VolumeKey(0))]
    if in_two_shots:
        of_slice = [[r for r in items if r.counters.slice == index] for index in range(N_SLICES)]
        items = [r for part in of_slice for r in (*part[:3], *part[3::2], *part[:3], *part[4::2])]
    return [noise(), *items]


def slices_of(items, **settings):
    return of_type(run(Accumulate(HEADER, Settings(**settings)), items), KSpaceSlice)


def coil_images_of(part):
    """From the whitened lines, step by step."""
    operator = make_phase_operator(part.line_numbers, HEADER.limits["line"].center, HEADER.phase_axis)
    return np.matmul(operator, part.lines.transpose(1, 0, 2))


@pytest.mark.parametrize("has_lanes", [True, False])
@pytest.mark.parametrize("in_two_shots", [False, True])
@pytest.mark.parametrize("coil_combination", ["adaptive", "sum_of_squares"])
def test_the_image_is_that_of_whitened_coils(coil_combination, in_two_shots, has_lanes, monkeypatch):
    if not has_lanes:
        monkeypatch.setattr(plan_module, "lanes_available", lambda: False)
    settings = {"ghost_correction": "none", "coil_combination": coil_combination}
    parts = slices_of(scan_readouts(in_two_shots=in_two_shots), **settings)
    assert parts[0].whitening is not None
    (volume,) = of_type(run(ReconstructEpi(HEADER, Settings(**settings)), parts), Volume)
    coils = np.ascontiguousarray([coil_images_of(part) for part in parts])
    if coil_combination == "adaptive":
        maps = estimate_sensitivity(coils)
        wanted = np.array([combine_coils(one, of_slice) for one, of_slice in zip(coils, maps, strict=True)])
    else:
        wanted = np.array([sum_of_squares(one) for one in coils])
    # single precision, through a whitening matrix of unequal coils and an iteration for the maps
    np.testing.assert_allclose(volume.image, wanted, atol=2e-5 * np.abs(wanted).max())


def test_slices_alike_share_a_plan_and_damaged_ones_do_not_pile_up():
    first, second = slices_of(scan_readouts())
    plans = EpiPlans(HEADER, 0.0)
    plan = plans.of(first)
    assert plans.of(second) is plan
    for lost in range(N_Y):
        kept = np.arange(N_Y) != lost
        damaged = replace(
            first,
            raw=np.ascontiguousarray(first.raw[kept]),
            line_numbers=first.line_numbers[kept],
            is_reversed=first.is_reversed[kept],
            shots=first.shots[kept],
        )
        assert plans.of(damaged).n_lines == N_Y - 1
        # the one that is in use stays
        assert plans.of(second) is plan
    assert len(plans._plans) == 8
