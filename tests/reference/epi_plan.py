"""An EPI slice from its raw lines, term by term in double precision."""

import numpy as np


def epi_coil_images(raw, matrices, line_numbers, is_reversed, center_line, axis, shift, phases):
    """Coil images (n_coils, n_y, n_x).

    ``d_c(y, x) = n**-0.5 sum_l exp(2 pi i k_l r_y / FOV) exp(+-i phi_l(x) / 2) sum_j raw(l, c, j) R(j, x)``, with R =
    `matrices` of forward and reversed lines, `phases` (constant, slope) of each line, and lines beyond the Nyquist
    limit of a coarse matrix left out.
    """
    _, n_coils, _ = raw.shape
    n_x = matrices[0].shape[1]
    x = np.arange(n_x) - n_x // 2
    voxel = axis.field_of_view_recon / axis.n_recon
    r = (np.arange(axis.n_recon) - axis.n_recon // 2) * voxel + shift
    limit = axis.field_of_view_encoded / voxel / 2
    images = np.zeros((n_coils, axis.n_recon, n_x), complex)
    for line, number in enumerate(line_numbers):
        k = int(number) - center_line
        if 2 * limit < axis.n_encoded - 1e-6 and not -limit - 1e-6 <= k < limit - 1e-6:
            continue
        pixels = raw[line].astype(complex) @ matrices[int(is_reversed[line])]
        constant, slope = phases[line]
        sign = -1 if is_reversed[line] else 1
        pixels = pixels * np.exp(sign * 0.5j * (constant + slope * x))
        wave = np.exp(2j * np.pi * k * r / axis.field_of_view_encoded) / np.sqrt(axis.n_encoded)
        images += pixels[:, None, :] * wave[:, None]
    return images
