"""A scan as OpenRecon starts it: the word openrecon, the header, then what the operator's card says."""

import json

import pytest
from end_to_end.scans import PLAIN, KeepingSink, Outcome, run, simulated

from perfline.gadgets.chain import load_chain
from perfline.gadgets.mrd.images import Series
from perfline.gadgets.mrd.memory_session import MemorySession
from perfline.gadgets.mrd.messages import Close, ConfigName, HeaderXml, Text
from perfline.gadgets.openrecon.label import make_label
from perfline.gadgets.scan import run_scan
from perfline.gadgets.server.scan_work import chain_selector

SCAN = simulated(PLAIN)
DEFAULTS = {parameter["id"]: parameter["default"] for parameter in make_label("raw")["parameters"]}


def outcome(**choices):
    """What a scan gives with this card; what isn't chosen is as the label has it."""
    card = json.dumps({"version": "1.1.0", "parameters": {**DEFAULTS, **choices}})
    messages = (ConfigName("openrecon"), HeaderXml(SCAN.header), Text(card), *SCAN.acquisitions, Close())
    session, sink = MemorySession(messages), KeepingSink()
    # without a chain of the server: the card names it
    summary = run_scan(session, chain_selector(None), sinks=[sink])
    return Outcome(summary, session, sink)


def pixels(images):
    return [image.data.tobytes() for image in images]


@pytest.fixture(scope="module")
def untouched():
    return outcome()


def test_an_untouched_card_is_the_plain_chain(untouched):
    assert untouched.summary.status == "success"
    assert untouched.summary.settings == vars(load_chain("pcasl_epi").settings()) | {"asl": {}}
    assert pixels(untouched.session.images) == pixels(run(SCAN).session.images)
    assert not [text for level, text in untouched.summary.notices if level == "warning"]


def test_choices_are_those_of_the_scan(untouched):
    chosen = outcome(series="cbf", subtractionorder="surround", rejectionlimit=3.5, targetstandarderror=12.0)
    assert {image.header.image_series_index for image in chosen.session.images} == {Series.CBF}
    settings = chosen.summary.settings
    assert (settings["subtraction_order"], settings["rejection_limit"]) == ("surround", 3.5)
    assert settings["target_standard_error"] == 12
    # the phantom doesn't change from pair to pair
    assert chosen.summary.n_pairs == untouched.summary.n_pairs == 3


def test_the_chain_is_the_one_of_the_card():
    alone = outcome(config="epi")
    assert alone.summary.status == "success"
    assert {image.header.image_series_index for image in alone.session.images} == {Series.MAGNITUDE, Series.M0}
