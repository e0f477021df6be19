import json
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pytest

from perfline.gadgets.errors import OutputError
from perfline.gadgets.writers.json_file import plain_value, write_json
from perfline.recon.errors import InputError
from perfline.recon.parameters import VolumeType


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (np.float32(0.5), 0.5),
        (np.int64(3), 3),
        (np.bool_(True), True),
        (True, True),
        (float("inf"), None),
        (np.float64("nan"), None),
        (np.array([[1.0, np.nan]]), [[1.0, None]]),
        (VolumeType.CONTROL, "control"),
        ({VolumeType.LABEL: (1, 2)}, {"label": [1, 2]}),
        ({3, 1}, [1, 3]),
        (Path("a/b"), "a/b"),
        (MappingProxyType({"a": None}), {"a": None}),
    ],
)
def test_values_become_plain(value, expected):
    plain = plain_value(value)
    assert plain == expected
    assert type(plain) is type(expected)


def test_an_unknown_type_is_refused():
    with pytest.raises(InputError, match="expected plain values, got object"):
        plain_value({"a": [object()]})


def test_the_file_reads_back_and_is_sorted_on_request(tmp_path):
    content = {"b": {"d": 1, "c": "µ"}, "a": np.arange(2)}
    write_json(tmp_path / "plain.json", content)
    write_json(tmp_path / "sorted.json", content, sort_keys=True)
    assert list(json.loads((tmp_path / "plain.json").read_text("utf-8"))) == ["b", "a"]
    assert (tmp_path / "sorted.json").read_text("utf-8").startswith('{\n  "a": [')
    assert json.loads((tmp_path / "sorted.json").read_text("utf-8")) == {"a": [0, 1], "b": {"c": "µ", "d": 1}}


def test_an_unwritable_place_is_named(tmp_path):
    with pytest.raises(OutputError, match=r"x\.json: can't be written"):
        write_json(tmp_path / "missing" / "x.json", {})
