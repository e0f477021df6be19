"""Images in, blood flow out: control, label and M0 magnitudes, as OpenRecon's image emitter sends them."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from end_to_end.hosts import run_in_node, serving
from end_to_end.scans import PLAIN, Outcome, Scan, run, run_messages, simulated

from perfline.gadgets.asl_subtraction import asl_subtraction
from perfline.gadgets.mrd.client import run_client
from perfline.gadgets.mrd.images import Series, scale_to_uint16
from perfline.gadgets.mrd.layout import AcquisitionFlag, ImageType
from perfline.gadgets.mrd.messages import Close, ConfigName, HeaderXml, Image
from perfline.gadgets.mrd.meta import encode_meta
from perfline.gadgets.simulate.scan_recipe import VolumeOrder
from perfline.gadgets.stage_data import CbfVolume, M0Volume, Volume, VolumeKey

BY_SET = simulated(PLAIN)
LISTED = simulated(replace(PLAIN, volume_order=VolumeOrder.ASLCONTEXT))
"""The same scan with its volumes counted by repetition alone, and their order in the header."""

ROUNDING = 1e-4
"""Of the flow, a difference of magnitudes a hundred times as large: these are float32, and taken in another place."""

META = encode_meta(
    {
        "DataRole": "Image",
        "ImageType": "ORIGINAL\\PRIMARY\\ASL\\NONE",
        "SequenceDescription": "pcasl_3d",
        "ImageRowDir": ["1.0", "0.0", "0.0"],
        "Keep_image_geometry": 1,
    }
)


@cache
def whole(scan: Scan) -> Outcome:
    outcome = run(scan)
    assert outcome.summary.status == "success"
    return outcome


@cache
def foreign(scan: Scan) -> tuple[Image, ...]:
    """The volumes of a scan as another reconstruction would send them: no meta of ours, M0 by the flag or the order."""
    images = []
    for image in run(scan, "epi").session.images:
        is_m0 = scan is BY_SET and image.header.image_series_index == Series.M0
        flags = AcquisitionFlag.USER1.mask if is_m0 else 0
        header = replace(image.header, flags=flags, image_series_index=1, image_index=len(images) + 1)
        images.append(Image(header, META, image.data))
    assert len(images) == 7 * PLAIN.n_slices
    return tuple(images)


def play(scan: Scan, images, **settings) -> Outcome:
    header = scan.with_header("<trajectory>epi", "<trajectory>cartesian").header
    return run_messages([HeaderXml(header), *images, Close()], "asl_images", **settings)


def last_cbf(outcome: Outcome) -> CbfVolume:
    return outcome.sink.of(CbfVolume)[-1]


def assert_same_flow(outcome: Outcome, scan: Scan) -> None:
    found, wanted = last_cbf(outcome), last_cbf(whole(scan))
    np.testing.assert_array_equal(found.mask, wanted.mask)
    assert np.abs(found.cbf - wanted.cbf)[wanted.mask].max() < ROUNDING * wanted.cbf[wanted.mask].max()


@pytest.mark.parametrize("scan", [BY_SET, LISTED], ids=["counter", "aslcontext"])
def test_the_flow_is_that_of_the_raw_data(scan):
    outcome = play(scan, foreign(scan))
    summary = outcome.summary
    assert (summary.status, summary.reason, summary.drops) == ("success", "", ())
    assert (summary.n_volumes, summary.n_pairs, summary.n_readouts) == (7, 3, 0)
    assert_same_flow(outcome, scan)
    error = last_cbf(outcome).standard_error - last_cbf(whole(scan)).standard_error
    assert np.abs(error[np.isfinite(error)]).max() < ROUNDING * np.nanmax(last_cbf(whole(scan)).cbf)
    assert outcome.sink.of(M0Volume)[-1].image.tobytes() == whole(scan).sink.of(M0Volume)[-1].image.tobytes()
    # and it goes back to where the images came from
    sent, source = outcome.series(Series.CBF)[: PLAIN.n_slices], foreign(scan)[: PLAIN.n_slices]
    for one, other in zip(sent, source, strict=True):
        for name in ("position", "read_dir", "phase_dir", "slice_dir", "slice"):
            assert getattr(one.header, name) == getattr(other.header, name)
        assert one.header.field_of_view == pytest.approx(other.header.field_of_view)


def by_slice(images):
    return sorted(images, key=lambda one: one.header.slice)


def backwards_within_volumes(images):
    n = PLAIN.n_slices
    return [images[start + n - 1 - number] for start in range(0, len(images), n) for number in range(n)]


def slabs(images):
    """Each volume as one 3D image, with the middle of the slab as its position."""
    found, n = [], PLAIN.n_slices
    for start in range(0, len(images), n):
        parts = images[start : start + n]
        first, last = np.array(parts[0].header.position), np.array(parts[-1].header.position)
        thickness = float(np.linalg.norm(last - first)) / (n - 1)
        view = (*parts[0].header.field_of_view[:2], thickness * n)
        header = replace(parts[0].header, position=tuple((first + last) / 2), field_of_view=view)
        found.append(Image(header, META, np.concatenate([one.data for one in parts], axis=1)))
    return found


@pytest.mark.parametrize("order", [by_slice, backwards_within_volumes, slabs])
@pytest.mark.parametrize("scan", [BY_SET, LISTED], ids=["counter", "aslcontext"])
def test_images_in_another_order_or_as_slabs(scan, order: Callable):
    outcome = play(scan, order(foreign(scan)))
    assert (outcome.summary.status, outcome.summary.drops) == ("success", ())
    assert_same_flow(outcome, scan)
    places, wanted = (one.sink.of(Volume)[3].geometry.positions for one in (outcome, whole(scan)))
    # header fields are float32
    np.testing.assert_allclose(places, wanted, rtol=1e-5, atol=1e-4)


def test_a_volume_leaves_with_its_last_slice():
    n = PLAIN.n_slices
    for n_images, n_volumes in ((n - 1, 0), (n, 1), (2 * n - 1, 1), (2 * n, 2)):
        outcome = play(BY_SET, foreign(BY_SET)[:n_images])
        assert len(outcome.sink.of(Volume)) == n_volumes


def test_whole_numbers_with_slope_and_intercept():
    largest = max(float(one.data.max()) for one in foreign(BY_SET))
    slope, intercept = largest / 50000, -0.2 * largest
    images = [scale_to_uint16(one, slope, intercept) for one in foreign(BY_SET)]
    assert all(one.data.dtype == np.uint16 for one in images)
    outcome = play(BY_SET, images)
    for found, wanted in zip(outcome.sink.of(Volume), whole(BY_SET).sink.of(Volume), strict=True):
        # half a step, and the rounding of float32 at the end
        assert np.abs(found.image - np.abs(wanted.image)).max() < 0.51 * slope


def test_a_missing_slice_costs_its_volume_and_pair():
    images = [one for one in foreign(LISTED) if (one.header.repetition, one.header.slice) != (3, 1)]
    outcome = play(LISTED, images)
    volume, pair = outcome.summary.drops
    assert (volume.what, volume.key) == ("volume", VolumeKey(3))
    assert volume.reason == "slices [1] of 2 are missing from its images"
    assert (pair.what, pair.reason) == ("pair", "pair 1: its control is missing")
    assert [one.label.volume_type for one in outcome.sink.of(Volume)] == [
        one.label.volume_type for one in whole(LISTED).sink.of(Volume) if one.key != VolumeKey(3)
    ]
    assert outcome.summary.n_pairs == 2


def spoilt(change: Callable[[Image], Image]) -> list[Image]:
    """One image of the second control changed."""
    return [
        change(one) if (one.header.repetition, one.header.set, one.header.slice) == (1, 0, 1) else one
        for one in foreign(BY_SET)
    ]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda one: replace(one, data=one.data[..., :-1]), r"expected images of \(24, 20\), got \(24, 19\)"),
        (lambda one: replace(one, data=np.concatenate([one.data] * 2)), "expected images of one channel, got 2"),
        (lambda one: replace(one, data=one.data * np.float32(np.nan)), "expected finite values"),
        (lambda one: one.with_header(slice=0), "image of slice 0 came twice"),
        (lambda one: one.with_header(slice=2), "image of slice 2: expected less than 2 slices"),
        (lambda one: replace(one, attributes=b"<a"), "image meta: not XML"),
        (
            lambda one: replace(one, attributes=encode_meta({"RescaleSlope": "0", "RescaleIntercept": "1"})),
            "RescaleSlope, RescaleIntercept: expected a positive and another number",
        ),
    ],
)
def test_a_bad_image_is_reported_and_the_rest_goes_on(change, reason):
    outcome = play(BY_SET, spoilt(change))
    slice_, volume, pair = outcome.summary.drops
    assert slice_.what == "slice"
    # of a meta that can't be read nothing is known
    assert slice_.key == (None if "XML" in reason else VolumeKey(1))
    with pytest.raises(AssertionError, match=reason):
        raise AssertionError(slice_.reason)
    assert (volume.what, volume.key) == ("volume", VolumeKey(1))
    assert (pair.what, outcome.summary.n_pairs) == ("pair", 2)


def test_images_that_are_no_volumes_pass():
    phase = replace(foreign(BY_SET)[0], data=foreign(BY_SET)[0].data).with_header(image_type=ImageType.PHASE)
    ours = whole(BY_SET).series(Series.CBF)
    outcome = play(BY_SET, [*foreign(BY_SET), phase, *ours])
    assert_same_flow(outcome, BY_SET)
    assert outcome.summary.n_volumes == 7
    assert any("images of image_type 2 (expected 1 magnitude" in text for _, text in outcome.summary.notices)


def test_magnitudes_of_perfline_are_images_like_others():
    ours = whole(BY_SET).session.images
    volumes = [one for one in ours if one.header.image_series_index == Series.MAGNITUDE]
    outcome = play(BY_SET, volumes, series="perfusion")
    assert outcome.summary.n_volumes == 6
    assert outcome.summary.n_pairs == 3


def test_over_the_wire():
    header = BY_SET.with_header("<trajectory>epi", "<trajectory>cartesian").header
    with serving() as (server, summaries):
        result = run_client(server.address, ConfigName("asl_images"), header, foreign(BY_SET), timeout=30)
    assert summaries[0].status == "success"
    wanted = whole(BY_SET).series(Series.CBF)
    found = [one for one in result.images if one.header.image_series_index == Series.CBF]
    for one, other in zip(found, wanted, strict=True):
        assert np.abs(one.data - other.data).max() < ROUNDING * other.data.max()


def test_in_a_gadgetron_node():
    answers = run_in_node(asl_subtraction, b"<configuration/>", BY_SET.header, foreign(BY_SET))
    pairs = [one for one in answers.images if one.header.image_series_index == Series.PERFUSION_PAIR]
    assert answers.errors == []
    assert len(pairs) == 3 * PLAIN.n_slices
