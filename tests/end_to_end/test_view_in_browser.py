"""The live view as people see it: a scan plays, a browser looks; and what befalls the viewer is nothing to the scan."""

import os
import signal
import threading
import time
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from end_to_end.scans import NOISY, KeepingSink, simulated
from programs import needs, program

from perfline.gadgets.chain import load_chain
from perfline.gadgets.mrd.memory_session import MemorySession
from perfline.gadgets.scan import ScanOptions, run_scan
from perfline.gadgets.stage_data import CbfVolume

pytest.importorskip("bokeh")

from perfline.gadgets.viewer.view_sink import ViewSink
from perfline.gadgets.viewer.viewer_process import ViewerProcess

pytestmark = pytest.mark.slow

SCAN = simulated(replace(NOISY, n_pairs=6, n_slices=6))
N_OF_VOLUME = len(SCAN.acquisitions) // 13

PICTURE = Path(__file__).parents[2] / "out" / "live_view.png"
"""Kept by CI."""

TIMEOUT = 90_000
"""Longest wait for the page [ms]."""

# of the pixels that the browser holds, and of what it has drawn of them
_HASH = """name => {
    const image = Bokeh.documents[0].get_model_by_name(name + '_pixels').data.image[0];
    if (image === undefined) return 0;
    let hash = 7;
    for (const value of new Float32Array(image.buffer ?? image)) hash = (31 * hash + Math.round(100 * value || 0)) | 0;
    return hash;
}"""
_DRAWN = """async name => {
    const view = Bokeh.index.find_one(Bokeh.documents[0].get_model_by_name(name));
    const canvas = await view.export('png', false);
    return canvas.canvas.toDataURL();
}"""
_SET = "([name, key, value]) => { Bokeh.documents[0].get_model_by_name(name)[key] = value; }"
_PAIRS = "() => window.Bokeh?.documents[0]?.get_model_by_name('pairs')?.data.x.length ?? 0"


class Gate:
    """Messages of a scan that come as far as a test lets them."""

    def __init__(self, messages):
        self._messages = messages
        self._n_allowed = 0
        self._changed = threading.Condition()

    def __iter__(self):
        for number, message in enumerate(self._messages):
            with self._changed:
                assert self._changed.wait_for(lambda number=number: number < self._n_allowed, TIMEOUT / 1000)
            yield message

    def let(self, n_messages):
        with self._changed:
            self._n_allowed = n_messages
            self._changed.notify_all()


@contextmanager
def playing(address):
    """A scan with a live view, in a thread; gives its gate, what it kept, and where its summary will be."""
    gate, kept, summaries = Gate(SCAN.messages), KeepingSink(), []
    sinks = [kept, ViewSink(address, "a <b>bold</b> scan")]

    def play():
        options = ScanOptions({"target_standard_error": "0.2"})
        session = MemorySession(gate)
        summaries.append(run_scan(session, lambda config: load_chain("pcasl_epi"), options=options, sinks=sinks))

    thread = threading.Thread(target=play, daemon=True)
    thread.start()
    try:
        yield gate, kept, summaries
    finally:
        gate.let(len(SCAN.messages))
        thread.join(TIMEOUT / 1000)
    assert not thread.is_alive()


@contextmanager
def browser_page(playwright, console, requests):
    """A page in headless Chromium; what it says and asks for goes into the lists."""
    arguments = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=program("chromium"), args=arguments)
        page = browser.new_page(viewport={"width": 1400, "height": 1000})
        page.set_default_timeout(TIMEOUT)
        page.on("console", lambda message: console.append((message.type, message.text)))
        page.on("pageerror", lambda error: console.append(("error", str(error))))
        page.on("request", lambda request: requests.append(request.url))
        page.on("websocket", lambda opened: requests.append(opened.url))
        yield page
        browser.close()


def flows_of(kept):
    return [one.cbf.tobytes() for one in kept.of(CbfVolume)]


def wait_for_pairs(page, n_pairs):
    page.wait_for_function(f"({_PAIRS})() >= {n_pairs}")


