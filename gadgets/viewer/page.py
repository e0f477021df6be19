"""The page: maps, time courses, parameters and messages of one scan, with what chooses among them."""

from typing import Any, Final

from perfline.gadgets.viewer.bokeh_parts import layouts, models
from perfline.gadgets.viewer.course_plots import CoursePlots
from perfline.gadgets.viewer.image_panel import PANEL_SIZE, ImagePanel
from perfline.gadgets.viewer.looks import BACKGROUND, FAINT, PANEL, TEXT, WIDGETS, page_style
from perfline.gadgets.viewer.mosaic import chosen_slices, orientation_text
from perfline.gadgets.viewer.scan_views import ScanView, ScanViews
from perfline.gadgets.viewer.scan_words import (
    forecast_of,
    messages_html,
    parameters_html,
    status_html,
    target_of,
)
from perfline.gadgets.viewer.shown_maps import PLACES, ShownMap, shown_maps
from perfline.gadgets.writers.display_windows import FLOW_WINDOWS

__all__ = ["add_page"]

_PERIOD: Final = 250
"""From one look at the scan to the next [ms]."""

_PANEL_WIDTH: Final = PANEL_SIZE[0] + 44
_PANEL_HEIGHT: Final = PANEL_SIZE[1] + 28
"""With title and colour bar."""

_MONTAGE, _SINGLE = 0, 1

_LATEST: Final = "latest"
"""Choice of the scan: follow whatever begins."""

_TEMPLATE: Final = f"""{{% block preamble %}}
<style>html, body {{ background: {BACKGROUND}; margin: 4px 6px; }}</style>
{{% endblock %}}"""
"""Dark from the first moment on, before Bokeh has drawn anything."""


def add_page(document: Any, scans: ScanViews) -> None:
    """Fill the document of one browser, and keep it up to date.

    Parameters
    ----------
    document : bokeh.document.Document
    scans : ScanViews
        Read a few times a second; never changed.
    """
    _Page(document, scans)


