import os
from dataclasses import replace

import ismrmrd
import numpy as np
import pytest
from full_disk import filled_up
from ismrmrd import xsd

from perfline.gadgets.errors import OutputError
from perfline.gadgets.simulate.epi_recipe import EpiRecipe
from perfline.gadgets.simulate.raw_data import scan_blocks
from perfline.gadgets.simulate.spiral_recipe import SpiralRecipe
from perfline.gadgets.simulate.spiral_shots import written_trajectories
from perfline.gadgets.simulate.write_mrd import simulate_scan, write_scan

RECIPE = EpiRecipe(
    n_coils=3, n_slices=2, matrix_x=12, matrix_y=10, n_samples=20, dwell_time=24e-6, n_pairs=1, noise_sd=0.01
)
RECIPE = replace(RECIPE, n_noise_readouts=2)


def test_dataset_reads_what_was_simulated(tmp_path):
    path = tmp_path / "scan.h5"
    write_scan(path, RECIPE)
    header, acquisitions, _ = simulate_scan(RECIPE)
    with ismrmrd.Dataset(path, mode="r") as dataset:
        assert dataset.read_xml_header() == header
        assert dataset.number_of_acquisitions() == 2 + 3 * 2 * 13
        for number, acquisition in enumerate(acquisitions):
            assert dataset.read_acquisition(number) == acquisition


def test_file_reads_it_too(tmp_path):
    path = tmp_path / "scan.h5"
    write_scan(path, RECIPE)
    with ismrmrd.File(path, mode="r") as file:
        container = file["dataset"]
        assert container.header.encoding[0].trajectory is xsd.trajectoryType.EPI
        acquisitions = list(container.acquisitions)
    assert acquisitions[0].is_flag_set(ismrmrd.ACQ_IS_NOISE_MEASUREMENT)
    assert acquisitions[0].data.shape == (3, 128)
    line = acquisitions[2 + 3 + 4]
    assert line.idx.kspace_encode_step_1 == 4
    assert not line.is_flag_set(ismrmrd.ACQ_IS_REVERSE)
    assert acquisitions[2].is_flag_set(ismrmrd.ACQ_IS_PHASECORR_DATA)
    assert (line.number_of_samples, line.active_channels, line.trajectory_dimensions) == (20, 3, 0)
    assert line.center_sample == 10
    blocks = list(scan_blocks(RECIPE))
    np.testing.assert_array_equal(line.data, blocks[1][1][3 + 4])


def test_acquisitions_survive_the_wire():
    _, acquisitions, _ = simulate_scan(RECIPE)
    for acquisition in acquisitions:
        assert ismrmrd.Acquisition.from_bytes(acquisition.to_bytes()) == acquisition


def test_trajectories_are_in_the_file_and_on_the_wire(tmp_path):
    recipe = SpiralRecipe(n_coils=2, n_slices=1, matrix_x=12, matrix_y=10, n_interleaves=3, n_pairs=0, noise_sd=0.01)
    recipe = replace(recipe, n_noise_readouts=1)
    write_scan(tmp_path / "scan.h5", recipe)
    _, acquisitions, _ = simulate_scan(recipe)
    with ismrmrd.File(tmp_path / "scan.h5", mode="r") as file:
        read = list(file["dataset"].acquisitions)
    expected = written_trajectories(recipe)
    assert [acquisition.trajectory_dimensions for acquisition in read] == [0, 2, 2, 2]
    for interleaf, acquisition in enumerate(read[1:]):
        np.testing.assert_array_equal(acquisition.traj, expected[interleaf])
    for acquisition, again in zip(read, acquisitions, strict=True):
        assert acquisition == again
        assert ismrmrd.Acquisition.from_bytes(again.to_bytes()) == again


def test_an_old_file_is_replaced(tmp_path):
    path = tmp_path / "scan.h5"
    write_scan(path, replace(RECIPE, n_slices=4))
    write_scan(path, RECIPE)
    with ismrmrd.Dataset(path, mode="r") as dataset:
        assert dataset.number_of_acquisitions() == 80


def test_truth_is_that_of_the_recipe(tmp_path):
    truth = write_scan(tmp_path / "scan.h5", RECIPE)
    assert truth.cbf.shape == (2, 10, 12)


def test_a_full_disk_leaves_the_file_that_was_there(tmp_path, monkeypatch):
    path = tmp_path / "scan.h5"
    path.write_bytes(b"the scan before")
    monkeypatch.setattr(os, "pwrite", filled_up(5000))
    with pytest.raises(OutputError, match=r"scan\.h5: can't be written: No space left on device"):
        write_scan(path, RECIPE)
    assert path.read_bytes() == b"the scan before"
    assert list(tmp_path.iterdir()) == [path]
