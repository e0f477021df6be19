"""How slices are turned on the screen: the radiological way, with the letters that say so."""

from dataclasses import dataclass
from itertools import permutations
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from perfline.recon.checks import check_finite, check_shape

__all__ = ["DisplayOrientation", "display_orientation", "patient_letter"]

_LETTERS: Final = (("R", "L"), ("A", "P"), ("I", "S"))
"""Of each axis of LPS: the letter at its negative and at its positive end."""

_ACROSS, _FRONT_BACK, _UP = 0, 1, 2


@dataclass(frozen=True)
class DisplayOrientation:
    """What to do with a slice ``(y, x)`` before it is drawn with row 0 at the top, and what its edges then are.

    ``is_transposed`` comes first; then rows and columns are reversed where said. The letters are those of the edges.
    """

    is_transposed: bool
    is_row_reversed: bool
    is_column_reversed: bool
    left: str
    right: str
    top: str
    bottom: str

    @property
    def text(self) -> str:
        """The edges in words."""
        return f"radiological orientation: {self.left} left, {self.right} right, {self.top} top, {self.bottom} bottom"

    def apply(self, image: NDArray[np.generic]) -> NDArray[np.generic]:
        """Turn the last two axes ``(..., y, x)`` to ``(..., row, column)`` of the screen; the result is a view."""
        turned = np.swapaxes(image, -1, -2) if self.is_transposed else image
        rows = slice(None, None, -1 if self.is_row_reversed else 1)
        columns = slice(None, None, -1 if self.is_column_reversed else 1)
        return turned[..., rows, columns]


def patient_letter(direction: ArrayLike) -> str:
    """Letter of the side of the patient that a direction points to most.

    Parameters
    ----------
    direction : array (3,)
        LPS.

    Returns
    -------
    str
        ``L``, ``R``, ``P``, ``A``, ``S`` or ``I``.

    Examples
    --------
    >>> patient_letter([0.1, -0.9, 0.3])
    'A'
    """
    vector = np.asarray(direction, np.float64)
    check_shape("direction", vector, (3,))
    axis = int(np.argmax(np.abs(vector)))
    return _LETTERS[axis][int(vector[axis] > 0)]


def display_orientation(read_dir: ArrayLike, phase_dir: ArrayLike) -> DisplayOrientation:
    """Turn slices as a radiologist looks at them.

    Parameters
    ----------
    read_dir, phase_dir : array (3,)
        Directions of growing x and y, unit vectors in LPS.

    Returns
    -------
    DisplayOrientation
        Transverse slices: seen from the feet, the patient's right at the left, front at the top. Coronal: the patient's
        right at the left, head at the top. Sagittal: front at the left, head at the top. Oblique slices follow the
        nearest of the three.

    Examples
    --------
    >>> shown = display_orientation([1, 0, 0], [0, -1, 0])
    >>> shown.left, shown.top, shown.is_row_reversed
    ('R', 'A', True)
    """
    vectors = [np.asarray(vector, np.float64) for vector in (read_dir, phase_dir)]
    for name, vector in zip(("read_dir", "phase_dir"), vectors, strict=True):
        check_shape(name, vector, (3,))
        check_finite(name, vector)
    # the two patient axes that lie nearest to the plane, one for each direction
    read_axis, phase_axis = max(
        permutations(range(3), 2), key=lambda axes: abs(vectors[0][axes[0]]) + abs(vectors[1][axes[1]])
    )
    vertical = _UP if _UP in (read_axis, phase_axis) else _FRONT_BACK
    is_transposed = read_axis == vertical
    down, across = (vectors[0], vectors[1]) if is_transposed else (vectors[1], vectors[0])
    down_axis, across_axis = (read_axis, phase_axis) if is_transposed else (phase_axis, read_axis)
    # rows grow towards the back or the feet, columns towards the patient's left or the back
    is_row_reversed = bool(down[down_axis] > 0) is (down_axis == _UP)
    is_column_reversed = bool(across[across_axis] < 0)
    left, right = _LETTERS[across_axis]
    top, bottom = reversed(_LETTERS[_UP]) if down_axis == _UP else _LETTERS[down_axis]
    return DisplayOrientation(is_transposed, is_row_reversed, is_column_reversed, left, right, top, bottom)