class _Page:
    """What one browser sees: its own choices over the scans that all share."""

    def __init__(self, document: Any, scans: ScanViews) -> None:
        self._scans = scans
        self._scan: ScanView | None = None
        self._state: tuple[object, ...] = ()
        self._n_slices = 0
        self._is_updating = False
        self._maps: dict[str, ShownMap] = {}
        self._panels = {place: ImagePanel(place) for place in PLACES}
        self._courses = CoursePlots()
        self._make_controls()
        self._make_texts()
        document.title = "perfline: live view"
        document.template = _TEMPLATE
        document.add_root(self._layout())
        self._update()
        document.add_periodic_callback(self._update, _PERIOD)

    def _make_controls(self) -> None:
        style: dict[str, Any] = {"stylesheets": [WIDGETS]}
        self._choice = models.Select(
            title="Scan", options=[(_LATEST, "latest")], value=_LATEST, width=290, name="scan", **style
        )
        self._group = models.Select(
            title="Delay or artery", options=[], width=120, visible=False, name="group", **style
        )
        self._mode = models.RadioButtonGroup(
            labels=["All slices", "One slice"], active=_MONTAGE, width=160, margin=(20, 5, 5, 5), name="mode", **style
        )
        self._slice = models.Slider(
            title="Slice",
            start=0,
            end=1,
            value=0,
            step=1,
            width=170,
            disabled=True,
            # the handle at its end must not touch that of the next one
            margin=(5, 22, 5, 5),
            name="slice",
            **style,
        )
        low, high = FLOW_WINDOWS["CBF"]
        self._window = models.RangeSlider(
            title="Flow window [mL/100 g/min]",
            start=low,
            end=2 * high,
            value=(low, high),
            step=5,
            width=240,
            name="window",
            **style,
        )
        self._brightness = models.Slider(
            title="Brightness, grey images [%]", start=25, end=400, value=100, step=25, width=200, **style
        )
        for control, name in ((self._slice, "value"), (self._window, "value"), (self._brightness, "value")):
            control.on_change(name, lambda attr, old, new: self._draw_images())
        self._mode.on_change("active", self._switch_mode)
        self._choice.on_change("value", lambda attr, old, new: self._update())
        self._group.on_change("value", lambda attr, old, new: self._update())

    def _make_texts(self) -> None:
        self._status = models.Div(name="status", width=1374, height=68)
        self._orientation = models.Div(name="orientation", width=888, height=16, margin=(0, 5, 0, 5))
        box = {"background": PANEL, "border-radius": "5px", "padding": "6px 10px", "overflow-y": "auto", "color": TEXT}
        self._parameters = models.Div(name="parameters", width=548, height=236, styles=box)
        self._messages = models.Div(name="messages", width=314, height=236, styles=box | {"font-size": "11px"})

    def _layout(self) -> Any:
        heading = models.Div(
            text=f'<div style="font-size:17px;font-weight:600;color:{TEXT}">perfline</div>'
            f'<div style="color:{FAINT}">live view</div>',
            width=90,
            margin=(6, 5, 0, 5),
        )
        controls = layouts.row(
            heading, self._choice, self._group, self._mode, self._slice, self._window, self._brightness, height=56
        )
        # of one width, also while they are empty
        plots = [
            layouts.column(self._panels[place].plot, width=_PANEL_WIDTH, height=_PANEL_HEIGHT, sizing_mode="fixed")
            for place in PLACES
        ]
        texts = layouts.row(self._parameters, self._messages)
        images = layouts.column(layouts.row(plots[:3]), layouts.row(plots[3:]), self._orientation, texts)
        body = layouts.row(images, layouts.column(self._courses.plots))
        return layouts.column(controls, self._status, body, stylesheets=[page_style()])

    def _switch_mode(self, attr: str, old: int, new: int) -> None:
        self._slice.disabled = new == _MONTAGE
        self._draw_images()

    def _update(self) -> None:
        """Draw what has changed since the last time."""
        if self._is_updating:  # called by a choice that this very method has changed
            return
        self._is_updating = True
        try:
            self._look()
        finally:
            self._is_updating = False

    def _look(self) -> None:
        scans = self._scans.scans
        latest = f"latest: {scans[-1].title}" if scans else "latest"
        self._offer(self._choice, [(_LATEST, latest), *((str(one.number), one.title) for one in scans)])
        chosen = {str(one.number): one for one in scans}.get(self._choice.value)
        scan = chosen or (scans[-1] if scans else None)
        if scan is None:
            self._status.text = status_html(None)
            return
        with scan.lock:
            state = (scan.number, scan.version, self._group.value)
            if state == self._state:
                return
            is_new = scan is not self._scan
            self._state, self._scan = state, scan
            self._take(scan)
        if is_new:
            self._reset_controls()
        self._draw_images()

    def _offer(self, control: Any, options: list[tuple[str, str]]) -> None:
        """Change what can be chosen, only if it has changed: an open list would close."""
        if control.options != options:
            control.options = options
            if control.value not in [value for value, _ in options]:
                control.value = options[0][0]

    def _take(self, scan: ScanView) -> None:
        """Take over all that is said of a scan; its images are drawn afterwards."""
        groups = scan.groups
        self._group.visible = len(groups) > 1
        if groups:
            self._offer(self._group, [(name, name) for name in groups])
        flow_name = scan.flow_name
        self._maps = shown_maps(scan.pictures, self._group.value, flow_name)
        unit = self._maps["flow"].unit if "flow" in self._maps else "mL/100 g/min"
        pairs = scan.pairs
        arteries = {f"artery {point.artery}" for point in pairs if point.artery is not None}
        if self._group.value in arteries:
            pairs = [point for point in pairs if f"artery {point.artery}" == self._group.value]
        forecast, target = forecast_of(scan), target_of(scan)
        self._courses.show(pairs, scan.volumes, scan.rejected, forecast, target, flow_name, unit, scan.pairs_of_block)
        self._status.text = status_html(scan)
        self._messages.text = messages_html(scan)
        self._parameters.text = "" if scan.began is None else parameters_html(scan.began.parameters)

    def _reset_controls(self) -> None:
        """Window and slices of another scan."""
        scan = self._scan
        name = "CBF" if scan is None or scan.began is None else scan.began.flow_name or "CBF"
        low, high = FLOW_WINDOWS[name]
        self._window.update(start=low, end=2 * high, value=(low, high))
        self._n_slices = 0

    def _draw_images(self) -> None:
        some = next(iter(self._maps.values()), None)
        if some is not None and len(some.image) != self._n_slices:
            self._n_slices = len(some.image)
            self._slice.update(end=max(self._n_slices - 1, 1), value=(self._n_slices - 1) // 2)
        note = "" if some is None else orientation_text(some.geometry)
        self._orientation.text = f'<span style="color:{FAINT};font-size:11px">{note}</span>'
        for place, panel in self._panels.items():
            shown = self._maps.get(place)
            if shown is None:
                panel.show(None, (), (0.0, 1.0))
                continue
            n_slices = len(shown.image)
            slices = chosen_slices(n_slices)
            if self._mode.active == _SINGLE:
                slices = (min(int(self._slice.value), n_slices - 1),)
            panel.show(shown, slices, self._window_of(shown))

    def _window_of(self, shown: ShownMap) -> tuple[float, float]:
        if shown.is_flow and shown.unit != "a.u.":
            low, high = self._window.value
            # a slider can be drawn together
            return float(low), float(max(high, low + 1))
        if shown.colours == "grey":
            return shown.low, shown.high * 100 / float(self._brightness.value)
        return shown.low, shown.high
