"""From the acquired lines of one slice to its pixels along the phase direction, as one small matrix.

The matrix evaluates the inverse Fourier sum at the pixels that are wanted, so that zero-filled partial Fourier, gaps,
removal of oversampling, off-centre fields of view and finer or coarser matrices are all the same operation.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from perfline.recon.checks import check_finite, check_shape
from perfline.recon.errors import InputError
from perfline.recon.fourier import centred_positions
from perfline.recon.parameters import ImageAxis

__all__ = ["inverse_transform", "make_phase_operator"]

# positions come from products of header values: a millionth of an encoded point is rounding
_ROUNDING = 1e-6


def inverse_transform(kspace_positions: ArrayLike, axis: ImageAxis, *, shift: float = 0.0) -> NDArray[np.complex128]:
    """Matrix of the inverse Fourier sum from k-space points to the pixels of one axis.

    Parameters
    ----------
    kspace_positions : array (n_points,)
        Cycles per encoded field of view.
    axis : ImageAxis
    shift : float
        Where the centre of the reconstructed field of view lies on the encoded one [mm]: what is at ``r = shift``
        appears at pixel ``n_recon // 2``.

    Returns
    -------
    complex128 array (n_recon, n_points)

    Raises
    ------
    InputError
        `kspace_positions` is not one axis of finite values, `shift` is not finite, or the reconstructed field of view
        exceeds the encoded one by more than a pixel (the rest would be periodic copies).

    Notes
    -----
    ``M[p, j] = n_encoded**-0.5 exp(2 pi i k_j r_p / FOV_encoded)``, ``r_p = (p - n_recon // 2) voxel_size + shift``.

    The scale depends on the encoding alone: the intensity of a pixel doesn't change with `n_recon`. A finer matrix is
    sinc interpolation (zero filling). A coarser one, ``n_recon FOV_encoded / FOV_recon < n_encoded``, drops the points
    beyond its own Nyquist limit (columns of zeros), which would only alias as noise and ringing.
    For ``n_recon == n_encoded`` over the same field of view this is exactly the unitary centred inverse DFT.

    Examples
    --------
    >>> matrix = inverse_transform([-2.0, -1.0, 0.0, 1.0], ImageAxis(4, 200.0, 4, 200.0))
    >>> np.round(np.abs(matrix @ np.ones(4)), 6)
    array([0., 0., 2., 0.])
    """
    points = np.asarray(kspace_positions, dtype=np.float64)
    check_shape("kspace_positions", points, ("n_points",))
    check_finite("kspace_positions", points)
    check_finite("shift", shift)
    if axis.field_of_view_recon > axis.field_of_view_encoded + axis.voxel_size:
        raise InputError(
            f"field_of_view_recon: expected at most the encoded {axis.field_of_view_encoded:g} mm,"
            f" got {axis.field_of_view_recon:g} mm"
        )
    pixels = centred_positions(axis.n_recon) * axis.voxel_size + shift
    matrix = np.exp(2j * np.pi * np.outer(pixels, points) / axis.field_of_view_encoded)
    limit = axis.field_of_view_encoded / axis.voxel_size / 2
    if 2 * limit < axis.n_encoded - _ROUNDING:
        matrix[:, (points < -limit - _ROUNDING) | (points >= limit - _ROUNDING)] = 0
    return matrix / np.sqrt(axis.n_encoded)


def make_phase_operator(
    line_numbers: ArrayLike, center_line: int, axis: ImageAxis, *, shift: float = 0.0
) -> NDArray[np.complex64]:
    """Matrix from the acquired lines to the pixels along the phase direction.

    Parameters
    ----------
    line_numbers : int array (n_lines,)
        Number of each acquired line (``kspace_encode_step_1``), in the order of the lines' array.
    center_line : int
        The number of the line at k = 0.
    axis : ImageAxis
        The phase direction.
    shift : float
        Where the centre of the reconstructed field of view lies on the encoded one [mm].

    Returns
    -------
    complex64 array (n_recon, n_lines), C-contiguous
        ``operator @ lines`` are the pixels. Lines that were not acquired count as zero.

    Raises
    ------
    InputError
        A line lies outside the encoded k-space or came twice, or there is none.

    Notes
    -----
    `inverse_transform` at ``k = line_numbers - center_line``. A complete set of lines gives exactly the unitary centred
    inverse DFT, cropped to the reconstructed field of view. Missing lines are not made up for: with partial Fourier the
    image is the zero-filled one.

    Examples
    --------
    >>> make_phase_operator([0, 1, 2, 3], 2, ImageAxis(4, 200.0, 2, 100.0)).shape
    (2, 4)
    """
    numbers = np.asarray(line_numbers)
    check_shape("line_numbers", numbers, ("n_lines",))
    if not np.issubdtype(numbers.dtype, np.integer):
        raise InputError(f"line_numbers: expected integers, got {numbers.dtype}")
    if numbers.size == 0:
        raise InputError("line_numbers: expected at least one line, got none")
    values, counts = np.unique(numbers, return_counts=True)
    if counts.max() > 1:
        twice = values[counts.argmax()]
        raise InputError(f"line_numbers: expected each line once, got line {twice} {counts.max()} times")
    encoded = centred_positions(axis.n_encoded)
    lines = numbers.astype(np.float64) - center_line
    if lines.min() < encoded[0] or lines.max() > encoded[-1]:
        first, last = center_line + int(encoded[0]), center_line + int(encoded[-1])
        raise InputError(
            f"line_numbers: expected {first} to {last} for center_line {center_line}, got {values[0]} to {values[-1]}"
        )
    return np.ascontiguousarray(inverse_transform(lines, axis, shift=shift), dtype=np.complex64)
