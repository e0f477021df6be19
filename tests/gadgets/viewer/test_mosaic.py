from dataclasses import replace

import numpy as np
import pytest
from stage_items import SHAPE, geometry
from viewer_items import RAMP

from perfline.gadgets.viewer.mosaic import chosen_slices, make_mosaic, orientation_text
from perfline.gadgets.writers.montage import _chosen_slices, _orientation_note
from perfline.gadgets.writers.orientation import display_orientation
from perfline.recon.errors import InputError

PANEL = (240.0, 250.0)


def test_slices_lie_in_a_grid_row_by_row():
    # pixels of 4 mm x 3 mm: tiles of 16 mm x 15 mm
    mosaic = make_mosaic(RAMP, geometry(), (2, 0, 1), PANEL)
    assert (mosaic.width, mosaic.height) == (32.0, 30.0)
    np.testing.assert_array_equal(mosaic.pixels[:5, :4], RAMP[2])
    np.testing.assert_array_equal(mosaic.pixels[:5, 4:], RAMP[0])
    np.testing.assert_array_equal(mosaic.pixels[5:, :4], RAMP[1])
    assert np.isnan(mosaic.pixels[5:, 4:]).all()
    numbers = [(one.text, one.x, one.y) for one in mosaic.letters if not one.is_side]
    assert numbers == [("2", 0.0, 15.0), ("0", 16.0, 15.0), ("1", 0.0, 0.0)]


def test_slices_are_turned_as_in_the_montage():
    turned = replace(geometry(), read_dir=np.array([0.0, -1.0, 0.0]), phase_dir=np.array([-1.0, 0.0, 0.0]))
    mosaic = make_mosaic(RAMP, turned, (1,), PANEL)
    shown = display_orientation(turned.read_dir, turned.phase_dir)
    assert shown.is_transposed
    np.testing.assert_array_equal(mosaic.pixels, shown.apply(RAMP[1]))
    # the pixels have turned, too
    assert (mosaic.width, mosaic.height) == (15.0, 16.0)
    sides = {one.text: (one.x, one.y) for one in mosaic.letters if one.is_side}
    assert sides == {"R": (0.0, 8.0), "L": (15.0, 8.0), "A": (7.5, 16.0), "P": (7.5, 0.0)}
    assert orientation_text(turned) == _orientation_note(shown)


def test_where_the_place_is_not_known_slices_are_as_in_memory():
    unknown = replace(geometry(), read_dir=np.array([-1.0, 0, 0]), is_known=False)
    mosaic = make_mosaic(RAMP, unknown, (0,), PANEL)
    np.testing.assert_array_equal(mosaic.pixels, RAMP[0])
    assert not any(one.is_side for one in mosaic.letters)
    assert orientation_text(unknown) == _orientation_note(None)


def test_the_slices_of_a_grid_are_those_of_the_montage():
    for n_slices in (1, 12, 13, 40):
        assert list(chosen_slices(n_slices)) == _chosen_slices(n_slices)


def test_slices_that_are_not_there_are_refused():
    with pytest.raises(InputError, match=r"slices: expected some of 0 to 2, got \(3,\)"):
        make_mosaic(RAMP, geometry(), (SHAPE[0],), PANEL)
    with pytest.raises(InputError, match=r"slices: .* got \(\)"):
        make_mosaic(RAMP, geometry(), (), PANEL)
    with pytest.raises(InputError, match="volume: expected"):
        make_mosaic(RAMP[0], geometry(), (0,), PANEL)
