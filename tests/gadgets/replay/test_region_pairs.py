import pytest

from perfline.gadgets.errors import ConfigurationError
from perfline.gadgets.replay.region_pairs import read_pairs

NAMES = {1: "left insula", 2: "right insula", 13: "2"}


def test_names_come_before_labels():
    assert read_pairs("1=right insula,left insula=2", NAMES) == [("left insula", "right insula"), ("left insula", "2")]


@pytest.mark.parametrize(
    ("text", "match"), [("1", "expected LEFT=RIGHT, got '1'"), ("1=3", "no region '3'; the image has 1 left insula")]
)
def test_what_is_no_pair_is_refused(text, match):
    with pytest.raises(ConfigurationError, match=match):
        read_pairs(text, NAMES)
