"""Colours and fonts of the page: dark, as beside a light box; the same as in the montage."""

from typing import Any, Final

from bokeh.models import GlobalInlineStyleSheet

__all__ = [
    "ACCENT",
    "BACKGROUND",
    "BAD",
    "FAINT",
    "GOOD",
    "LETTERS",
    "PANEL",
    "TEXT",
    "TITLE_FONT",
    "WARN",
    "WIDGETS",
    "darken",
    "page_style",
]

BACKGROUND: Final = "#0e1013"
PANEL: Final = "#15181d"
TEXT: Final = "#f0f0f0"
FAINT: Final = "#a4a9b0"
LETTERS: Final = "#ffd34d"
ACCENT: Final = "#4fb3ff"
GOOD: Final = "#5bd08a"
WARN: Final = "#ffb454"
BAD: Final = "#ff6b6b"
TITLE_FONT: Final = "12px"

_FONT: Final = "system-ui, 'Segoe UI', 'DejaVu Sans', Arial, sans-serif"

WIDGETS: Final = f"""
    :host {{ color: {TEXT}; font: 12px {_FONT}; }}
    select.bk-input {{ background-color: #20252c; color: {TEXT}; border-color: #3a414b; height: 28px; padding: 0 8px; }}
    .bk-btn {{ background: #20252c; color: {TEXT}; border-color: #3a414b; font-size: 12px; padding: 4px 10px; }}
    .bk-btn.bk-active, .bk-btn:hover {{ background: #34506b; color: white; }}
    .bk-slider-title {{ color: {FAINT}; }}
    .bk-slider-value {{ color: {TEXT}; font-weight: 600; }}
    .noUi-target {{ background: #2a3038; border-color: #3a414b; box-shadow: none; }}
    .noUi-connect {{ background: {ACCENT}; }}
    .noUi-handle {{ background: #d7dbe0; border-color: #3a414b; box-shadow: none; }}
    """
"""Style of selectors, buttons and sliders, which Bokeh draws for a white page."""


def page_style() -> GlobalInlineStyleSheet:
    """Style of the page around its parts."""
    return GlobalInlineStyleSheet(
        css=f"html, body {{ background: {BACKGROUND}; color: {TEXT}; margin: 0; font: 12px {_FONT}; }}"
    )


def darken(plot: Any) -> None:
    """Give a plot the colours of the page.

    Parameters
    ----------
    plot : bokeh.plotting.figure
    """
    plot.background_fill_color = PANEL
    plot.border_fill_color = BACKGROUND
    plot.outline_line_color = None
    plot.title.text_color = TEXT
    plot.title.text_font_size = TITLE_FONT
    plot.title.text_font = "system-ui, DejaVu Sans, Arial, sans-serif"
    plot.axis.axis_label_text_color = FAINT
    plot.axis.axis_label_text_font_size = "10px"
    plot.axis.axis_label_text_font_style = "normal"
    plot.axis.axis_label_standoff = 2
    plot.axis.major_label_text_color = FAINT
    plot.axis.major_label_text_font_size = "10px"
    plot.axis.axis_line_color = "#3a414b"
    plot.axis.major_tick_line_color = "#3a414b"
    plot.axis.minor_tick_line_color = None
    plot.grid.grid_line_color = "#262b32"
