from dataclasses import replace

import numpy as np
import pytest
from ismrmrd import xsd

from perfline.gadgets.mrd.scan_header import parse_scan_header
from perfline.gadgets.simulate.encoding import header_number, scan_encoding
from perfline.gadgets.simulate.header import scan_header_xml
from perfline.gadgets.simulate.recipes import RECIPES
from perfline.gadgets.simulate.spiral_recipe import SpiralEncoding, SpiralRecipe
from perfline.gadgets.stages.header_design import header_design
from perfline.recon.phantom.spiral_readouts import declared_positions

SMALL = SpiralRecipe(
    n_slices=3, matrix_x=20, matrix_y=24, field_of_view_x=170.0, field_of_view_y=192.0, n_interleaves=4, n_shots=2
)
STACK = replace(SMALL, encoding=SpiralEncoding.STACK, n_slices=9, slice_spacing=20.0, slice_duration=0.05)


def test_numbers_lose_the_dust_of_binary_fractions():
    assert header_number(0.1 + 0.2) == 0.3
    assert header_number(np.float64(4.2)) == 4.2


def test_space_of_slices_and_of_a_slab():
    for recipe, sizes, lengths in ((SMALL, (20, 24, 1), (170, 192, 6)), (STACK, (20, 24, 9), (170, 192, 180))):
        encoding = scan_encoding(recipe)
        assert encoding.trajectory is xsd.trajectoryType.SPIRAL
        for space in (encoding.encodedSpace, encoding.reconSpace):
            assert (space.matrixSize.x, space.matrixSize.y, space.matrixSize.z) == sizes
            assert (space.fieldOfView_mm.x, space.fieldOfView_mm.y, space.fieldOfView_mm.z) == lengths


def test_limits_count_interleaves_partitions_and_echoes():
    limits = scan_encoding(replace(STACK, n_skipped_partitions=2)).encodingLimits
    assert (limits.kspace_encoding_step_1.maximum, limits.slice.maximum, limits.segment.maximum) == (3, 0, 1)
    partitions = limits.kspace_encoding_step_2
    # nine without the first two: the centre, 4, is the third
    assert (partitions.minimum, partitions.maximum, partitions.center) == (0, 6, 2)
    two = scan_encoding(replace(SMALL, n_interleaves=2, n_shots=1, second_echo_time=9e-3)).encodingLimits
    assert (two.contrast.maximum, two.slice.maximum, two.kspace_encoding_step_2.maximum) == (1, 2, 0)
    cones = scan_encoding(RECIPES["cones"]).encodingLimits
    assert (cones.kspace_encoding_step_1.maximum, cones.kspace_encoding_step_2.maximum) == (83, 0)


def test_acceleration_is_declared():
    assert scan_encoding(SMALL).parallelImaging is None
    parallel = scan_encoding(replace(SMALL, acceleration=2)).parallelImaging
    assert parallel.accelerationFactor.kspace_encoding_step_1 == 2
    assert parallel.calibrationMode is xsd.calibrationModeType.SEPARATE


@pytest.mark.parametrize("units", ["normalized", "rad_per_m"])
def test_unit_of_the_trajectories_is_declared(units):
    header = parse_scan_header(scan_header_xml(replace(SMALL, trajectory_units=units)))
    assert header.spiral.units == units
    assert header.spiral.design is None


def test_design_in_the_header_gives_the_trajectory_that_was_played():
    recipe = replace(SMALL, write_trajectory=False)
    spiral = header_design(parse_scan_header(scan_header_xml(recipe)).spiral.design)
    declared = declared_positions(recipe.spiral)
    assert spiral.trajectory.shape == declared.shape
    # nine decimals in the header
    np.testing.assert_allclose(spiral.trajectory / 1000, declared, atol=1e-9)


@pytest.mark.parametrize("name", RECIPES)
def test_every_header_is_read(name):
    recipe = RECIPES[name]
    header = parse_scan_header(scan_header_xml(recipe))
    assert header.n_slices == recipe.n_slices
    assert (header.partition_axis is None) == (recipe.partition_axis is None)
    assert header.asl.acquisition_type == ("2D" if recipe.partition_axis is None else "3D")
    assert header.asl.slice_timing == (recipe.slice_timing if recipe.partition_axis is None else ())
    assert header.echo_time == pytest.approx(recipe.echo_time)
