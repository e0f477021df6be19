from dataclasses import replace

import numpy as np
import pytest
from reference.phantom import band_limited_by_convolution, raster, region_values_on_raster

from perfline.recon.errors import InputError
from perfline.recon.parameters import ImageAxis
from perfline.recon.phantom.asl_series import AslSeries, KineticModel, LabelingScheme
from perfline.recon.phantom.brain import Phantom, brain_phantom, region_index_map
from perfline.recon.phantom.disc_limited import KSpaceDisc
from perfline.recon.phantom.field_offset import FieldOffset
from perfline.recon.phantom.truth import band_limited_images, pixel_positions, truth_maps

READOUT = ImageAxis(27, 180.0, 27, 180.0)
PHASE = ImageAxis(40, 250.0, 32, 200.0)
SERIES = AslSeries(LabelingScheme(), 4.5, (0.0, 0.12))
SLICES = (-12.0, 7.0)


def test_band_limited_image_is_the_object_seen_through_the_kernel():
    phantom = brain_phantom()
    y, x = raster(200.0, 180.0, 0.25)
    values = phantom.values("m0")
    fine = region_values_on_raster(phantom, 7.0, values, y, x)
    pixels = pixel_positions(PHASE), pixel_positions(READOUT)
    expected = band_limited_by_convolution(fine, y, x, pixels, (40, 27), (250.0, 180.0))
    got = band_limited_images(phantom.cut(7.0), values[None], PHASE, READOUT)[0]
    assert got.shape == (32, 27)
    # M0 is 100 and the raster's staircase is off by 0.6 (1.1 at 0.5 mm, 0.15 at 0.125 mm); a shifted pixel by tens
    np.testing.assert_allclose(got, expected, rtol=0, atol=1.0)


def test_band_limited_image_is_in_the_units_of_the_object():
    phantom = brain_phantom()
    truth = truth_maps(phantom, SLICES, SERIES, PHASE, READOUT)
    csf = truth.fractions[phantom.names.index("csf")] > 0.99
    # Gibbs ringing of 6.5 mm pixels; the mean over many pixels levels it
    assert truth.m0_limited[csf].real.mean() == pytest.approx(100, rel=0.03)


def test_uniform_flow_comes_back_everywhere():
    regions = tuple(replace(region, tissue=replace(region.tissue, cbf=47.0)) for region in brain_phantom().regions)
    truth = truth_maps(Phantom(regions), SLICES, SERIES, PHASE, READOUT, echo_time=0.02)
    inside = truth.regions >= 0
    # the same band limit on both images: exact; float32
    np.testing.assert_allclose(truth.cbf_limited[inside], 47.0, rtol=1e-6)
    assert not truth.cbf_limited[~inside].any()


def test_later_arrival_than_the_delay_lowers_buxton_but_not_the_sharp_truth():
    series = replace(SERIES, scheme=LabelingScheme(model=KineticModel.BUXTON))
    truth = truth_maps(brain_phantom(), SLICES, series, PHASE, READOUT)
    grey = truth.grey_matter()
    consensus = truth_maps(brain_phantom(), SLICES, SERIES, PHASE, READOUT)
    assert truth.cbf_limited[grey].mean() < 0.95 * consensus.cbf_limited[grey].mean()
    np.testing.assert_array_equal(truth.cbf, consensus.cbf)


def test_sharp_maps_and_fractions():
    phantom = brain_phantom()
    truth = truth_maps(phantom, SLICES, SERIES, PHASE, READOUT)
    y, x = pixel_positions(PHASE), pixel_positions(READOUT)
    for number, z in enumerate(SLICES):
        np.testing.assert_array_equal(truth.regions[number], region_index_map(phantom.cut(z), y[:, None], x[None, :]))
        for name in ("cbf", "att", "t1", "m0"):
            expected = region_values_on_raster(phantom, z, phantom.values(name), y, x)
            np.testing.assert_allclose(getattr(truth, name)[number], expected, rtol=1e-6)
    assert truth.fractions.shape == (15, 2, 32, 27)
    total = truth.fractions.sum(axis=0)
    assert total.max() <= 1 + 1e-6
    # air outside, full inside
    assert total[:, 0, 0].max() == 0
    assert (total == 1).mean() > 0.3


