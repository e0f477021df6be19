import nibabel
import numpy as np
import pytest
from small_scan import RECIPE

from perfline.gadgets.errors import ConfigurationError, ScanHeaderError, StreamError
from perfline.gadgets.replay.separate_m0 import read_separate_m0
from perfline.gadgets.simulate.write_mrd import write_scan


def test_nifti_axes_come_back_as_slice_y_x(tmp_path):
    data = np.arange(2 * 3 * 4, dtype=np.float32).reshape(4, 3, 2)
    nibabel.save(nibabel.Nifti1Image(data, np.eye(4)), tmp_path / "m0.nii.gz")
    m0 = read_separate_m0(tmp_path / "m0.nii.gz")
    assert m0.image.shape == (2, 3, 4)
    assert m0.image[1, 2, 3] == data[3, 2, 1]
    assert m0.image.dtype == np.float32
    np.testing.assert_array_equal(m0.affine, np.eye(4))
    assert m0.repetition_time is None


def test_the_repetition_time_comes_from_the_sidecar_in_seconds(tmp_path):
    nibabel.save(nibabel.Nifti1Image(np.ones((4, 3, 2), np.float32), np.eye(4)), tmp_path / "m0.nii.gz")
    (tmp_path / "m0.json").write_text('{"RepetitionTime": 2.0, "RepetitionTimePreparation": 6.0}')
    assert read_separate_m0(tmp_path / "m0.nii.gz").repetition_time == 6.0
    (tmp_path / "m0.json").write_text('{"RepetitionTimePreparation": 2540}')
    with pytest.raises(ScanHeaderError, match=r"RepetitionTimePreparation .*expected seconds"):
        read_separate_m0(tmp_path / "m0.nii.gz")


@pytest.mark.parametrize(
    ("sidecar", "echo_time"),
    [
        ("{}", None),
        ('{"EchoTime": 0.012}', 0.012),
        ('{"EchoTime": [0.012, 0.012]}', 0.012),
        ('{"EchoTime": [0.01, 0.02]}', None),
    ],
)
def test_the_echo_time_is_that_of_all_volumes_or_none(tmp_path, sidecar, echo_time):
    nibabel.save(nibabel.Nifti1Image(np.ones((4, 3, 2), np.float32), np.eye(4)), tmp_path / "m0.nii.gz")
    (tmp_path / "m0.json").write_text(sidecar)
    assert read_separate_m0(tmp_path / "m0.nii.gz").echo_time == echo_time


@pytest.mark.parametrize(
    ("sidecar", "degrees"),
    [
        ('{"FlipAngle": 30}', 30),
        ("{}", None),
        ('{"FlipAngle": [30, 40]}', None),
        ('{"FlipAngle": 30, "MRAcquisitionType": "3D"}', None),
        ('{"FlipAngle": 30, "BackgroundSuppression": true}', None),
        ('{"FlipAngle": 30, "LookLocker": true}', None),
    ],
)
def test_the_flip_angle_is_that_of_one_excitation_or_none(tmp_path, sidecar, degrees):
    nibabel.save(nibabel.Nifti1Image(np.ones((4, 3, 2), np.float32), np.eye(4)), tmp_path / "m0.nii.gz")
    (tmp_path / "m0.json").write_text(sidecar)
    angle = read_separate_m0(tmp_path / "m0.nii.gz").flip_angle
    assert angle == (None if degrees is None else pytest.approx(np.deg2rad(degrees)))


def test_the_repetition_time_says_where_it_is_from(tmp_path):
    nibabel.save(nibabel.Nifti1Image(np.ones((4, 3, 2), np.float32), np.eye(4)), tmp_path / "m0.nii.gz")
    (tmp_path / "m0.json").write_text('{"RepetitionTimePreparation": 2000}')
    m0 = read_separate_m0(tmp_path / "m0.nii.gz", units={"RepetitionTimePreparation": "ms"})
    origin = "RepetitionTimePreparation, sidecar of m0.nii.gz, in ms by --assume-unit"
    assert (m0.repetition_time, m0.repetition_time_origin) == (2.0, origin)
    (tmp_path / "m0.json").write_text('{"RepetitionTime": 8.0}')
    m0 = read_separate_m0(tmp_path / "m0.nii.gz", units={"RepetitionTime": "ms"})
    assert m0.repetition_time == 8.0
    assert "taken as seconds there" in m0.warnings[0]


def test_a_file_that_does_not_know_its_place_has_no_affine(tmp_path):
    image = nibabel.Nifti1Image(np.ones((4, 3, 2), np.float32), None)
    nibabel.save(image, tmp_path / "m0.nii")
    assert read_separate_m0(tmp_path / "m0.nii").affine is None


def test_several_volumes_are_averaged(tmp_path):
    data = np.stack([np.full((4, 3, 2), 1.0), np.full((4, 3, 2), 3.0)], axis=3).astype(np.float32)
    nibabel.save(nibabel.Nifti1Image(data, np.eye(4)), tmp_path / "m0.nii")
    assert (read_separate_m0(tmp_path / "m0.nii").image == 2.0).all()


@pytest.mark.parametrize("n_axes", [2, 5])
def test_other_numbers_of_axes_are_refused(tmp_path, n_axes):
    nibabel.save(nibabel.Nifti1Image(np.ones((2,) * n_axes, np.float32), np.eye(4)), tmp_path / "m0.nii")
    with pytest.raises(ConfigurationError, match=f"expected 3 or 4 axes, got {n_axes}"):
        read_separate_m0(tmp_path / "m0.nii")


def test_a_raw_scan_is_reconstructed(tmp_path):
    from dataclasses import replace

    recipe = replace(RECIPE, n_pairs=0, n_m0=2)
    write_scan(tmp_path / "m0.h5", recipe)
    m0 = read_separate_m0(tmp_path / "m0.h5")
    assert m0.image.shape == (recipe.n_slices, recipe.matrix_y, recipe.matrix_x)
    assert m0.image.max() > 0
    assert m0.affine is not None
    assert m0.repetition_time == recipe.repetition_time
    assert m0.repetition_time_origin == "M0 file m0.h5, header sequenceParameters.TR"
    assert m0.flip_angle == pytest.approx(recipe.flip_angle)


def test_what_can_not_be_read_is_named(tmp_path):
    (tmp_path / "m0.nii").write_bytes(b"nothing")
    with pytest.raises(ConfigurationError, match=r"M0 file .*m0.nii"):
        read_separate_m0(tmp_path / "m0.nii")
    with pytest.raises((ConfigurationError, StreamError), match="absent"):
        read_separate_m0(tmp_path / "absent.h5")
