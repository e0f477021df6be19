import h5py
import ismrmrd
import numpy as np
import pytest
from mrd_headers import header_xml
from spiral_headers import hargreaves

from perfline.gadgets.errors import ConfigurationError, ScanHeaderError
from perfline.gadgets.replay.trajectory_file import read_trajectory

POSITIONS = np.random.default_rng(3).uniform(-0.5, 0.5, (3, 20, 2)).astype(np.float32)


def write_npz(path, **content):
    np.savez(path, **({"trajectory": POSITIONS, "units": "per_m"} | content))
    return path


def write_mrd(path, shots, units="cycles_per_fov"):
    """Readouts of one coil; `shots` are (trajectory (n_samples, (x, y, ...)), line, partition, flags)."""
    with ismrmrd.Dataset(path) as dataset:
        dataset.write_xml_header(header_xml(trajectory="spiral", description=hargreaves("mine", units=units)))
        for own, line, partition, flags in shots:
            acquisition = ismrmrd.Acquisition.from_array(np.zeros((1, len(own)), np.complex64), own)
            acquisition.idx.kspace_encode_step_1, acquisition.idx.kspace_encode_step_2 = line, partition
            for flag in flags:
                acquisition.set_flag(flag)
            dataset.append_acquisition(acquisition)
    return path


def test_npz(tmp_path):
    given = read_trajectory(write_npz(tmp_path / "t.npz"))
    assert given.positions.dtype == np.float64
    np.testing.assert_array_equal(given.positions, POSITIONS)
    assert (given.units, given.name) == ("per_m", "trajectory file t.npz")


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ({"trajectory": POSITIONS[0]}, r"t.npz: trajectory: expected real numbers .* got float32 \(20, 2\)"),
        ({"trajectory": POSITIONS[..., :1]}, r"got float32 \(3, 20, 1\)"),
        ({"trajectory": POSITIONS * 1j}, r"got complex64 \(3, 20, 2\)"),
        ({"units": 3.0}, "units: expected text, got"),
        ({"units": ["per_m", "per_m"]}, "units: expected text, got"),
    ],
)
def test_npz_with_wrong_content(tmp_path, content, text):
    with pytest.raises(ConfigurationError, match=text):
        read_trajectory(write_npz(tmp_path / "t.npz", **content))


@pytest.mark.parametrize("key", ["trajectory", "units"])
def test_npz_that_lacks_a_key(tmp_path, key):
    content = {"trajectory": POSITIONS, "units": "per_m"}
    del content[key]
    np.savez(tmp_path / "t.npz", **content)
    with pytest.raises(ConfigurationError, match=f"trajectory file t.npz: {key} is missing"):
        read_trajectory(tmp_path / "t.npz")


@pytest.mark.parametrize("content", [b"this is no archive", b"PK\x03\x04 cut off", b""])
def test_npz_that_is_none(tmp_path, content):
    (tmp_path / "t.npz").write_bytes(content)
    with pytest.raises(ConfigurationError, match=r"trajectory file t.npz: "):
        read_trajectory(tmp_path / "t.npz")


def test_npz_holds_no_programs(tmp_path):
    np.savez(tmp_path / "t.npz", trajectory=np.array([{"a": 1}], object), units="per_m")
    with pytest.raises(ConfigurationError, match="allow_pickle=False"):
        read_trajectory(tmp_path / "t.npz")


def test_readouts_of_a_scan_in_order_of_their_interleaf(tmp_path):
    noise = (np.zeros((7, 2), np.float32), 9, 0, [ismrmrd.ACQ_IS_NOISE_MEASUREMENT])
    shots = [noise, *((POSITIONS[line], line, 0, []) for line in (2, 0, 1, 0, 2))]
    given = read_trajectory(write_mrd(tmp_path / "t.h5", shots))
    np.testing.assert_array_equal(given.positions, POSITIONS[..., ::-1])
    assert given.units == "cycles_per_fov"


def test_two_axes_know_no_partitions_but_three_do(tmp_path):
    flat = [(POSITIONS[line], line, partition, []) for partition in (1, 0) for line in (0, 1)]
    np.testing.assert_array_equal(
        read_trajectory(write_mrd(tmp_path / "flat.h5", flat)).positions, POSITIONS[:2, :, ::-1]
    )
    deep = [
        (np.hstack([own, np.full((20, 1), partition / 8, np.float32)]), line, partition, [])
        for own, line, partition, _ in flat
    ]
    positions = read_trajectory(write_mrd(tmp_path / "deep.h5", deep)).positions
    assert positions.shape == (4, 20, 3)
    np.testing.assert_array_equal(positions[:, 0, 0], [0, 0, 1 / 8, 1 / 8])
    np.testing.assert_array_equal(positions[2:, :, 1:], POSITIONS[:2, :, ::-1])


@pytest.mark.parametrize(
    ("shots", "text"),
    [
        ([(POSITIONS[0], 0, 0, []), (POSITIONS[1], 0, 0, [])], "line 0 of partition 0: expected the same trajectory"),
        ([(POSITIONS[0], 0, 0, []), (POSITIONS[1, :9], 1, 0, [])], r"expected one shape .* \[\(9, 2\), \(20, 2\)\]"),
        ([(POSITIONS[0, :, :0], 0, 0, [])], "t.h5: expected imaging readouts with a trajectory, got none"),
    ],
)
def test_readouts_that_do_not_agree(tmp_path, shots, text):
    with pytest.raises(ConfigurationError, match=text):
        read_trajectory(write_mrd(tmp_path / "t.h5", shots))


def test_the_header_of_the_file_declares_the_units(tmp_path):
    shots = [(POSITIONS[0], 0, 0, [])]
    with pytest.raises(ScanHeaderError, match=r"units .*: expected normalized or .* got 'furlongs'"):
        read_trajectory(write_mrd(tmp_path / "t.h5", shots, units="furlongs"))
    path = write_mrd(tmp_path / "u.h5", shots)
    with h5py.File(path, "r+") as file:
        file["dataset/xml"][0] = header_xml(trajectory="spiral")
    assert read_trajectory(path).units == "normalized"


def test_other_files(tmp_path):
    with pytest.raises(ConfigurationError, match=r"t.txt: expected .npz, .h5, .mrd or .seq"):
        read_trajectory(tmp_path / "t.txt")
    with pytest.raises(ConfigurationError, match=r"t.npz: there is no such file"):
        read_trajectory(tmp_path / "t.npz")
