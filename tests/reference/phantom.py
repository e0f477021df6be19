"""Slow twins of the analytic phantom: quadrature on fine rasters and numerical integrals, from the definitions."""

import numpy as np


def raster(extent_y, extent_x, step):
    """Midpoints of a raster around 0 that covers the extents [mm]; (n_y,), (n_x,)."""
    n_y, n_x = round(extent_y / step), round(extent_x / step)
    return (np.arange(n_y) + 0.5) * step - extent_y / 2, (np.arange(n_x) + 0.5) * step - extent_x / 2


def fourier_integral(values, y, x, k_y, k_x):
    """Sum over the raster of ``values exp(-2 pi i (k_y y + k_x x)) dy dx`` for paired k; (n_k,)."""
    wave_y = np.exp(-2j * np.pi * np.outer(k_y, y))
    wave_x = np.exp(-2j * np.pi * np.outer(k_x, x))
    return np.einsum("ky,yx,kx->k", wave_y, values, wave_x, optimize=True) * (y[1] - y[0]) * (x[1] - x[0])


def ellipse_on_raster(ellipse, y, x):
    """1 inside, 0 outside, from the quadratic form of the turned ellipse."""
    turn = np.array([[np.cos(ellipse.angle), -np.sin(ellipse.angle)], [np.sin(ellipse.angle), np.cos(ellipse.angle)]])
    shape = turn @ np.diag([ellipse.semi_axis_x**-2, ellipse.semi_axis_y**-2]) @ turn.T
    offset_y, offset_x = np.meshgrid(y - ellipse.y, x - ellipse.x, indexing="ij")
    form = shape[0, 0] * offset_x**2 + 2 * shape[0, 1] * offset_x * offset_y + shape[1, 1] * offset_y**2
    return (form <= 1).astype(float)


def region_values_on_raster(phantom, z, values, y, x):
    """Value of the innermost ellipsoid at each point of a slice, 0 in air."""
    image = np.zeros((y.size, x.size))
    for region, value in zip(phantom.regions, values, strict=True):
        ellipse = region.shape.cross_section(z)
        if ellipse is not None:
            image[ellipse_on_raster(ellipse, y, x) > 0] = value
    return image


def band_limited_by_convolution(values, y, x, pixels, n, extent):
    """Image of a raster seen through n_y x n_x centred integer k: convolution with the Dirichlet kernels."""
    images = values
    for axis, (fine, at, count, size) in enumerate(zip((y, x), pixels, n, extent, strict=True)):
        k = np.arange(count) - count // 2
        kernel = np.exp(2j * np.pi * np.subtract.outer(at, fine)[..., None] * k / size).sum(axis=-1) / size
        images = np.moveaxis(np.tensordot(kernel * (fine[1] - fine[0]), images, axes=([1], [axis])), 0, axis)
    return images


def label_difference_by_convolution(scheme, cbf, att, t1, post_labeling_delay, n=400_000):
    """Delta M / M0 of the tissue: arterial input convolved with what stays in the tissue, midpoint rule."""
    perfusion = cbf / 6000 / scheme.partition_coefficient
    rate = 1 / scheme.blood_t1 if scheme.model == "consensus" else 1 / t1 + perfusion
    tau, is_pasl = scheme.labeling_duration, scheme.labeling_type == "PASL"
    now = post_labeling_delay if is_pasl else post_labeling_delay + tau
    step = now / n
    time = (np.arange(n) + 0.5) * step
    arriving = (time >= att) & (time < att + tau)
    age = time if is_pasl else np.full(n, att)
    inflow = 2 * scheme.labeling_efficiency * perfusion * np.exp(-age / scheme.blood_t1) * arriving
    return float(np.sum(inflow * np.exp(-(now - time) * rate)) * step)
