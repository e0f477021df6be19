import numpy as np
import pytest

from perfline.gadgets.mrd.layout import IMAGE_HEADER, ImageType
from perfline.gadgets.mrd.messages import Image, ImageHeader
from perfline.recon.errors import InputError


def test_header_bytes_follow_the_data():
    image = Image(ImageHeader(image_type=ImageType.COMPLEX, slice=4), b"meta!", np.zeros((2, 3, 5, 7), np.complex64))
    head = np.frombuffer(image.header_bytes(), IMAGE_HEADER)[0]
    assert head["matrix_size"].tolist() == [7, 5, 3]
    assert (head["channels"], head["data_type"], head["attribute_string_len"]) == (2, 7, 5)
    assert (head["slice"], head["image_type"], head["version"]) == (4, 5, 1)


def test_with_header_changes_only_what_is_named():
    image = Image(ImageHeader(slice=4, phase=2), b"", np.zeros((1, 1, 2, 2), np.float32))
    other = image.with_header(slice=5)
    assert (other.header.slice, other.header.phase) == (5, 2)
    assert other.data is image.data
    assert image.header.slice == 4


def test_big_endian_data_keep_their_type():
    image = Image(ImageHeader(), b"", np.zeros((1, 1, 2, 2), ">f4"))
    assert np.frombuffer(image.header_bytes(), IMAGE_HEADER)["data_type"] == 5


def test_data_of_three_axes_are_refused():
    with pytest.raises(InputError, match=r"image data: expected \(n_channels, n_z, n_y, n_x\), got \(2, 2, 2\)"):
        Image(ImageHeader(), b"", np.zeros((2, 2, 2), np.float32)).header_bytes()
