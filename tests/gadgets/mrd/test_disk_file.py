import errno
import os

import h5py
import numpy as np
import pytest
from full_disk import filled_up

from perfline.gadgets.mrd.disk_file import DiskFile

rng = np.random.default_rng(11)
IMAGES = rng.uniform(0, 1, (40, 3, 5, 7)).astype(np.float32)


def write_images(disk):
    with h5py.File(disk, "w") as file:
        data = file.create_dataset("a", (0, *IMAGES.shape[1:]), "f4", maxshape=(None, *IMAGES.shape[1:]), chunks=True)
        for i, image in enumerate(IMAGES):
            data.resize(i + 1, axis=0)
            data[i] = image
            file.flush()
    disk.close()


def test_hdf5_reads_what_it_wrote(tmp_path):
    path = tmp_path / "a.h5"
    path.write_bytes(b"an older file" * 1000)
    disk = DiskFile(path, is_new=True)
    assert disk.is_empty
    write_images(disk)
    assert disk.failure is None
    with h5py.File(path, "r") as file:
        np.testing.assert_array_equal(file["a"][:], IMAGES)
    again = DiskFile(path, is_new=False)
    assert not again.is_empty
    with h5py.File(again, "r+") as file:
        file["a"][3] = IMAGES[0]
    again.close()
    with h5py.File(path, "r") as file:
        np.testing.assert_array_equal(file["a"][3], IMAGES[0])


# nothing, the file's own first bytes, amid the images, all but the last words
@pytest.mark.parametrize("n_bytes", [0, 100, 5000, 30_000])
def test_a_full_disk_is_told_and_hdf5_never_sees_it(tmp_path, monkeypatch, n_bytes):
    monkeypatch.setattr(os, "pwrite", filled_up(n_bytes))
    disk = DiskFile(tmp_path / "a.h5", is_new=True)
    write_images(disk)
    assert disk.failure.errno == errno.ENOSPC


def test_what_the_disk_does_not_take_is_read_back(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "pwrite", filled_up(6))
    disk = DiskFile(tmp_path / "a", is_new=True)
    assert disk.write(b"0123456789") == 10
    disk.seek(3)
    disk.write(b"abcde")
    disk.seek(-12, os.SEEK_CUR)
    assert disk.tell() == -4
    disk.seek(1)
    target = memoryview(bytearray(20))
    assert disk.readinto(target) == 9
    assert bytes(target[:9]) == b"12abcde89"
    assert disk.seek(0, os.SEEK_END) == 10
    assert disk.read() == b""
    disk.seek(4)
    assert disk.read(3) == b"bcd"
    assert disk.truncate(5) == 5
    disk.seek(0)
    assert disk.read() == b"012ab"
    disk.close()
    disk.close()
    assert (tmp_path / "a").read_bytes() == b"012345"


def test_longer_than_the_disk_allows(tmp_path, monkeypatch):
    def ftruncate(descriptor, size):
        raise OSError(errno.EFBIG, os.strerror(errno.EFBIG))

    disk = DiskFile(tmp_path / "a", is_new=True)
    monkeypatch.setattr(os, "ftruncate", ftruncate)
    disk.truncate(12)
    assert disk.failure.errno == errno.EFBIG
    assert disk.read() == bytes(12)
    disk.close()


def test_only_one_writes(tmp_path):
    disk = DiskFile(tmp_path / "a", is_new=True)
    disk.write(b"mine")
    with pytest.raises(BlockingIOError, match="another process has it open"):
        DiskFile(tmp_path / "a", is_new=True)
    disk.close()
    assert (tmp_path / "a").read_bytes() == b"mine"
    DiskFile(tmp_path / "a", is_new=True).close()
    assert (tmp_path / "a").read_bytes() == b""


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(FileNotFoundError, match="No such file"):
        DiskFile(tmp_path / "missing" / "a", is_new=True)