def test_fractions_measure_area():
    phantom = brain_phantom()
    truth = truth_maps(phantom, (7.0,), replace(SERIES, slice_timing=(0.0,)), PHASE, READOUT)
    marker = phantom.names.index("marker")
    ellipse = phantom.cut(7.0).ellipses[marker]
    pixel = PHASE.voxel_size * READOUT.voxel_size
    # 8 x 8 points per pixel
    assert truth.fractions[marker].sum() * pixel == pytest.approx(ellipse.area, rel=0.03)
    index = np.indices((32, 27))
    centre = (truth.fractions[marker, 0] * index).sum(axis=(1, 2)) / truth.fractions[marker].sum()
    assert centre == pytest.approx([16 + ellipse.y / PHASE.voxel_size, 13 + ellipse.x / READOUT.voxel_size], abs=0.05)


def test_tissue_masks():
    truth = truth_maps(brain_phantom(), SLICES, SERIES, PHASE, READOUT)
    grey, white = truth.grey_matter(), truth.white_matter()
    assert not (grey & white).any()
    assert set(np.unique(truth.cbf[grey])) == {48.0, 60.0, 110.0}
    assert set(np.unique(truth.cbf[white])) == {20.0}
    assert truth.grey_matter(0.5).sum() > grey.sum() > 50


def test_echo_time_weights_by_t2_star():
    regions = tuple(replace(region, tissue=replace(region.tissue, t2_star=0.05)) for region in brain_phantom().regions)
    plain = truth_maps(Phantom(regions), SLICES, SERIES, PHASE, READOUT)
    late = truth_maps(Phantom(regions), SLICES, SERIES, PHASE, READOUT, echo_time=0.03)
    # float32 of values up to 110
    np.testing.assert_allclose(late.m0_limited, np.exp(-0.6) * plain.m0_limited, rtol=0, atol=2e-5)
    np.testing.assert_allclose(late.delta_m_limited, np.exp(-0.6) * plain.delta_m_limited, rtol=0, atol=2e-7)
    brain = truth_maps(brain_phantom(), SLICES, SERIES, PHASE, READOUT, echo_time=0.03)
    fluid, grey = (brain.fractions[brain.region_names.index(name)] > 0.99 for name in ("csf", "gm_left"))
    ratio = np.abs(brain.m0_limited / plain.m0_limited)
    # T2* 400 ms and 50 ms; ringing across their border moves the ratio by a few percent
    assert np.median(ratio[fluid]) == pytest.approx(np.exp(-0.075), rel=0.05)
    assert np.median(ratio[grey]) == pytest.approx(np.exp(-0.6), rel=0.05)


def test_pixel_positions_of_odd_and_even_axes():
    np.testing.assert_allclose(pixel_positions(ImageAxis(5, 20.0, 5, 20.0)), [-8, -4, 0, 4, 8])
    np.testing.assert_allclose(pixel_positions(ImageAxis(8, 32.0, 4, 16.0)), [-8, -4, 0, 4])


def test_errors_name_the_argument():
    with pytest.raises(InputError, match="slice_positions: expected one for each of 2 slice times, got 1"):
        truth_maps(brain_phantom(), (0.0,), SERIES, PHASE, READOUT)
    with pytest.raises(InputError, match="n_subpixels"):
        truth_maps(brain_phantom(), SLICES, SERIES, PHASE, READOUT, n_subpixels=0)
    with pytest.raises(InputError, match="phase_axis: expected reconstructed pixels of 5 mm"):
        truth_maps(brain_phantom(), SLICES, SERIES, ImageAxis(40, 200.0, 30, 200.0), READOUT)
    with pytest.raises(InputError, match="signals: expected"):
        band_limited_images(brain_phantom().cut(0.0), np.ones((1, 3)), PHASE, READOUT)


