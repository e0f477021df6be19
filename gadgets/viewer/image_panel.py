"""One map on the page: its slices, a colour bar, and the value under the pointer."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from bokeh.palettes import Greys256, Inferno256, Viridis256

from perfline.gadgets.viewer.bokeh_parts import models, plotting
from perfline.gadgets.viewer.looks import BACKGROUND, FAINT, LETTERS, TEXT, darken
from perfline.gadgets.viewer.mosaic import Mosaic, make_mosaic
from perfline.gadgets.viewer.shown_maps import ShownMap

__all__ = ["PANEL_SIZE", "ImagePanel"]

PANEL_SIZE: Final = (258, 240)
"""Width and height of the images [screen pixels]."""

_PALETTES: Final = {"grey": Greys256, "inferno": Inferno256, "viridis": Viridis256}

_NO_IMAGE: Final[dict[str, list[object]]] = {"image": [], "x": [], "y": [], "dw": [], "dh": []}
_NO_LETTERS: Final[dict[str, list[object]]] = {name: [] for name in ("text", "x", "y", "align", "baseline", "colour")}


class ImagePanel:
    """A panel that shows one map after the other.

    Parameters
    ----------
    name : str
        Of the plot; the source of its pixels is called ``NAME_pixels``.

    Attributes
    ----------
    plot : bokeh.plotting.figure
    """

    def __init__(self, name: str) -> None:
        self._drawn: Mosaic | None = None
        self._pixels = models.ColumnDataSource(dict(_NO_IMAGE), name=f"{name}_pixels")
        self._letters = models.ColumnDataSource(dict(_NO_LETTERS))
        self._mapper = models.LinearColorMapper(palette=Greys256, low=0.0, high=1.0, nan_color=BACKGROUND)
        width, height = PANEL_SIZE
        self.plot = plotting.figure(
            name=name,
            frame_width=width,
            frame_height=height,
            x_range=models.Range1d(0, 1),
            y_range=models.Range1d(0, 1),
            toolbar_location=None,
            tools="",
            title=" ",
            min_border=4,
        )
        darken(self.plot)
        self.plot.background_fill_color = BACKGROUND
        self.plot.axis.visible = False
        self.plot.grid.visible = False
        drawn = self.plot.image("image", x="x", y="y", dw="dw", dh="dh", source=self._pixels, color_mapper=self._mapper)
        self.plot.text(
            "x",
            "y",
            text="text",
            source=self._letters,
            text_align="align",
            text_baseline="baseline",
            text_color="colour",
            text_font_size="10px",
            text_font_style="bold",
        )
        self._hover = models.HoverTool(renderers=[drawn], tooltips=[("", "@image{0.[00]}")], visible=False)
        self.plot.add_tools(self._hover)
        self._ticker = models.FixedTicker(ticks=[])
        self._bar = models.ColorBar(
            color_mapper=self._mapper,
            ticker=self._ticker,
            width=10,
            height=height - 20,
            padding=4,
            background_fill_color=BACKGROUND,
            major_label_text_color=TEXT,
            major_label_text_font_size="10px",
            major_tick_line_color=FAINT,
            bar_line_color=None,
            visible=False,
        )
        self.plot.add_layout(self._bar, "right")

    def show(self, shown: ShownMap | None, slices: Sequence[int], window: tuple[float, float]) -> None:
        """Draw a map.

        Parameters
        ----------
        shown : ShownMap or None
            None empties the panel.
        slices : sequence of int
            All of them are there.
        window : (low, high)
        """
        self._bar.visible = shown is not None
        if shown is None:
            self._drawn = None
            self.plot.title.text = " "
            self._pixels.data = dict(_NO_IMAGE)
            self._letters.data = dict(_NO_LETTERS)
            return
        mosaic = make_mosaic(shown.image, shown.geometry, slices, PANEL_SIZE)
        unit = "" if shown.unit == "1" else f"  [{shown.unit}]"
        self.plot.title.text = f"{shown.title}{unit}"
        self._hover.tooltips = [(shown.title.partition(",")[0], f"@image{{0.[00]}} {shown.unit.removeprefix('1')}")]
        self.set_window(window, shown.colours)
        if self._drawn is not None and _is_same(mosaic, self._drawn):
            return
        self._drawn = mosaic
        self._fit(mosaic)
        # Bokeh draws row 0 at the bottom
        image = np.ascontiguousarray(mosaic.pixels[::-1])
        self._pixels.data = {"image": [image], "x": [0], "y": [0], "dw": [mosaic.width], "dh": [mosaic.height]}
        self._letters.data = {
            "text": [one.text for one in mosaic.letters],
            "x": [one.x for one in mosaic.letters],
            "y": [one.y for one in mosaic.letters],
            "align": [one.align for one in mosaic.letters],
            "baseline": [one.baseline for one in mosaic.letters],
            "colour": [LETTERS if one.is_side else FAINT for one in mosaic.letters],
        }

    def set_window(self, window: tuple[float, float], colours: str) -> None:
        """Change the window alone."""
        low, high = window
        self._mapper.update(palette=_PALETTES[colours], low=low, high=high)
        self._ticker.ticks = [low, (low + high) / 2, high]

    def _fit(self, mosaic: Mosaic) -> None:
        """Show all of it, centred, with square millimetres."""
        width, height = PANEL_SIZE
        scale = max(mosaic.width / width, mosaic.height / height)
        for axis_range, length, frame in (
            (self.plot.x_range, mosaic.width, width),
            (self.plot.y_range, mosaic.height, height),
        ):
            margin = (frame * scale - length) / 2
            axis_range.update(start=-margin, end=length + margin)


def _is_same(one: Mosaic, other: Mosaic) -> bool:
    """Whether there is nothing to send: most updates change one or two of the maps."""
    is_placed_alike = (one.letters, one.width, one.height) == (other.letters, other.width, other.height)
    return is_placed_alike and np.array_equal(one.pixels, other.pixels, equal_nan=True)
