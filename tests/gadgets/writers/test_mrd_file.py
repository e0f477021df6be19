import os

import ismrmrd
import numpy as np
import pytest
from full_disk import filled_up
from scan_headers import scan_header

from perfline.gadgets.errors import OutputError
from perfline.gadgets.mrd.messages import Image, ImageHeader
from perfline.gadgets.mrd.meta import encode_meta
from perfline.gadgets.writers.mrd_file import MrdImageSink

SHAPE = (1, 3, 5, 4)
rng = np.random.default_rng(4)


def image(series, index, dtype=np.float32, shape=SHAPE):
    data = rng.uniform(0, 1000, shape).astype(dtype)
    if np.issubdtype(dtype, np.complexfloating):
        data = data + 1j * rng.uniform(0, 1, shape).astype(dtype)
    header = ImageHeader(
        image_series_index=series,
        image_index=index,
        field_of_view=(200.0, 190.0, 60.0),
        position=(1.0, -2.0, 3.0),
        repetition=index,
    )
    return Image(header, encode_meta({"DataRole": ["Image", "Quantitative"], "pairs": index}), data.astype(dtype))


def save(folder, items, **options):
    sink = MrdImageSink(folder, **options)
    sink.open(scan_header())
    for item in items:
        sink.write(item)
    return sink.close(None)


@pytest.fixture
def dataset(tmp_path):
    """Opens the file with the ismrmrd package and closes it at the end."""
    opened = []

    def open_file(path):
        opened.append(ismrmrd.Dataset(path, "dataset", mode="r"))
        return opened[-1]

    yield open_file
    for one in opened:
        one.close()


@pytest.mark.parametrize("dtype", [np.float32, np.complex64, np.uint16, np.int16, np.float64])
def test_images_read_back_with_the_ismrmrd_package(tmp_path, dataset, dtype):
    images = [image(3, index, dtype) for index in (1, 2, 3)]
    (path,) = save(tmp_path, ["other", images[0], image(1, 1), *images[1:]])
    assert path == tmp_path / "images.mrd.h5"
    assert list(tmp_path.iterdir()) == [path]
    found = dataset(path)
    assert found.number_of_images("image_3") == 3
    assert found.number_of_images("image_1") == 1
    for at, one in enumerate(images):
        read_back = found.read_image("image_3", at)
        np.testing.assert_array_equal(read_back.data, one.data)
        assert read_back.data.dtype == dtype
        assert read_back.meta == {"DataRole": ["Image", "Quantitative"], "pairs": str(at + 1)}
        assert (read_back.image_index, read_back.repetition) == (at + 1, at + 1)
        assert list(read_back.field_of_view) == [200, 190, 60]
        assert list(read_back.position) == [1, -2, 3]


def test_the_newer_reader_of_the_package_reads_it_too(tmp_path):
    images = [image(2, 1), image(2, 2)]
    (path,) = save(tmp_path, images)
    with ismrmrd.File(path, mode="r") as file:
        found = file["dataset/image_2"].images
        np.testing.assert_array_equal(found[1].data, images[1].data)
        assert found[1].meta["pairs"] == "2"


def test_more_images_than_one_block(tmp_path, dataset):
    images = [image(1, index) for index in range(130)]
    (path,) = save(tmp_path, images)
    found = dataset(path)
    assert found.number_of_images("image_1") == 130
    np.testing.assert_array_equal(found.read_image("image_1", 129).data, images[129].data)


def test_arrays_that_are_not_contiguous_are_taken(tmp_path, dataset):
    turned = image(1, 1)
    turned = Image(turned.header, turned.attributes, turned.data.transpose(0, 2, 1, 3))
    (path,) = save(tmp_path, [turned])
    np.testing.assert_array_equal(dataset(path).read_image("image_1", 0).data, turned.data)


def test_another_shape_or_type_in_a_series_gets_its_own_group(tmp_path, dataset):
    odd, complex_one = image(1, 2, shape=(1, 1, 5, 4)), image(1, 3, np.complex64)
    (path,) = save(tmp_path, [image(1, 1), odd, complex_one, image(1, 4)])
    found = dataset(path)
    assert sorted(found.list()) == ["image_1", "image_1_2", "image_1_3"]
    assert found.number_of_images("image_1") == 2
    np.testing.assert_array_equal(found.read_image("image_1_2", 0).data, odd.data)
    np.testing.assert_array_equal(found.read_image("image_1_3", 0).data, complex_one.data)


def test_a_scan_without_images_leaves_nothing(tmp_path):
    assert save(tmp_path, ["other"]) == ()
    assert not list(tmp_path.iterdir())
    assert MrdImageSink(tmp_path).close(None) == ()


def test_an_earlier_file_is_not_overwritten_unasked(tmp_path, dataset):
    save(tmp_path, [image(1, 1)])
    with pytest.raises(OutputError, match=r"images\.mrd\.h5: already there"):
        save(tmp_path, [image(1, 1)])
    (path,) = save(tmp_path, [image(2, 1)], overwrite=True)
    assert dataset(path).list() == ["image_2"] or list(dataset(path).list()) == ["image_2"]


def test_a_file_that_cannot_be_completed_is_named(tmp_path):
    sink = MrdImageSink(tmp_path)
    sink.open(scan_header())
    sink.write(image(1, 1))
    (tmp_path / "images.mrd.h5").mkdir()
    with pytest.raises(OutputError, match=r"images\.mrd\.h5: can't be written"):
        sink.close(None)
    assert sink.close(None) == ()


@pytest.mark.parametrize("n_bytes", [0, 5000])
def test_a_full_disk_is_told_once_and_keeps_no_part_of_the_file(tmp_path, monkeypatch, n_bytes):
    sink = MrdImageSink(tmp_path)
    sink.open(scan_header())
    monkeypatch.setattr(os, "pwrite", filled_up(n_bytes))

    def write_many():
        for number in range(100):
            sink.write(image(1, number))

    with pytest.raises(OutputError, match=r"images\.mrd\.h5: can't be written: No space left on device$"):
        write_many()
    assert list(tmp_path.iterdir()) == []
    sink.write(image(1, 1))
    assert sink.close(None) == ()


def test_a_disk_that_is_full_at_the_end(tmp_path, monkeypatch):
    sink = MrdImageSink(tmp_path)
    sink.open(scan_header())
    sink.write(image(1, 1))
    monkeypatch.setattr(os, "pwrite", filled_up(0))
    with pytest.raises(OutputError, match=r"images\.mrd\.h5: can't be written: No space left on device$"):
        sink.close(None)
    assert list(tmp_path.iterdir()) == []
