import json
from dataclasses import replace

import numpy as np
import pytest
from mrd_items import average, cbf, delta_m, fitted_cbf, geometry, m0, territories, volume
from scan_headers import ASL, scan_header

from perfline.gadgets.mrd.images import ImageMaker, Series, scale_to_uint16
from perfline.gadgets.mrd.layout import ImageType
from perfline.gadgets.mrd.messages import Image, ImageHeader
from perfline.gadgets.mrd.meta import encode_meta
from perfline.gadgets.stage_data import Parameter
from perfline.recon.errors import InputError

HEADER = scan_header(
    n_slices=3, parameters={"BloodT1": Parameter("BloodT1", 1.65, "s", "default: Alsop 2015, blood at 3 T")}
)


def maker(**options):
    return ImageMaker(HEADER, **options)


def test_one_image_for_each_slice_with_its_geometry():
    item = delta_m()
    images = maker().images_of(item)
    assert len(images) == 3
    place = geometry()
    for i, image in enumerate(images):
        head = image.header
        assert head.slice == i
        np.testing.assert_array_equal(image.data[0, 0], item.image[i])
        assert image.data.shape == (1, 1, 4, 6)
        assert image.data.dtype == np.float32
        assert head.position == tuple(place.positions[i])
        assert (head.read_dir, head.phase_dir, head.slice_dir) == (
            tuple(place.read_dir),
            tuple(place.phase_dir),
            tuple(place.slice_dir),
        )
        # 6 pixels of 2.5 mm, 4 of 3.75 mm, the slice thickness of the header
        assert head.field_of_view == (15.0, 15.0, HEADER.slice_thickness)


def test_counters_of_a_volume():
    head = maker().images_of(volume(70000))[1].header
    assert (head.repetition, head.set, head.phase, head.contrast, head.average) == (70000 - 65536, 1, 2, 0, 4)
    assert head.acquisition_time_stamp == round(12.345 / 0.0025)


@pytest.mark.parametrize(
    ("item", "series"),
    [
        (volume(), [Series.MAGNITUDE]),
        (volume(with_label=False), [Series.MAGNITUDE]),
        (volume(is_m0=True), [Series.M0]),
        (volume(with_label=False, is_m0=True), [Series.M0]),
        (m0(), [Series.M0]),
        (delta_m(), [Series.PERFUSION_PAIR]),
        (average(), [Series.PERFUSION_WEIGHTED]),
        (cbf(), [Series.CBF, Series.CBF_STANDARD_ERROR]),
        (
            fitted_cbf(),
            [Series.CBF, Series.CBF_STANDARD_ERROR, Series.TRANSIT_TIME, Series.TRANSIT_TIME_STANDARD_ERROR],
        ),
        (
            fitted_cbf(with_blood_volume=True),
            [
                Series.CBF,
                Series.CBF_STANDARD_ERROR,
                Series.TRANSIT_TIME,
                Series.TRANSIT_TIME_STANDARD_ERROR,
                Series.BLOOD_VOLUME,
                Series.BLOOD_VOLUME_STANDARD_ERROR,
            ],
        ),
        (territories(), [Series.TERRITORIES]),
    ],
)
def test_series(item, series):
    images = maker().images_of(item)
    assert [image.header.image_series_index for image in images] == [one for one in series for _ in range(3)]
    assert (int(Series.MAGNITUDE), int(Series.PERFUSION_WEIGHTED), int(Series.CBF)) == (1, 2, 3)
    assert (int(Series.TRANSIT_TIME), int(Series.CBF_STANDARD_ERROR), int(Series.M0)) == (4, 5, 6)
    assert (int(Series.TERRITORIES), int(Series.BLOOD_VOLUME), int(Series.BLOOD_VOLUME_STANDARD_ERROR)) == (9, 10, 11)


def test_anything_else_has_no_images():
    assert maker().images_of("text") == []


def test_image_index_counts_each_series_from_one():
    given = maker()
    indices = [image.header.image_index for item in (average(), cbf(), average()) for image in given.images_of(item)]
    assert indices == [1, 2, 3, 1, 2, 3, 1, 2, 3, 4, 5, 6]


def test_magnitude_and_complex():
    magnitude = maker().images_of(volume())[2]
    np.testing.assert_array_equal(magnitude.data[0, 0], np.abs(volume().image[2]))
    assert (magnitude.data.dtype, magnitude.header.image_type) == (np.float32, ImageType.MAGNITUDE)
    whole = maker(is_complex=True).images_of(volume())[2]
    np.testing.assert_array_equal(whole.data[0, 0], volume().image[2])
    assert (whole.data.dtype, whole.header.image_type) == (np.complex64, ImageType.COMPLEX)