@needs("chromium")
def test_the_page_follows_the_scan():
    playwright = pytest.importorskip("playwright.sync_api")
    console, requests = [], []
    with ViewerProcess() as viewer:
        with playing(viewer.address) as (gate, kept, summaries), browser_page(playwright, console, requests) as page:
            page.goto(viewer.url)
            gate.let(6 * N_OF_VOLUME)
            wait_for_pairs(page, 1)
            places = ("control", "perfusion", "flow")
            for place in places:
                page.wait_for_function(f"place => ({_HASH})(place) != 0", arg=place)
            first = {place: page.evaluate(_HASH, place) for place in places}
            drawn = page.evaluate(_DRAWN, "flow")
            gate.let(10 * N_OF_VOLUME)
            wait_for_pairs(page, 3)
            for place in places:
                page.wait_for_function(f"([place, hash]) => ({_HASH})(place) != hash", arg=[place, first[place]])
            page.wait_for_function(f"async before => await ({_DRAWN})('flow') != before", arg=drawn)
            check_controls(page)
            gate.let(len(SCAN.messages))
            page.wait_for_function(
                "() => document.title && Bokeh.documents[0].get_model_by_name('status').text.includes('success')"
            )
            wait_for_pairs(page, 6)
            page.wait_for_timeout(300)  # for the browser to draw
            PICTURE.parent.mkdir(exist_ok=True)
            page.screenshot(path=PICTURE)
            # all of it is on the screen
            size = page.evaluate("[document.documentElement.scrollWidth, document.documentElement.scrollHeight]")
            assert size[0] <= 1400
            assert size[1] <= 1000
            # texts are texts
            assert page.locator("b", has_text="bold").count() == 0
            check_second_browser(page, viewer)
        assert viewer.is_running
    assert summaries[0].status == "success"
    assert len(flows_of(kept)) == 6
    assert [text for kind, text in console if kind == "error"] == []
    # the page was opened before there was anything to draw
    assert not any("initial ranges" in text for _, text in console)
    assert {urlsplit(url).hostname for url in requests if not url.startswith(("data:", "blob:"))} == {"127.0.0.1"}


def check_controls(page):
    """Window and slice change what is drawn; the window doesn't touch the values."""
    before, values = page.evaluate(_DRAWN, "flow"), page.evaluate(_HASH, "flow")
    page.evaluate(_SET, ["window", "value", [0, 30]])
    page.wait_for_function(f"async before => await ({_DRAWN})('flow') != before", arg=before)
    assert page.evaluate(_HASH, "flow") == values
    page.get_by_text("One slice").click()
    page.wait_for_function(f"values => ({_HASH})('flow') != values", arg=values)
    values = page.evaluate(_HASH, "flow")
    page.evaluate(_SET, ["slice", "value", 4])
    page.wait_for_function(f"values => ({_HASH})('flow') != values", arg=values)
    page.get_by_text("All slices").click()
    page.evaluate(_SET, ["window", "value", [0, 100]])


def check_second_browser(page, viewer):
    """Each has its own choices; one that is closed leaves the other as it is."""
    other = page.context.browser.new_page()
    other.goto(viewer.url)
    wait_for_pairs(other, 6)
    other.close()
    page.wait_for_timeout(300)
    assert page.evaluate(_HASH, "flow") != 0


def test_a_viewer_that_is_killed_changes_nothing_in_the_results(caplog):
    alone = KeepingSink()
    options = ScanOptions({"target_standard_error": "0.2"})
    run_scan(MemorySession(SCAN.messages), lambda config: load_chain("pcasl_epi"), options=options, sinks=[alone])
    with ViewerProcess() as viewer:
        with playing(viewer.address) as (gate, kept, summaries):
            gate.let(6 * N_OF_VOLUME)
            end = time.monotonic() + TIMEOUT / 1000
            while not flows_of(kept):
                assert time.monotonic() < end
                time.sleep(0.01)
            os.kill(viewer._process.pid, signal.SIGKILL)
            viewer.wait()
            gate.let(12 * N_OF_VOLUME)
            time.sleep(0.5)  # for its thread to notice
        assert summaries[0].status == "success"
        assert summaries[0].notices == ()
    assert flows_of(kept) == flows_of(alone)
    assert sum("live view: off" in record.getMessage() for record in caplog.records) == 1
