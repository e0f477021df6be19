import pytest

from perfline.gadgets.errors import ConfigurationError
from perfline.gadgets.replay.repeated_list import read_repeated_list


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("control", ["control"]),
        (" control , label ", ["control", "label"]),
        ("m0scan*2,(label,control)*2", ["m0scan", "m0scan", "label", "control", "label", "control"]),
        ("((a*2,b)*2,c)*2", [*"aabaabc", *"aabaabc"]),
        ("0.25*2", ["0.25", "0.25"]),
    ],
)
def test_lists_are_written_out(text, expected):
    assert list(read_repeated_list(text, "option")) == expected


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("", "missing at the end"),
        ("a,,b", "missing before ','"),
        ("a,", "missing at the end"),
        ("(a,b*2", "a bracket is not closed"),
        ("a)", r"'\)' is out of place"),
        ("a b", "'b' is out of place"),
        ("a*", "expected a count after"),
        ("a*0", "expected a count after .*'0'"),
        ("a*-1", "expected a count after .*'-1'"),
        ("a*1.5", "expected a count"),
        ("(a*1000)*1000", "more than 100000 entries"),
    ],
)
def test_what_is_no_list_is_refused_with_its_text(text, match):
    with pytest.raises(ConfigurationError, match=match):
        read_repeated_list(text, "option")
