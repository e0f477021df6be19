import io
from dataclasses import replace

import ismrmrd
import numpy as np
import pytest
from mrd_items import average, delta_m, m0, same_item, volume
from scan_headers import scan_header

from perfline.gadgets.mrd.collect_images import CollectImages
from perfline.gadgets.mrd.images import ImageMaker
from perfline.gadgets.mrd.messages import Image
from perfline.gadgets.mrd.wire import MessageReader, encode
from perfline.gadgets.stage_data import Dropped


def images_of(*items, is_complex=True):
    maker = ImageMaker(scan_header(n_slices=3), is_complex=is_complex)
    return [image for item in items for image in maker.images_of(item)]


def collect(items):
    stage = CollectImages()
    out = [result for item in items for result in stage.process(item)]
    return out + list(stage.finish())


def through_the_wire(images):
    reader = MessageReader(io.BytesIO(b"".join(map(encode, images))).readinto)
    return [reader.read() for _ in images]


def as_gadgetron_returns_it(image):
    """Meta written anew, keys sorted."""
    theirs = ismrmrd.Image.from_bytes(encode(image)[2:])
    theirs.attribute_string = ismrmrd.Meta(sorted(theirs.meta.items())).serialize()
    return MessageReader(io.BytesIO(b"\xfe\x03" + theirs.to_bytes()).readinto).read()


ITEMS = [volume(0), volume(1, with_label=False), volume(2, is_m0=True), m0(), delta_m(5), delta_m(6)]


@pytest.mark.parametrize("way", [list, through_the_wire, lambda images: list(map(as_gadgetron_returns_it, images))])
def test_items_come_back_in_every_bit(way):
    results = collect(way(images_of(*ITEMS)))
    assert len(results) == len(ITEMS)
    for result, item in zip(results, ITEMS, strict=True):
        assert same_item(result, item)


def test_an_item_leaves_with_its_last_slice():
    stage = CollectImages()
    images = images_of(volume())
    assert [len(list(stage.process(image))) for image in images] == [0, 0, 1]


def test_slices_in_any_order():
    images = images_of(volume())
    (result,) = collect([images[2], images[0], images[1]])
    assert same_item(result, volume())


def test_other_images_and_items_pass():
    magnitude = images_of(volume(), average(), is_complex=False)
    foreign = Image(magnitude[0].header, b"", magnitude[0].data)
    given = [*magnitude, foreign, "text"]
    assert collect(given) == given


def test_incomplete_items_are_reported():
    first, second = images_of(volume(0)), images_of(volume(1))
    results = collect([first[0], first[2], *second, first[0]])
    assert [type(result) for result in results] == [Dropped, type(volume()), Dropped]
    assert "slices [1] of 3 are missing" in results[0].reason
    assert "slices [1, 2] of 3 are missing" in results[2].reason
    assert same_item(results[1], volume(1))


def test_slices_that_do_not_belong_are_reported():
    images = images_of(volume())
    beyond = images[1].with_header(slice=3)
    results = collect([images[0], images[0], beyond, images[1], images[2]])
    assert [result.reason for result in results[:2]] == [
        "image of slice 0 came twice",
        "image of slice 3 is beyond the 3 of its item",
    ]
    assert same_item(results[2], volume())


def test_slices_of_unequal_size_are_reported():
    images = images_of(delta_m())
    smaller = replace(images[2], data=images[2].data[..., :2, :])
    (result,) = collect([*images[:2], smaller])
    assert isinstance(result, Dropped)
    assert "expected equal shapes" in result.reason


def test_broken_meta_is_reported():
    image = images_of(delta_m())[0]
    broken = replace(image, attributes=image.attributes.replace(b'"geometry"', b'"other"'))
    rubbish = replace(image, attributes=b"<a>")
    reasons = [result.reason for result in collect([broken, rubbish])]
    assert "expected an item as JSON" in reasons[0]
    assert "image meta: not XML" in reasons[1]


def test_pixels_are_contiguous_for_the_kernels():
    (result,) = collect(through_the_wire(images_of(volume())))
    assert result.image.flags.c_contiguous
    assert result.image.dtype == np.complex64
