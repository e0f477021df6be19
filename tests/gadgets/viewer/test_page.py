import math
from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("bokeh")

from bokeh.document import Document
from viewer_items import MASK, RAMP, average, flow, m0, one_pair, quality

from perfline.gadgets.stage_data import Motion
from perfline.gadgets.viewer.page import add_page
from perfline.gadgets.viewer.scan_views import ScanViews
from perfline.gadgets.viewer.shown_maps import PLACES
from perfline.gadgets.viewer.wire import Batch, Began, Ended

BEGAN = Began("my scan", "PCASL", "CBF", ())


class Page:
    """A page without a browser."""

    def __init__(self):
        self.views = ScanViews()
        self.document = Document()
        add_page(self.document, self.views)
        (self.callback,) = self.document.session_callbacks

    def __getitem__(self, name):
        return self.document.get_model_by_name(name)

    def scan(self, *items, pictures=(), began=BEGAN):
        view = self.views.add()
        view.take(began)
        view.take(Batch(items, pictures, 0))
        self.callback.callback()
        return view

    def take(self, view, message):
        view.take(message)
        self.callback.callback()

    def image(self, place):
        images = self[f"{place}_pixels"].data["image"]
        return images[0][::-1] if len(images) else None

    def window(self, place):
        (renderer,) = (one for one in self[place].renderers if hasattr(one.glyph, "color_mapper"))
        return renderer.glyph.color_mapper.low, renderer.glyph.color_mapper.high


def test_a_page_without_a_scan_waits():
    page = Page()
    assert "waiting" in page["status"].text
    assert all(page.image(place) is None for place in PLACES)


def test_all_there_is_comes_to_the_page():
    page = Page()
    view = page.scan(*one_pair(0), *one_pair(1), pictures=(average(2), flow(2), m0()))
    assert "running" in page["status"].text
    assert page["flow"].title.text == "CBF  [mL/100 g/min]"
    assert page.window("flow") == (0, 100)
    # three slices of 5 x 4 pixels: two in the upper row
    np.testing.assert_array_equal(page.image("other")[:5, :4], RAMP[0])
    np.testing.assert_array_equal(page.image("flow")[:5, 4:], np.where(MASK, RAMP, np.nan)[1])
    assert page.image("control") is None
    assert page["pairs"].data["x"] == [2, 3]  # one pair is rejected
    assert page["pairs"].data["mean"] == [41.5, 41.5]
    assert page["spread"].data == {"x": [2, 3], "low": [40.25, 40.25], "high": [42.75, 42.75]}
    assert page["rejected"].data["x"] == [2]
    assert page["volumes"].data["ghost"] == [1.0] * 4
    np.testing.assert_allclose(page["volumes"].data["latency"], [4.0, 6.0] * 2, rtol=1e-12)  # ms from s
    assert page["orientation"].text.count("radiological") == 1
    before = page.image("perfusion")
    page.take(view, Batch((), (average(9),), 0))
    np.testing.assert_array_equal(page.image("perfusion") - before, np.where(np.isnan(before), np.nan, 7))
    page.take(view, Ended("fail", "no M0", 0.5))
    assert "no M0" in page["status"].text
    # the forecast needs the target, which is known at the end at the latest
    assert page["forecast"].data == {"x": [3, 13], "y": [1.25, 0.5]}


def test_window_and_slices_can_be_chosen():
    page = Page()
    page.scan(pictures=(flow(), m0()))
    page["window"].value = (10, 60)
    assert page.window("flow") == (10, 60)
    assert page.window("other") == (0, 59)
    assert page["slice"].disabled
    page["mode"].active = 1
    assert not page["slice"].disabled
    np.testing.assert_array_equal(page.image("other"), RAMP[1])
    page["slice"].value = 2
    np.testing.assert_array_equal(page.image("other"), RAMP[2])
    page["window"].value = (50, 50)
    assert page.window("flow") == (50, 51)


def test_scans_can_be_chosen_and_the_latest_is_followed():
    page = Page()
    first = page.scan(pictures=(m0(),))
    page.scan(*one_pair(0), pictures=(flow(),), began=Began("kidney", "", "RBF", ()))
    assert page["scan"].options[0] == ("latest", "latest: kidney (running)")
    assert page.window("flow") == (0, 400)
    page["scan"].value = str(first.number)
    assert page.image("flow") is None
    assert page.image("other") is not None
    assert page["window"].value == (0, 100)
    page.take(first, Ended("success", "", 0.0))
    assert ("1", "my scan (success)") in page["scan"].options


def test_delays_can_be_chosen_where_there_are_several():
    page = Page()
    view = page.scan(pictures=(average(1),))
    assert not page["group"].visible
    page.take(view, Batch((), (average(3, delay=0.5),), 0))
    assert page["group"].visible
    page["group"].value = "PLD 0.5 s"
    assert page["perfusion"].title.text.startswith("Control - label, mean of 3")
    page["group"].value = "PLD 1.8 s"
    assert page["perfusion"].title.text.startswith("Control - label, mean of 1")


def test_arteries_have_courses_of_their_own():
    page = Page()
    items = [one for n in (1, 2) for one in (flow(n, artery=1), quality(n), flow(n, artery=2), quality(n))]
    page.scan(*items, pictures=(flow(artery=1), flow(artery=2)))
    assert page["pairs"].data["n"] == [1, 2]
    assert page["flow"].title.text.startswith("CBF, artery 1")
    assert page["pairs_flow"].title.text.startswith("CBF, mean of head, artery 1 ± standard error")


def test_blocks_and_kidneys_have_their_names_in_the_courses():
    page = Page()
    view = page.scan(flow(7), quality(7), flow(14), quality(14), began=Began("kidney", "", "RBF", (), 7))
    page.take(view, Ended("success", "", 0.5))
    # one block is rejected; twelve sub-boli are needed
    assert page["pairs"].data["x"] == [2, 3]
    assert page["pairs"].data["n"] == [1, 2]
    assert page["spread"].data["x"] == [2, 3]
    assert page["forecast"].data["x"] == []
    assert page["pairs_flow"].title.text == "RBF, mean of mask ± standard error  [mL/100 g/min]"
    assert page["pairs_snr"].title.text == "Temporal SNR of a sub-bolus, median of the mask"
    assert page["pairs_snr"].xaxis[0].axis_label == "blocks acquired"
    page.scan(flow(2), quality(2))
    assert page["pairs_snr"].title.text == "Temporal SNR of a pair, median of the head"
    assert page["pairs_snr"].xaxis[0].axis_label == "pairs acquired"


def test_no_axis_shrinks_to_nothing():
    page = Page()
    tops = ("pairs_flow_top", "pairs_snr_top", "volumes_ghost_top")
    assert [page[name].data["y"] for name in tops] == [[1.0]] * 3
    still = [replace(item, displacement=1e-8) if isinstance(item, Motion) else item for item in one_pair(0)]
    unknown = quality(figures={"mean_cbf": 41.5, "median_tsnr": math.nan})
    page.scan(*still[:-1], unknown)
    assert [page[name].data["y"] for name in tops] == [[], [1.0], []]
    assert page["volumes_motion_top"].data["y"] == [0.1]


def test_without_labelling_there_are_images_alone():
    page = Page()
    page.scan(*one_pair(0)[:2], pictures=(m0(),), began=Began("epi", "EPI", None, ()))
    assert "Pairs" not in page["status"].text
    assert not page["pairs_flow"].visible
    assert page["volumes_ghost"].visible
