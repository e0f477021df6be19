import pytest

from perfline.gadgets.mrd.safe_xml import parse_xml
from perfline.recon.errors import InputError

BOMB = b'<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;">]><x>&b;</x>'


@pytest.mark.parametrize(
    "xml",
    [
        b"<a><b>1</b></a>",
        b"<?xml version='1.0'?><a xmlns='urn:x'><b>1</b></a>",
        b"\xef\xbb\xbf<p:a xmlns:p='urn:x'><p:b>1</p:b></p:a>",
    ],
)
def test_namespaces_are_taken_off(xml):
    root = parse_xml(xml, "it")
    assert root.tag == "a"
    assert root.findtext("b") == "1"


@pytest.mark.parametrize(
    ("xml", "text"),
    [
        (BOMB, "it: a document type or entity declaration isn't allowed"),
        (BOMB.decode().encode("utf-16"), "it: expected XML in UTF-8, got zero bytes"),
        (b"rubbish", "it: not XML .*begins with b'rubbish'"),
        (b"<a>", "it: not XML"),
        (b"<p:a/>", "it: not XML"),
        (b"<?xml version='1.0' encoding='klingon'?><a/>", "it: not XML"),
        (b"<a>\xff</a>", "it: not XML"),
        (b"", "it: not XML"),
    ],
)
def test_what_is_refused(xml, text):
    with pytest.raises(InputError, match=text):
        parse_xml(xml, "it")
