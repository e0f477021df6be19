import os

import ismrmrd
import numpy as np
import pytest
from full_disk import filled_up
from mrd_items import cbf, delta_m, m0, volume
from mrd_streams import ismrmrd_image
from scan_headers import scan_header

from perfline.gadgets.mrd import image_file
from perfline.gadgets.mrd.image_file import ImageFileWriter
from perfline.gadgets.mrd.images import ImageMaker
from perfline.gadgets.mrd.messages import Image
from perfline.gadgets.mrd.mrd_file import MrdFile
from perfline.gadgets.mrd.wire import encode
from perfline.recon.errors import InputError

IMAGES = [image for item in (volume(), cbf(), delta_m(), m0()) for image in ImageMaker(scan_header()).images_of(item)]


def test_ismrmrd_dataset_reads_the_images(tmp_path):
    with ImageFileWriter(tmp_path / "a.h5", b"<h/>") as writer:
        writer.append(IMAGES)
        writer.append(IMAGES)
    with ismrmrd.Dataset(tmp_path / "a.h5", mode="r") as dataset:
        assert dataset.read_xml_header() == b"<h/>"
        for series in (1, 3, 5, 6, 7):
            mine = [image for image in IMAGES if image.header.image_series_index == series]
            assert dataset.number_of_images(f"image_{series}") == 2 * len(mine)
            for i, image in enumerate(mine + mine):
                theirs = dataset.read_image(f"image_{series}", i)
                np.testing.assert_array_equal(theirs.data, image.data)
                assert theirs.meta == image.meta
                assert (theirs.slice, theirs.image_index) == (image.header.slice, image.header.image_index)
                assert tuple(theirs.position) == pytest.approx(image.header.position)


def test_ismrmrd_file_reads_the_images(tmp_path):
    with ImageFileWriter(tmp_path / "a.h5") as writer:
        writer.append(IMAGES)
    with ismrmrd.File(tmp_path / "a.h5", "r") as file:
        theirs = list(file["dataset"]["image_3"].images)
    assert len(theirs) == 3
    np.testing.assert_array_equal(theirs[1].data, IMAGES[4].data)
    assert theirs[1].meta["DataRole"] == ["Image", "Quantitative"]


def test_the_headers_of_a_long_scan_do_not_wait_for_its_end(tmp_path, monkeypatch):
    monkeypatch.setattr(image_file, "_MOST_WAITING", 4)
    with ImageFileWriter(tmp_path / "a.h5") as writer:
        for _ in range(5):
            writer.append(IMAGES)
            assert all(len(group._heads) < 4 for group in writer._groups.values())
    with MrdFile(tmp_path / "a.h5") as file:
        theirs = [encode(image) for image in file.images()]
    assert sorted(theirs) == sorted(5 * [encode(image) for image in IMAGES])


def test_our_reader_gives_the_same_messages_back(tmp_path):
    complex_images = ImageMaker(scan_header(), is_complex=True).images_of(volume())
    with ImageFileWriter(tmp_path / "a.h5") as writer:
        writer.append(complex_images)
    with MrdFile(tmp_path / "a.h5") as file:
        assert [encode(image) for image in file.images()] == [encode(image) for image in complex_images]


def test_images_of_another_type_get_a_group_of_their_own(tmp_path):
    magnitude = ImageMaker(scan_header()).images_of(volume())
    whole = ImageMaker(scan_header(), is_complex=True).images_of(volume())
    with ImageFileWriter(tmp_path / "a.h5") as writer:
        writer.append([*magnitude, *whole, *magnitude])
    with ismrmrd.Dataset(tmp_path / "a.h5", mode="r") as dataset:
        assert dataset.number_of_images("image_1") == 6
        assert dataset.number_of_images("image_1_2") == 3
        np.testing.assert_array_equal(dataset.read_image("image_1_2", 2).data, whole[2].data)


def test_an_existing_file_keeps_what_it_has(tmp_path):
    with ImageFileWriter(tmp_path / "a.h5", b"<first/>") as writer:
        writer.append(IMAGES[:3])
    with ImageFileWriter(tmp_path / "a.h5", b"<second/>") as writer:
        writer.append(IMAGES[:2])
        writer.append([])
    with MrdFile(tmp_path / "a.h5") as file:
        assert file.header_xml() == b"<first/>"
        assert len(list(file.images())) == 5


def test_the_file_is_complete_after_each_flush(tmp_path):
    writer = ImageFileWriter(tmp_path / "a.h5")
    writer.append(IMAGES[:4])
    writer.flush()
    writer.append(IMAGES[4:])
    writer.flush()
    copy = tmp_path / "copy.h5"
    copy.write_bytes((tmp_path / "a.h5").read_bytes())
    writer.close()
    writer.close()
    with MrdFile(copy) as file:
        assert sorted(map(encode, file.images())) == sorted(map(encode, IMAGES))


