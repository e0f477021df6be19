from dataclasses import replace

import numpy as np
import pytest
from spiral_scans import GaussianScan

from perfline.gadgets.errors import ConfigurationError, ScanHeaderError
from perfline.gadgets.settings import Settings
from perfline.gadgets.stage_data import FieldMap, Limits
from perfline.gadgets.stages.coil_images import SpiralLayout
from perfline.gadgets.stages.off_resonance import echo_difference, given_field_maps

HEADER = GaussianScan(n_slices=6, n_partitions=9, n_cut=5).header
MAP = FieldMap(np.random.default_rng(1).standard_normal((6, 19, 23)).astype(np.float32), None, "map.nii")


def test_a_map_goes_on_beyond_the_image_as_at_its_edge():
    found = given_field_maps(HEADER, Settings(), MAP, SpiralLayout.STACK)
    assert found.shape == (6, 24, 28)
    # pixel n // 2 is the centre of both
    np.testing.assert_array_equal(found[:, 3:22, 3:26], MAP.frequency)
    np.testing.assert_array_equal(found[:, 3:22, 0], MAP.frequency[:, :, 0])
    np.testing.assert_array_equal(found[:, 23, 3:26], MAP.frequency[:, -1])


def test_of_three_dimensions_it_is_one_volume():
    found = given_field_maps(HEADER, Settings(), MAP, SpiralLayout.VOLUME)
    assert found.shape == (1, 9, 24, 28)
    np.testing.assert_array_equal(found[0, 1:7, 3:22, 3:26], MAP.frequency)
    np.testing.assert_array_equal(found[0, 8, 3:22, 3:26], MAP.frequency[-1])


@pytest.mark.parametrize("mode", ["none", "dual_echo"])
def test_it_is_not_used_where_that_was_not_asked(mode):
    assert given_field_maps(HEADER, Settings(off_resonance=mode), MAP, SpiralLayout.STACK) is None
    assert given_field_maps(HEADER, Settings(), None, SpiralLayout.STACK) is None


def test_its_absence_and_another_grid_are_refused():
    with pytest.raises(ConfigurationError, match=r"off_resonance is field_map: .* \(--field-map\), got none"):
        given_field_maps(HEADER, Settings(off_resonance="field_map"), None, SpiralLayout.STACK)
    other = replace(MAP, frequency=MAP.frequency[:, :, :-1])
    with pytest.raises(
        ScanHeaderError, match=r"map.nii: expected the grid of the images \(6, 19, 23\) .* \(6, 19, 22\)"
    ):
        given_field_maps(HEADER, Settings(), other, SpiralLayout.STACK)


def test_the_echoes_of_the_header():
    header = replace(HEADER, limits={**HEADER.limits, "contrast": Limits(0, 1)})
    assert echo_difference(replace(header, echo_times=(0.01, 0.0125))) == pytest.approx(0.0025)
    for times, text in (((), "got none"), ((0.01,), "got 10"), ((0.01, 0.01), "got 10, 10")):
        with pytest.raises(ScanHeaderError, match=f"two ascending echo times in sequenceParameters.TE, {text}"):
            echo_difference(replace(header, echo_times=times))
    with pytest.raises(ScanHeaderError, match=r"two echoes in encodingLimits.contrast, got 1"):
        echo_difference(replace(HEADER, echo_times=(0.01, 0.0125)))
