import ismrmrd
import numpy as np
import pytest
from mrd_items import cbf, delta_m, m0, volume
from scan_headers import scan_header

from perfline.gadgets.mrd.image_file import ImageFileWriter
from perfline.gadgets.mrd.images import ImageMaker
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


def test_the_file_is_complete_before_it_is_closed(tmp_path):
    writer = ImageFileWriter(tmp_path / "a.h5")
    writer.append(IMAGES)
    copy = tmp_path / "copy.h5"
    copy.write_bytes((tmp_path / "a.h5").read_bytes())
    writer.close()
    writer.close()
    with MrdFile(copy) as file:
        assert len(list(file.images())) == len(IMAGES)


def test_data_that_mrd_does_not_know(tmp_path):
    image = type(IMAGES[0])(IMAGES[0].header, b"", np.zeros((1, 1, 2, 2), np.int64))
    with ImageFileWriter(tmp_path / "a.h5") as writer, pytest.raises(InputError, match="got int64"):
        writer.append([image])
