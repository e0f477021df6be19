import ismrmrd
import numpy as np
import pytest

from perfline.gadgets.mrd.meta import decode_meta, encode_meta
from perfline.recon.errors import InputError

META = {
    "DataRole": ["Image", "Quantitative"],
    "ImageComment": 'a<b & "c">d, 5 µm \\ ü',
    "n": 3,
    "slope": np.float32(0.5),
    "exact": 0.1,
    "flag": True,
    "json": '{"a":[1,2.5,null]}',
    "lines": "one\ntwo\r",
}
AS_TEXT = META | {"n": "3", "slope": "0.5", "exact": "0.1", "flag": "true"}


def test_round_trip():
    assert decode_meta(encode_meta(META)) == AS_TEXT


def test_ismrmrd_reads_ours_and_we_read_theirs():
    assert ismrmrd.Meta.deserialize(encode_meta(META).decode("ascii")) == AS_TEXT
    theirs = ismrmrd.Meta(META).serialize().encode()
    # a carriage return that isn't escaped is read as a line break
    assert decode_meta(theirs) == AS_TEXT | {"flag": "True", "lines": "one\ntwo\n"}


def test_text_is_ascii():
    assert encode_meta(META).isascii()


def test_empty_values_are_left_out():
    assert decode_meta(encode_meta({"a": "", "b": [], "c": ["", "x"]})) == {"c": "x"}
    assert encode_meta({"a": ""}) == b""


@pytest.mark.parametrize("empty", [b"", b"\0\0", b" \n"])
def test_empty_meta(empty):
    assert decode_meta(empty) == {}


def test_a_name_that_comes_twice_gets_all_its_values():
    entries = b"".join(b"<meta><name>a</name><value>%d</value></meta>" % i for i in (1, 2))
    assert decode_meta(b"<ismrmrdMeta>" + entries + b"</ismrmrdMeta>\0") == {"a": ["1", "2"]}


@pytest.mark.parametrize("bad", ["a\0b", "a\x07", "\ud800"])
def test_characters_that_xml_forbids(bad):
    with pytest.raises(InputError, match="meta note: expected text without control characters"):
        encode_meta({"note": bad})


def test_name_must_not_be_empty():
    with pytest.raises(InputError, match="expected a name for each value"):
        encode_meta({"": "x"})


@pytest.mark.parametrize(
    ("xml", "text"),
    [
        (b"<a/>", "expected an ismrmrdMeta document, got a"),
        (b"plain", "image meta: not XML"),
        (b"<!DOCTYPE x><ismrmrdMeta/>", "document type or entity declaration isn't allowed"),
    ],
)
def test_what_is_not_meta(xml, text):
    with pytest.raises(InputError, match=text):
        decode_meta(xml)
