import pytest

from perfline.gadgets.mrd.safe_xml import MAX_DEPTH, parse_xml
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


def nested(depth):
    return b"<a>" * depth + b"</a>" * depth


def test_depth_has_a_bound():
    assert sum(1 for _ in parse_xml(nested(MAX_DEPTH), "it").iter()) == MAX_DEPTH
    with pytest.raises(InputError, match=f"it: XML nested deeper than {MAX_DEPTH} elements isn't allowed"):
        parse_xml(nested(MAX_DEPTH + 1), "it")


def test_a_depth_bomb_is_refused_at_once():
    # the limit is found before the end: what follows it isn't even looked at
    with pytest.raises(InputError, match="nested deeper"):
        parse_xml(b"<a>" * 2_000_000, "it")


def test_siblings_are_not_depth(monkeypatch):
    assert len(parse_xml(b"<a>" + b"<b><c/></b>" * 1000 + b"</a>", "it")) == 1000
    monkeypatch.setattr("perfline.gadgets.mrd.safe_xml.MAX_ELEMENTS", 1000)
    assert len(parse_xml(b"<a>" + b"<b/>" * 999 + b"</a>", "it")) == 999
    with pytest.raises(InputError, match="it: XML of more than 1000 elements isn't allowed"):
        parse_xml(b"<a>" + b"<b/>" * 1000 + b"</a>", "it")


def test_external_references_are_not_followed(tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("<s/>")
    include = f'<a xmlns:xi="http://www.w3.org/2001/XInclude"><xi:include href="{secret}"/></a>'
    assert [child.tag for child in parse_xml(include.encode(), "it")] == ["include"]
    with pytest.raises(InputError, match="document type or entity"):
        parse_xml(f'<!DOCTYPE a SYSTEM "{secret}"><a/>'.encode(), "it")
    with pytest.raises(InputError, match="it: not XML"):
        parse_xml(b"<a>&unknown;</a>", "it")