def test_nothing_that_is_not_finite_is_sent():
    item = cbf()
    images = maker().images_of(item)
    for i, image in enumerate(images):
        assert np.isfinite(image.data).all()
        source = (item.cbf, item.standard_error)[i // 3][i % 3]
        np.testing.assert_array_equal(image.data[0, 0], np.where(np.isfinite(source), source, 0))
    assert np.isnan(item.cbf[1, 2, 3])


def test_meta_of_blood_flow():
    flow, error = (maker().images_of(cbf(), 3.0)[i] for i in (0, 3))
    meta = flow.meta
    assert meta["DataRole"] == ["Image", "Quantitative"]
    assert meta["GADGETRON_DataRole"] == "PERFUSIONMAP"
    assert (meta["WindowCenter"], meta["WindowWidth"]) == ("50", "100")
    assert meta["Units"] == "mL/100g/min"
    assert (meta["PERFLINE_NumberOfPairs"], meta["PERFLINE_RejectedPairs"]) == ("6", "1")
    assert float(meta["InversionTime"]) == 1800
    assert "6 pairs, 1 rejected" in meta["ImageComments"]
    assert json.loads(meta["PERFLINE_Parameters"])["BloodT1"] == {
        "value": 1.65,
        "unit": "s",
        "origin": "default: Alsop 2015, blood at 3 T",
    }
    assert meta["SeriesDescription"].endswith("CBF")
    assert "RescaleSlope" not in meta
    assert error.meta["SeriesDescription"].endswith("CBF_SE")
    assert flow.header.acquisition_time_stamp == 1200
    assert flow.header.repetition == 5


def test_transit_time_is_in_seconds_and_has_no_inversion_time():
    item = fitted_cbf()
    images = maker().images_of(item)
    flow, transit = images[0], images[6]
    np.testing.assert_array_equal(transit.data[0, 0], item.fit.arterial_transit_time[0])
    assert (transit.meta["Units"], transit.meta["GADGETRON_DataRole"]) == ("s", "ATTMAP")
    assert "9 pairs, 3 delays" in transit.meta["ImageComments"]
    assert "InversionTime" not in transit.meta
    assert "InversionTime" not in flow.meta


def test_arterial_blood_volume_is_a_share_of_the_voxel():
    item = fitted_cbf(with_blood_volume=True)
    volume_share, error = maker().images_of(item)[12::3]
    np.testing.assert_array_equal(volume_share.data[0, 0], item.fit.arterial_blood_volume[0])
    np.testing.assert_array_equal(error.data[0, 0], item.fit.arterial_blood_volume_error[0])
    assert (volume_share.meta["Units"], volume_share.meta["GADGETRON_DataRole"]) == ("mL/mL", "ABVMAP")
    assert (error.meta["Units"], error.meta["GADGETRON_DataRole"]) == ("mL/mL", "ABVMAP_SE")
    assert volume_share.meta["SeriesDescription"].endswith("aBV")
    assert volume_share.meta["ImageType"] == "DERIVED\\PRIMARY\\PERFUSION\\ABV"


def test_territories_are_whole_numbers():
    item = territories()
    image = maker().images_of(item)[1]
    assert image.data.dtype == np.uint16
    np.testing.assert_array_equal(image.data[0, 0], item.artery[1])
    assert image.header.repetition == 3


def test_an_artery_is_in_the_counters_of_its_blood_flow():
    item = replace(cbf(), artery=2)
    assert maker().images_of(item)[0].header.set == 2
    assert "artery 2" in maker().images_of(item)[0].meta["ImageComments"]


def test_comments_of_encoded_scans_count_blocks():
    matrix = ((1.0, 1.0, 1.0), (1.0, -1.0, -1.0), (-1.0, 1.0, -1.0))
    given = ImageMaker(scan_header(n_slices=3, asl=replace(ASL, encoding_matrix=matrix, labeling_duration=(0.9, 0.6))))
    # six differences of two sub-boli in a fit; an average has one of each block
    assert "CBF of 3 blocks, 1 rejected" in given.images_of(replace(cbf(), n_pairs=6))[0].meta["ImageComments"]
    assert "mean of 6 blocks, 1 rejected" in given.images_of(average())[0].meta["ImageComments"]


def test_blood_flow_of_a_kidney_is_named_so_and_shown_wider():
    given = ImageMaker(scan_header(n_slices=3, asl=replace(ASL, organ="kidney")))
    meta = given.images_of(cbf())[0].meta
    assert meta["SeriesDescription"].endswith("RBF")
    assert (meta["WindowCenter"], meta["WindowWidth"]) == ("200", "400")


def test_relative_blood_flow_has_no_absolute_window():
    meta = maker().images_of(cbf("relative"))[0].meta
    assert meta["SeriesDescription"].endswith("relCBF")
    assert (meta["WindowCenter"], meta["WindowWidth"]) != ("50", "100")


def test_window_of_an_average_covers_its_values():
    item = average()
    item.mean[:] *= 1000
    meta = maker().images_of(item)[0].meta
    low, high = float(item.mean.min()), float(item.mean.max())
    # whole numbers
    assert int(meta["WindowCenter"]) == pytest.approx((low + high) / 2, abs=0.5)
    assert int(meta["WindowWidth"]) == pytest.approx(high - low, abs=0.5)


def test_pixels_of_two_axes_are_refused():
    item = delta_m()
    with pytest.raises(InputError, match=r"pixels: expected \(n_slices, n_y, n_x\), got \(4, 6\)"):
        maker().images_of(type(item)(item.image[0], 1, geometry(), 1.0, 1.0, ()))


def test_whole_numbers_with_rescale():
    data = np.array([[[[-12.0, 0.0], [3.26, 9000.0]]]], np.float32)
    image = Image(ImageHeader(slice=2), encode_meta({"a": "b", "PERFLINE_Item": "{}"}), data)
    stored = scale_to_uint16(image, slope=0.1, intercept=-10.0)
    assert stored.data.dtype == np.uint16
    assert stored.data.tolist() == [[[[0, 100], [133, 65535]]]]
    assert stored.meta == {"a": "b", "RescaleSlope": "0.1", "RescaleIntercept": "-10.0", "PERFLINE_Clipped": "2"}
    assert stored.header.slice == 2


def test_scaling_needs_a_slope_and_real_values():
    image = Image(ImageHeader(), b"", np.zeros((1, 1, 2, 2), np.complex64))
    with pytest.raises(InputError, match="image data: expected real values"):
        scale_to_uint16(image, 1.0)
    with pytest.raises(InputError, match="slope: expected a positive number"):
        scale_to_uint16(image, 0.0)
