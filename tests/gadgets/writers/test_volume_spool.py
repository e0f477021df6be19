import numpy as np
import pytest

from perfline.gadgets.errors import OutputError
from perfline.gadgets.writers.volume_spool import VolumeSpool
from perfline.recon.errors import InputError

SHAPE = (2, 3, 5)


def images(n):
    return np.random.default_rng(8).standard_normal((n, *SHAPE)).astype(np.float32)


def test_volumes_come_back_in_order(tmp_path):
    spool = VolumeSpool(tmp_path / "series.f32", SHAPE)
    series = images(4)
    for image in series:
        spool.append(image)
    np.testing.assert_array_equal(spool.volumes(), series)
    assert isinstance(spool.volumes(), np.memmap)
    spool.discard()
    assert not list(tmp_path.iterdir())


def test_what_was_appended_is_on_disk_before_the_end(tmp_path):
    spool = VolumeSpool(tmp_path / "series.f32", SHAPE)
    series = images(2)
    for image in series:
        spool.append(image)
    # read by path, as after the death of the process
    np.testing.assert_array_equal(np.fromfile(tmp_path / "series.f32", "<f4").reshape(2, *SHAPE), series)
    spool.discard()


def test_arrays_that_are_not_contiguous_are_taken(tmp_path):
    spool = VolumeSpool(tmp_path / "series.f32", SHAPE)
    image = images(1)[0].transpose(2, 1, 0).copy().transpose(2, 1, 0)
    assert not image.flags.c_contiguous
    spool.append(image)
    np.testing.assert_array_equal(spool.volumes()[0], image)
    spool.discard()


def test_a_volume_after_a_broken_one_takes_its_place(tmp_path):
    spool = VolumeSpool(tmp_path / "series.f32", SHAPE)
    first, second = images(2)
    spool.append(first)
    with (tmp_path / "series.f32").open("ab") as file:
        file.write(b"half a volume")
    spool.append(second)
    np.testing.assert_array_equal(spool.volumes(), [first, second])
    spool.discard()


def test_nothing_appended_gives_an_empty_series(tmp_path):
    spool = VolumeSpool(tmp_path / "series.f32", SHAPE)
    assert spool.volumes().shape == (0, *SHAPE)
    spool.discard()
    spool.discard()


def test_another_shape_is_refused(tmp_path):
    spool = VolumeSpool(tmp_path / "series.f32", SHAPE)
    with pytest.raises(InputError, match=r"image: expected \(2, 3, 5\), got \(2, 5, 3\)"):
        spool.append(np.zeros((2, 5, 3), np.float32))
    spool.discard()
    with pytest.raises(InputError, match="expected to be open"):
        spool.append(np.zeros(SHAPE, np.float32))
    with pytest.raises(InputError, match=r"expected \(n_slices, n_y, n_x\)"):
        VolumeSpool(tmp_path / "series.f32", (3, 5))


def test_an_unwritable_place_is_named(tmp_path):
    with pytest.raises(OutputError, match=r"series\.f32: can't be written"):
        VolumeSpool(tmp_path / "missing" / "series.f32", SHAPE)
