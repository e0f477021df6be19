"""Whatever is done to valid messages, headers, chains and choices: an answer or an error of ours, never another."""

import contextlib
import io
from importlib import resources
from random import Random

import mrd_golden
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mrd_streams import one_by_one
from small_scan import scan_messages

from perfline.gadgets.bench.mutations import mutated, mutated_stream, mutated_text
from perfline.gadgets.chain import build_stages, installed_chains, load_chain, parse_chain
from perfline.gadgets.errors import ReadoutError, StreamError
from perfline.gadgets.mrd.incoming import IncomingStream
from perfline.gadgets.mrd.json_config import parse_json_config
from perfline.gadgets.mrd.messages import Image, Waveform
from perfline.gadgets.mrd.meta import decode_meta
from perfline.gadgets.mrd.scan_header import parse_scan_header
from perfline.gadgets.mrd.wire import encode
from perfline.gadgets.stage_data import Readout
from perfline.recon.errors import PerflineError

MESSAGES = list(mrd_golden.MESSAGES.values())
SEEDS = st.integers(0, 2**63)
FEW = settings(max_examples=100, deadline=20_000)


def look_at(item) -> None:
    if isinstance(item, Readout):
        assert item.samples.ndim == 2
        assert item.samples.size
        assert item.discard_pre + item.discard_post < item.samples.shape[1]
        assert item.trajectory is None or len(item.trajectory) == item.samples.shape[1]
    elif isinstance(item, Image):
        assert encode(item)
    elif isinstance(item, Waveform):
        assert item.data.ndim == 2


def read_all(data: bytes) -> int:
    """Read a stream to its end, look at everything, and say how many items came."""
    stream, n = IncomingStream(io.BytesIO(data).readinto), 0
    while not stream.has_ended:
        try:
            item = stream.read()
        except ReadoutError:
            continue
        except StreamError:
            break
        for one in one_by_one([] if item is None else [item]):
            n += 1
            look_at(one)
    # an ended stream stays so
    assert stream.has_ended
    assert stream.read() is None
    return n


@FEW
@given(SEEDS)
def test_one_spoilt_message_among_good_ones(seed):
    random = Random(seed)
    before, after = (b"".join(random.sample(MESSAGES[4:6] + MESSAGES[7:], 3)) for _ in range(2))
    # what came before it is there
    assert read_all(before + mutated(random.choice(MESSAGES), random) + after + mrd_golden.CLOSE) >= 3


@FEW
@given(SEEDS, st.integers(1, 6))
def test_a_stream_spoilt_in_several_places(seed, n):
    read_all(mutated_stream(MESSAGES * 2, Random(seed), n))


@FEW
@given(SEEDS, st.sampled_from(list(mrd_golden.MESSAGES)))
def test_every_kind_by_itself(seed, name):
    read_all(mutated(mrd_golden.MESSAGES[name], Random(seed)))


@FEW
@given(SEEDS)
def test_headers(seed):
    xml, _ = scan_messages()
    chain = load_chain("pcasl_epi")
    try:
        header = parse_scan_header(mutated_text(xml, Random(seed)))
        build_stages(chain.gadgets, header, chain.settings())
    except PerflineError:
        pass


@FEW
@given(SEEDS, st.sampled_from(installed_chains()))
def test_chains(seed, name):
    text = (resources.files("perfline.config") / "chains" / f"{name}.xml").read_bytes()
    with contextlib.suppress(PerflineError):
        parse_chain(mutated_text(text, Random(seed))).settings()


@FEW
@given(SEEDS)
def test_choices_of_the_operator(seed):
    text = b'{"parameters": {"config": "pcasl_epi", "subtraction_order": "surround", "n_threads": "2"}}'
    try:
        found = parse_json_config(mutated_text(text, Random(seed)))
        if found is not None:
            load_chain(found.chain or "epi").settings().with_values(found.settings, "JSON")
    except PerflineError:
        pass


@FEW
@given(SEEDS)
def test_meta_of_images(seed):
    text = b"<ismrmrdMeta><meta><name>DataRole</name><value>Image</value><value>2</value></meta></ismrmrdMeta>"
    try:
        meta = decode_meta(mutated_text(text, Random(seed)))
    except PerflineError:
        return
    assert all(isinstance(value, str | list) for value in meta.values())


@pytest.mark.parametrize("value", ["9" * 40, "-1", "1e999", "nan", "", "0x10"])
@pytest.mark.parametrize("name", ["x", "y", "z", "maximum", "TR", "receiverChannels", "value"])
def test_numbers_of_the_header_that_no_scan_has(name, value):
    xml, _ = scan_messages()
    start, _, rest = xml.partition(f"<{name}>".encode())
    _, _, end = rest.partition(b"<")
    chain = load_chain("pcasl_epi")
    try:
        header = parse_scan_header(start + f"<{name}>{value}<".encode() + end)
        build_stages(chain.gadgets, header, chain.settings())
    except PerflineError:
        pass
