from dataclasses import replace

import pytest

from perfline.gadgets.simulate.epi_recipe import EpiRecipe
from perfline.recon.errors import InputError

SMALL = EpiRecipe(n_pairs=2, n_m0=2, n_slices=5)


def test_oversampling_grows_matrix_and_field_of_view():
    recipe = replace(SMALL, oversampling_x=1.5, oversampling_y=1.2, echo_time=16e-3)
    assert recipe.readout_axis.n_encoded == 54
    assert recipe.readout_axis.field_of_view_encoded == pytest.approx(270)
    assert (recipe.phase_axis.n_encoded, recipe.phase_axis.n_recon) == (48, 40)
    assert recipe.phase_axis.voxel_size == pytest.approx(5)


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"slice_duration": 0.02}, "slice_duration: expected at least the echo train"),
        ({"echo_time": 1e-3}, "echo_time"),
        ({"oversampling_x": 0.0}, "oversampling"),
    ],
)
def test_impossible_readouts_are_refused(changes, match):
    with pytest.raises(InputError, match=match):
        replace(SMALL, **changes)
