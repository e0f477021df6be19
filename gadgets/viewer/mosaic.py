"""Slices on a panel: one, or all in a grid, turned the radiological way, with the letters that say so."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from perfline.gadgets.stage_data import SliceGeometry
from perfline.gadgets.writers.orientation import DisplayOrientation, display_orientation
from perfline.recon.checks import check_shape
from perfline.recon.errors import InputError

__all__ = ["Letter", "Mosaic", "chosen_slices", "make_mosaic", "orientation_text"]

_MOST_SLICES: Final = 12
"""As in the montage: of more slices, equally spaced ones are shown."""


@dataclass(frozen=True)
class Letter:
    """A text at a place of a mosaic [mm]; ``x`` grows to the right, ``y`` upwards from the lower edge."""

    text: str
    x: float
    y: float
    align: str
    baseline: str
    is_side: bool


@dataclass(frozen=True)
class Mosaic:
    """``pixels`` (row, column), row 0 at the top, NaN where nothing is; ``width`` and ``height`` in mm."""

    pixels: NDArray[np.floating]
    width: float
    height: float
    letters: tuple[Letter, ...]


def chosen_slices(n_slices: int) -> tuple[int, ...]:
    """Slices of a grid.

    Examples
    --------
    >>> chosen_slices(3)
    (0, 1, 2)
    """
    if n_slices <= _MOST_SLICES:
        return tuple(range(n_slices))
    return tuple(int(index) for index in np.round(np.linspace(0, n_slices - 1, _MOST_SLICES)))


def orientation_text(geometry: SliceGeometry) -> str:
    """Say how slices are turned."""
    if not geometry.is_known:
        return "orientation not known: pixels as they lie in memory"
    return display_orientation(geometry.read_dir, geometry.phase_dir).text


def make_mosaic(
    volume: NDArray[np.floating], geometry: SliceGeometry, slices: Sequence[int], shape: tuple[float, float]
) -> Mosaic:
    """Lay slices out in a grid that fills a panel as well as can be.

    Parameters
    ----------
    volume : array (n_slices, n_y, n_x)
    geometry : SliceGeometry
        Gives orientation and aspect; where it is not known, slices are drawn as they lie in memory.
    slices : sequence of int
        Which, in this order.
    shape : (width, height)
        Of the panel, in any unit.

    Raises
    ------
    InputError
        Not a volume, no slice, or one that isn't there.
    """
    check_shape("volume", volume, ("n_slices", "n_y", "n_x"))
    if not slices or not all(0 <= one < len(volume) for one in slices):
        raise InputError(f"slices: expected some of 0 to {len(volume) - 1}, got {tuple(slices)}")
    shown = display_orientation(geometry.read_dir, geometry.phase_dir) if geometry.is_known else None
    is_transposed = shown is not None and shown.is_transposed
    pixel_width, pixel_height = geometry.voxel_size[:2][:: -1 if is_transposed else 1]
    tiles = np.asarray(volume[list(slices)] if shown is None else shown.apply(volume[list(slices)]), np.float32)
    n_tiles, n_rows, n_columns = tiles.shape
    width, height = n_columns * pixel_width, n_rows * pixel_height
    across = _n_across(n_tiles, width / shape[0], height / shape[1])
    down = math.ceil(n_tiles / across)
    pixels = np.full((down * n_rows, across * n_columns), np.nan, np.float32)
    letters = []
    for place, (tile, number) in enumerate(zip(tiles, slices, strict=True)):
        row, column = divmod(place, across)
        pixels[row * n_rows : (row + 1) * n_rows, column * n_columns : (column + 1) * n_columns] = tile
        letters.append(Letter(str(number), column * width, (down - row - 1) * height, "left", "bottom", is_side=False))
    if shown is not None:
        letters += _side_letters(shown, width, height, (down - 1) * height)
    return Mosaic(pixels, across * width, down * height, tuple(letters))


def _n_across(n_tiles: int, width: float, height: float) -> int:
    """Columns with which the tiles, in shares of the panel, come out largest; of equal ones the fewest."""

    def size(across: int) -> float:
        return min(1 / (across * width), 1 / (math.ceil(n_tiles / across) * height))

    return max(range(1, n_tiles + 1), key=lambda across: (size(across), -across))


def _side_letters(shown: DisplayOrientation, width: float, height: float, lower: float) -> list[Letter]:
    """At the edges of the first slice, whose lower edge is at `lower`."""
    centre, middle = width / 2, lower + height / 2
    return [
        Letter(shown.left, 0.0, middle, "left", "middle", is_side=True),
        Letter(shown.right, width, middle, "right", "middle", is_side=True),
        Letter(shown.top, centre, lower + height, "center", "top", is_side=True),
        Letter(shown.bottom, centre, lower, "center", "bottom", is_side=True),
    ]