def test_a_new_file_forgets_what_was_there(tmp_path):
    with ImageFileWriter(tmp_path / "a.h5", b"<first/>") as writer:
        writer.append(IMAGES)
    with ImageFileWriter(tmp_path / "a.h5", is_new=True) as writer:
        writer.append(IMAGES[:1])
        assert writer.n_images == 1
    with ismrmrd.Dataset(tmp_path / "a.h5", mode="r") as dataset:
        assert list(dataset.list()) == ["image_1"]
        assert dataset.number_of_images("image_1") == 1


@pytest.mark.parametrize("dtype", [np.float32, np.complex64])
def test_a_file_of_another_program_is_continued(tmp_path, dtype):
    # large enough that h5py, left alone, divides an image into several chunks
    theirs = [ismrmrd_image(dtype, (1, 1, 64, 60), seed) for seed in (1, 2, 3)]
    images = [Image(IMAGES[0].header, IMAGES[0].attributes, one.data.copy()) for one in theirs]
    with ismrmrd.Dataset(tmp_path / "a.h5") as dataset:
        dataset.append_image("image_1", theirs[0])
    with ImageFileWriter(tmp_path / "a.h5") as writer:
        writer.append(images[1:2])
        writer.flush()
        writer.append(images[2:])
    with ismrmrd.Dataset(tmp_path / "a.h5", mode="r") as dataset:
        assert dataset.number_of_images("image_1") == 3
        for at, one in enumerate(theirs):
            np.testing.assert_array_equal(dataset.read_image("image_1", at).data, one.data)
        assert dataset.read_image("image_1", 2).meta == images[2].meta


def test_big_endian_images_share_the_group_of_the_others(tmp_path):
    image = IMAGES[0]
    turned = Image(image.header, image.attributes, image.data.astype(">f4"))
    with ImageFileWriter(tmp_path / "a.h5") as writer:
        writer.append([image, turned, image])
    with MrdFile(tmp_path / "a.h5") as file:
        assert [encode(one) for one in file.images()] == [encode(image)] * 3


def test_attributes_with_zeros_inside_end_there(tmp_path):
    image = Image(IMAGES[0].header, IMAGES[0].attributes + b"\0rubbish", IMAGES[0].data)
    with ImageFileWriter(tmp_path / "a.h5") as writer:
        writer.append([image, IMAGES[0]])
    with MrdFile(tmp_path / "a.h5") as file:
        assert [one.attributes for one in file.images()] == [IMAGES[0].attributes] * 2


def test_data_that_mrd_does_not_know(tmp_path):
    image = Image(IMAGES[0].header, b"", np.zeros((1, 1, 2, 2), np.int64))
    with ImageFileWriter(tmp_path / "a.h5") as writer, pytest.raises(InputError, match="got int64"):
        writer.append([image])


# at the start, amid the images, at the end
@pytest.mark.parametrize("n_bytes", [0, 3000, 12_000])
def test_a_full_disk_ends_the_file_and_nothing_else(tmp_path, monkeypatch, n_bytes):
    writer = ImageFileWriter(tmp_path / "a.h5", b"<h/>")
    monkeypatch.setattr(os, "pwrite", filled_up(n_bytes))

    def append_many():
        for _ in range(4):
            writer.append(IMAGES)
            writer.flush()

    with pytest.raises(OSError, match="No space left on device"):
        append_many()
    for again in (lambda: writer.append(IMAGES), lambda: writer.append_waveforms([]), writer.flush):
        with pytest.raises(OSError, match="No space left on device"):
            again()
    assert not writer.root
    writer.close()


def test_a_full_disk_takes_no_file(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "pwrite", filled_up(0))
    with pytest.raises(OSError, match="No space left on device"):
        ImageFileWriter(tmp_path / "a.h5", b"<h/>")


def test_a_disk_that_is_full_at_the_end_is_told_by_closing(tmp_path, monkeypatch):
    writer = ImageFileWriter(tmp_path / "a.h5")
    writer.append(IMAGES)
    monkeypatch.setattr(os, "pwrite", filled_up(0))
    with pytest.raises(OSError, match="No space left on device"):
        writer.close()
    writer.close()


def test_what_is_no_hdf5_is_refused_and_left_alone(tmp_path):
    (tmp_path / "a.h5").write_bytes(b"something else")
    with pytest.raises(OSError, match="file signature not found"):
        ImageFileWriter(tmp_path / "a.h5")
    assert (tmp_path / "a.h5").read_bytes() == b"something else"
