import numpy as np
import pytest
from spiral_headers import spiral_header

from perfline.gadgets.errors import ReadoutError
from perfline.gadgets.stage_data import Counters, GivenTrajectory, HargreavesParameters, Limits, Readout
from perfline.gadgets.stages.trajectory_sources import DesignedTrajectory, EncodedKSpace, TrajectoryOfFile
from perfline.recon.errors import InputError

FLAT = EncodedKSpace.of_header(spiral_header())
SLAB = EncodedKSpace.of_header(spiral_header(n_z=10, partitions=Limits(2, 5, 4)))
POSITIONS = np.random.default_rng(2).uniform(-0.5, 0.5, (4, 30, 3))


def readout(n=30, line=0, partition=0, **fields):
    return Readout(np.zeros((1, n), np.complex64), Counters(line=line, partition=partition), "imaging", **fields)


def test_the_encoded_part_of_k_space():
    assert (FLAT.matrix, FLAT.field_of_view) == ((40, 48), (240.0, 240.0))
    assert (SLAB.matrix, SLAB.field_of_view) == ((10, 40, 48), (40.0, 240.0, 240.0))
    assert (SLAB.lines, SLAB.partitions) == (Limits(0, 3), Limits(2, 5, 4))
    np.testing.assert_allclose(SLAB.lengths(3), [0.04, 0.24, 0.24])
    np.testing.assert_allclose(SLAB.lengths(2), [0.24, 0.24])


def test_axes_follow_the_encoding():
    np.testing.assert_allclose(SLAB.convert(POSITIONS, "normalized"), POSITIONS * [10, 40, 48])
    np.testing.assert_allclose(SLAB.convert(POSITIONS, "per_m"), POSITIONS * [0.04, 0.24, 0.24])
    np.testing.assert_allclose(SLAB.convert(POSITIONS[..., 1:], "per_m"), POSITIONS[..., 1:] * 0.24)
    np.testing.assert_allclose(FLAT.convert(POSITIONS * [0, 1, 1], "per_m"), POSITIONS[..., 1:] * 0.24)
    with pytest.raises(InputError, match="expected zeros on axis z of a 2D encoding, got up to"):
        FLAT.convert(POSITIONS, "per_m")


def test_a_stack_needs_partitions():
    one = EncodedKSpace.of_header(spiral_header(n_z=10, partitions=Limits(4, 4, 4)))
    with pytest.raises(InputError, match=r"expected its partitions in encodingLimits.kspace_encoding_step_2, got one"):
        one.convert(POSITIONS[..., 1:], "per_m")
    assert one.convert(POSITIONS, "per_m").shape == POSITIONS.shape


def test_shots_of_a_file():
    source = TrajectoryOfFile(GivenTrajectory(POSITIONS, "per_m", "t.npz"), SLAB)
    np.testing.assert_allclose(source.of(readout(line=2, partition=5)), POSITIONS[2] * [0.04, 0.24, 0.24])
    for line in (-1, 4):
        with pytest.raises(ReadoutError, match=f"the trajectory has 4 shots, got line {line} of partition 3"):
            source.of(readout(line=line, partition=3))


def test_a_design_lies_in_the_plane():
    source = DesignedTrajectory(HargreavesParameters(4, (20.0,), 3.0, 12000.0, 4e-6, 0.8), SLAB)
    assert source.sampling_time == 4e-6
    k = source.of(readout(n=50, line=1, partition=3, discard_pre=4, discard_post=6))
    assert k.shape == (40, 2)
    np.testing.assert_array_equal(k, source.of(readout(n=50, line=1))[4:44])
