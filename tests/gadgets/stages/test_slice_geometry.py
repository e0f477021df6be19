from dataclasses import replace

import numpy as np
from scan_headers import scan_header

from perfline.gadgets.stage_data import Counters, Purpose, Readout
from perfline.gadgets.stages.slice_geometry import slab_geometry, slice_geometry
from perfline.recon.parameters import ImageAxis

HEADER = scan_header(n_slices=3)
OBLIQUE = (0.0, 0.6, 0.8)


def readout(position, **fields):
    return Readout(np.ones((1, 1), np.complex64), Counters(), Purpose.IMAGING, position=position, **fields)


def test_slices_lie_where_their_readouts_say():
    parts = [readout((0.0, 1.0, 7.0 * number)) for number in range(3)]
    geometry = slice_geometry(HEADER, parts)
    np.testing.assert_array_equal(geometry.positions[:, 2], [0, 7, 14])
    assert geometry.is_known
    assert geometry.voxel_size == (4.0, 3.0, 6.0)


def test_slices_at_one_place_are_stacked():
    geometry = slice_geometry(HEADER, [readout((0.0, 0.0, 5.0))] * 3)
    np.testing.assert_allclose(geometry.positions[:, 2], [-1, 5, 11])
    assert not geometry.is_known


def test_a_slab_is_centred_on_its_position():
    header = replace(HEADER, n_slices=4)
    part = readout((10.0, 20.0, 30.0), phase_dir=(1.0, 0.0, 0.0), read_dir=(0.0, 0.8, -0.6), slice_dir=OBLIQUE)
    # six encoded partitions of 2.5 mm, four slices of them
    geometry = slab_geometry(header, ImageAxis(6, 15.0, 4, 10.0), part)
    np.testing.assert_allclose(geometry.positions[2], [10, 20, 30])
    np.testing.assert_allclose(np.diff(geometry.positions, axis=0), np.tile(2.5 * np.array(OBLIQUE), (3, 1)))
    assert geometry.voxel_size == (4.0, 3.0, 2.5)
    assert geometry.is_known


def test_a_slab_without_directions_is_marked_unknown():
    zero = (0.0, 0.0, 0.0)
    part = readout((1.0, 2.0, 3.0), read_dir=zero, phase_dir=zero, slice_dir=zero)
    geometry = slab_geometry(HEADER, ImageAxis(3, 9.0, 3, 9.0), part)
    assert not geometry.is_known
    np.testing.assert_allclose(geometry.positions, [[1, 2, 0], [1, 2, 3], [1, 2, 6]])