def test_a_disc_limits_the_images_alone():
    brain = brain_phantom()
    plain = truth_maps(brain, SLICES, SERIES, PHASE, READOUT)
    small = truth_maps(brain, SLICES, SERIES, PHASE, READOUT, disc=KSpaceDisc(0.05))
    large = truth_maps(brain, SLICES, SERIES, PHASE, READOUT, disc=KSpaceDisc(0.2))
    np.testing.assert_array_equal(small.grey_matter_fraction, plain.grey_matter_fraction)
    # a disc beyond the corners of the rectangle: what is left is the finer grid of the integration
    grey = plain.grey_matter()
    error = np.abs(large.m0_limited - plain.m0_limited)[grey] / np.abs(plain.m0_limited[grey])
    assert np.median(error) < 0.01
    blurred = np.abs(small.m0_limited - plain.m0_limited)[grey] / np.abs(plain.m0_limited[grey])
    assert np.median(blurred) > 0.03
    # and the flow follows the images
    assert np.median(np.abs(large.cbf_limited[grey] / plain.cbf_limited[grey] - 1)) < 0.01


def test_off_resonance_is_that_of_the_field_and_of_the_tissues():
    brain = brain_phantom()
    csf = brain.names.index("csf")
    regions = list(brain.regions)
    regions[csf] = replace(regions[csf], tissue=replace(regions[csf].tissue, off_resonance=12.0))
    field = FieldOffset(3.0, (0.5, 0.1, -0.2))
    maps = truth_maps(Phantom(tuple(regions)), SLICES, SERIES, PHASE, READOUT, echo_time=0.02, field=field)
    smooth = truth_maps(brain, SLICES, SERIES, PHASE, READOUT, field=field).off_resonance
    assert maps.off_resonance.dtype == np.float32
    # pixel (20, 18): y = 4 pixels of 6.25 mm, x = 5 pixels of 6.67 mm
    assert smooth[1, 20, 18] == pytest.approx(3 + 0.5 * 7 + 0.1 * 4 * 6.25 - 0.2 * 5 * 180 / 27, rel=1e-5)
    np.testing.assert_allclose(maps.off_resonance - smooth, np.where(maps.regions == csf, 12, 0), atol=1e-4)
    assert not truth_maps(brain, SLICES, SERIES, PHASE, READOUT).off_resonance.any()


def test_slab_is_limited_along_its_partitions_and_its_pixels_are_thick():
    partitions = ImageAxis(12, 192.0, 12, 192.0)
    heights = tuple((np.arange(12) - 6) * 16.0)
    series = replace(SERIES, slice_timing=(0.0,) * 12)
    axes = ImageAxis(24, 216.0, 24, 216.0), ImageAxis(20, 180.0, 20, 180.0)
    brain = brain_phantom()
    truth = truth_maps(
        brain, heights, series, *axes, n_subpixels=4, partition_axis=partitions, disc=KSpaceDisc(0.5 / 9)
    )
    assert truth.m0_limited.shape == (12, 24, 20)
    csf = brain.names.index("csf")
    # its half axes are 60.5, 76 and 82 mm, all of its children within: their parts of pixels add up to its volume
    inside = [n for n, name in enumerate(brain.names) if name not in ("scalp", "skull", "marker")]
    assert truth.fractions[inside].sum() * 9 * 9 * 16 == pytest.approx(4 / 3 * np.pi * 60.5 * 76 * 82, rel=0.01)
    middle = truth_maps(brain, (0.0,), replace(SERIES, slice_timing=(0.0,)), *axes)
    assert np.abs(truth.fractions[csf, 6] - middle.fractions[csf, 0]).max() > 0.05
    # far from edges along z the slab shows what a thin slice does; Gibbs ringing of 16 mm
    grey = truth.grey_matter()[6] & middle.grey_matter()[0]
    assert np.median(np.abs(truth.m0_limited[6][grey])) == pytest.approx(84, rel=0.05)


def test_slab_needs_a_disc_and_all_its_slices():
    axis = ImageAxis(3, 30.0, 3, 30.0)
    with pytest.raises(InputError, match="partition_axis: expected 2 slices as in slice_positions, got 3"):
        truth_maps(brain_phantom(), SLICES, SERIES, PHASE, READOUT, partition_axis=axis, disc=KSpaceDisc(0.1))
    with pytest.raises(InputError, match="disc: expected one for a slab"):
        truth_maps(
            brain_phantom(), SLICES, SERIES, PHASE, READOUT, partition_axis=replace(axis, n_recon=2, n_encoded=2)
        )
