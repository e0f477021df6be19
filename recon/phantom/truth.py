"""What a perfect scan of the phantom would show: sharp maps, and maps limited to the sampled k-space."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from perfline.recon.checks import check_positive, check_shape
from perfline.recon.errors import InputError
from perfline.recon.fourier import centred_positions, kspace_to_image
from perfline.recon.parameters import ImageAxis
from perfline.recon.phantom.asl_series import AslSeries, cbf_factor, slice_signals
from perfline.recon.phantom.brain import Phantom, PhantomSlice, TissueClass, region_index_map
from perfline.recon.phantom.disc_limited import KSpaceDisc, disc_limited_images
from perfline.recon.phantom.ellipsoids import ellipse_kspace
from perfline.recon.phantom.field_offset import FieldOffset, field_offset_map
from perfline.recon.phantom.object_kspace import kspace_scale

__all__ = ["TruthMaps", "band_limited_images", "limited_images", "pixel_positions", "truth_maps"]


@dataclass(frozen=True)
class TruthMaps:
    """Truth on the reconstructed pixels.

    Sharp maps are the values at the centre of each pixel, float32 (n_slices, n_y, n_x), 0 in air: ``cbf``
    [ml/100 g/min], ``att``, ``t1`` [s], ``m0``, ``abv`` (arterial blood volume as a fraction). ``regions`` is the index
    of the region there, int16, -1 in air.
    ``fractions`` float32 (n_regions, n_slices, n_y, n_x) is the share of each pixel's area that a region fills, and
    ``grey_matter_fraction``, ``white_matter_fraction`` (n_slices, n_y, n_x) their sums over these tissues.

    ``m0_limited`` and ``delta_m_limited``, complex64, are the images that an ideal scanner with the same extent of
    k-space gives: one coil of uniform sensitivity, no ghost, noise or decay along the readout. ``cbf_limited``,
    float32, is the consensus formula on these two; 0 in air. ``off_resonance``, float32 (n_slices, n_y, n_x) [Hz], is
    that at the centre of each pixel, in air too.
    """

    region_names: tuple[str, ...]
    cbf: NDArray[np.float32]
    att: NDArray[np.float32]
    t1: NDArray[np.float32]
    m0: NDArray[np.float32]
    abv: NDArray[np.float32]
    regions: NDArray[np.int16]
    fractions: NDArray[np.float32]
    m0_limited: NDArray[np.complex64]
    delta_m_limited: NDArray[np.complex64]
    cbf_limited: NDArray[np.float32]
    grey_matter_fraction: NDArray[np.float32]
    white_matter_fraction: NDArray[np.float32]
    off_resonance: NDArray[np.float32]

    def grey_matter(self, threshold: float = 0.9) -> NDArray[np.bool_]:
        """Pixels filled with grey matter to at least `threshold`, bool (n_slices, n_y, n_x)."""
        mask: NDArray[np.bool_] = self.grey_matter_fraction >= threshold
        return mask

    def white_matter(self, threshold: float = 0.9) -> NDArray[np.bool_]:
        """Pixels filled with white matter to at least `threshold`, bool (n_slices, n_y, n_x)."""
        mask: NDArray[np.bool_] = self.white_matter_fraction >= threshold
        return mask


def pixel_positions(axis: ImageAxis) -> NDArray[np.float64]:
    """Centres of the reconstructed pixels of one axis [mm]; pixel ``n // 2`` is at 0.

    Examples
    --------
    >>> pixel_positions(ImageAxis(8, 40.0, 4, 20.0))
    array([-10.,  -5.,   0.,   5.])
    """
    return centred_positions(axis.n_recon) * axis.voxel_size


def band_limited_images(
    phantom_slice: PhantomSlice, signals: NDArray[np.float64], phase_axis: ImageAxis, readout_axis: ImageAxis
) -> NDArray[np.complex128]:
    """Images from the integer samples of the encoded k-space, for a uniform sensitivity.

    Parameters
    ----------
    phantom_slice : PhantomSlice
    signals : float64 array (n_images, n_regions)
        Value of each region in each image.
    phase_axis, readout_axis : ImageAxis

    Returns
    -------
    complex128 array (n_images, n_y, n_x)
        In the units of `signals`, on the reconstructed pixels (oversampling cut off). Complex, since an even number of
        samples has no partner for ``-n/2``.

    Raises
    ------
    InputError
        Shapes disagree, or the reconstructed pixels are not a part of the encoded ones.
    """
    check_shape("signals", signals, ("n_images", len(phantom_slice.ellipses)))
    k_y = centred_positions(phase_axis.n_encoded)[:, None] / phase_axis.field_of_view_encoded
    k_x = centred_positions(readout_axis.n_encoded)[None, :] / readout_axis.field_of_view_encoded
    kspace = np.zeros((signals.shape[0], phase_axis.n_encoded, readout_axis.n_encoded), np.complex128)
    for ellipse, parent, signal in zip(phantom_slice.ellipses, phantom_slice.parents, signals.T, strict=True):
        if ellipse is not None:
            step = signal - (signals[:, parent] if parent >= 0 else 0.0)
            kspace += step[:, None, None] * ellipse_kspace(ellipse, k_y, k_x)
    images = kspace_to_image(kspace_scale(phase_axis, readout_axis) * kspace)
    cut = (slice(None), _kept_pixels("phase_axis", phase_axis), _kept_pixels("readout_axis", readout_axis))
    return images[cut].astype(np.complex128)


def _kept_pixels(name: str, axis: ImageAxis) -> slice:
    """Pixels of the encoded image that are kept when oversampling is cut off."""
    encoded = axis.field_of_view_encoded / axis.n_encoded
    if abs(encoded - axis.voxel_size) > 1e-6 * encoded or axis.n_recon > axis.n_encoded:
        raise InputError(
            f"{name}: expected reconstructed pixels of {encoded:g} mm, at most {axis.n_encoded},"
            f" got {axis.n_recon} of {axis.voxel_size:g} mm"
        )
    start = axis.n_encoded // 2 - axis.n_recon // 2
    return slice(start, start + axis.n_recon)


def truth_maps(
    phantom: Phantom,
    slice_positions: tuple[float, ...],
    series: AslSeries,
    phase_axis: ImageAxis,
    readout_axis: ImageAxis,
    echo_time: float = 0.0,
    n_subpixels: int = 8,
    *,
    partition_axis: ImageAxis | None = None,
    disc: KSpaceDisc | None = None,
    field: FieldOffset | None = None,
) -> TruthMaps:
    """Make the truth that a reconstruction is judged by.

    Parameters
    ----------
    phantom : Phantom
    slice_positions : tuple of float
        z of each slice [mm].
    series : AslSeries
    phase_axis, readout_axis : ImageAxis
    echo_time : float
        The band-limited images are weighted with ``exp(-TE/T2*)`` [s]; 0 for no decay.
    n_subpixels : int
        Along each side of a pixel, to find the fractions.
    partition_axis : ImageAxis, optional
        Of a slab; then slices are as thick as its pixels, else thin.
    disc : KSpaceDisc, optional
        What is sampled of k-space, in place of all points of the encoded matrix; demanded for a slab.
    field : FieldOffset, optional
        Off-resonance of everything.

    Returns
    -------
    TruthMaps

    Raises
    ------
    InputError
        Slice positions and slice times, or partitions, differ in number; `n_subpixels` is not positive; or a slab
        without a disc.

    Notes
    -----
    ``cbf_limited = Re(delta_m conj(m0)) / |m0|^2`` times the consensus factor of the slice.

    Examples
    --------
    >>> from perfline.recon.phantom.asl_series import LabelingScheme
    >>> from perfline.recon.phantom.brain import brain_phantom
    >>> axis = ImageAxis(32, 200.0, 32, 200.0)
    >>> truth = truth_maps(brain_phantom(), (0.0,), AslSeries(LabelingScheme(), 4.5, (0.0,)), axis, axis)
    >>> float(np.median(truth.cbf[truth.grey_matter()]))
    60.0
    """
    if len(slice_positions) != len(series.slice_timing):
        raise InputError(
            f"slice_positions: expected one for each of {len(series.slice_timing)} slice times,"
            f" got {len(slice_positions)}"
        )
    check_positive("n_subpixels", n_subpixels)
    y, x = pixel_positions(phase_axis), pixel_positions(readout_axis)
    regions = np.stack([region_index_map(phantom.cut(z), y[:, None], x[None, :]) for z in slice_positions])
    limited = limited_images(
        phantom,
        slice_positions,
        series,
        phase_axis,
        readout_axis,
        echo_time,
        partition_axis=partition_axis,
        disc=disc,
    )
    delays = series.scheme.post_labeling_delay + np.array(series.slice_timing)
    factors = np.array([cbf_factor(series.scheme, delay) for delay in delays])[:, None, None]
    m0, delta_m = limited
    ratio = np.zeros(regions.shape)
    inside = regions >= 0
    ratio[inside] = (delta_m[inside] * m0[inside].conj()).real / np.abs(m0[inside]) ** 2
    thickness = 0.0 if partition_axis is None else partition_axis.voxel_size
    fractions = np.stack(
        [_region_fractions(phantom, z, thickness, phase_axis, readout_axis, n_subpixels) for z in slice_positions],
        axis=1,
    )
    # index -1 is air and finds the zero appended at the end
    sharp = {
        name: np.append(phantom.values(name), 0.0)[regions].astype(np.float32)
        for name in ("cbf", "att", "t1", "m0", "abv")
    }
    offset = field_offset_map(field or FieldOffset(), *np.ix_(np.array(slice_positions), y, x))
    if echo_time:
        offset = offset + np.append(phantom.values("off_resonance"), 0.0)[regions]
    return TruthMaps(
        region_names=phantom.names,
        regions=regions,
        fractions=fractions,
        m0_limited=m0.astype(np.complex64),
        delta_m_limited=delta_m.astype(np.complex64),
        cbf_limited=(ratio * factors).astype(np.float32),
        grey_matter_fraction=fractions[phantom.is_class(TissueClass.GREY_MATTER)].sum(axis=0),
        white_matter_fraction=fractions[phantom.is_class(TissueClass.WHITE_MATTER)].sum(axis=0),
        off_resonance=offset.astype(np.float32),
        **sharp,
    )


def limited_images(
    phantom: Phantom,
    slice_positions: tuple[float, ...],
    series: AslSeries,
    phase_axis: ImageAxis,
    readout_axis: ImageAxis,
    echo_time: float = 0.0,
    *,
    partition_axis: ImageAxis | None = None,
    disc: KSpaceDisc | None = None,
) -> NDArray[np.complex128]:
    """M0 and control minus label as an ideal scanner with the same extent of k-space gives them.

    Parameters
    ----------
    phantom, slice_positions, series, phase_axis, readout_axis, echo_time, partition_axis, disc
        As for `truth_maps`.

    Returns
    -------
    complex128 array (2, n_slices, n_y, n_x)

    Raises
    ------
    InputError
        Partitions differ in number from the slice positions, or a slab without a disc.
    """
    weight = np.exp(-echo_time / phantom.values("t2_star"))
    if partition_axis is None:
        cuts = [phantom.cut(z) for z in slice_positions]
        return _limited_slices(phantom, series, cuts, weight, (phase_axis, readout_axis), disc)
    axes = (partition_axis, phase_axis, readout_axis)
    return _limited_slab(phantom, series, len(slice_positions), weight, axes, disc)


def _m0_and_difference(phantom: Phantom, series: AslSeries, slice_number: int) -> NDArray[np.float64]:
    """M0 and control minus label of each region, (2, n_regions)."""
    signals = slice_signals(phantom, series, slice_number)
    return np.stack([signals.m0, signals.delta_m])


def _limited_slices(
    phantom: Phantom,
    series: AslSeries,
    cuts: list[PhantomSlice],
    weight: NDArray[np.float64],
    axes: tuple[ImageAxis, ImageAxis],
    disc: KSpaceDisc | None,
) -> NDArray[np.complex128]:
    """M0 and control minus label of thin slices, (2, n_slices, n_y, n_x)."""
    limited = np.empty((2, len(cuts), axes[0].n_recon, axes[1].n_recon), np.complex128)
    for number, cut in enumerate(cuts):
        pair = _m0_and_difference(phantom, series, number) * weight
        if disc is None:
            limited[:, number] = band_limited_images(cut, pair, *axes)
        else:
            limited[:, number] = disc_limited_images(cut.ellipses, cut.parents, pair, axes, disc)
    return limited


def _limited_slab(
    phantom: Phantom,
    series: AslSeries,
    n_slices: int,
    weight: NDArray[np.float64],
    axes: tuple[ImageAxis, ImageAxis, ImageAxis],
    disc: KSpaceDisc | None,
) -> NDArray[np.complex128]:
    """M0 and control minus label of a slab, (2, n_slices, n_y, n_x)."""
    if axes[0].n_recon != n_slices:
        raise InputError(f"partition_axis: expected {n_slices} slices as in slice_positions, got {axes[0].n_recon}")
    if disc is None:
        raise InputError("disc: expected one for a slab, got none")
    shapes = tuple(region.shape for region in phantom.regions)
    pair = _m0_and_difference(phantom, series, 0) * weight
    return disc_limited_images(shapes, phantom.parents, pair, axes, disc)


def _region_fractions(
    phantom: Phantom, z: float, thickness: float, phase_axis: ImageAxis, readout_axis: ImageAxis, n_subpixels: int
) -> NDArray[np.float32]:
    """Share of each pixel that each region fills, float32 (n_regions, n_y, n_x)."""
    step = (np.arange(n_subpixels) + 0.5) / n_subpixels - 0.5
    y = (pixel_positions(phase_axis)[:, None] + step * phase_axis.voxel_size).ravel()
    x = (pixel_positions(readout_axis)[:, None] + step * readout_axis.voxel_size).ravel()
    heights = z + step * thickness if thickness else np.array([z])
    shares = np.zeros((len(phantom.regions), phase_axis.n_recon, readout_axis.n_recon))
    for height in heights:
        fine = region_index_map(phantom.cut(float(height)), y[:, None], x[None, :])
        fine = fine.reshape(phase_axis.n_recon, n_subpixels, readout_axis.n_recon, n_subpixels)
        shares += np.stack([np.mean(fine == number, axis=(1, 3)) for number in range(len(phantom.regions))])
    return (shares / heights.size).astype(np.float32)
