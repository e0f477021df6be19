import copy

import pytest

from perfline.gadgets.openrecon.label import make_label
from perfline.gadgets.openrecon.published import label_problems

GOOD = make_label("raw")
NUMBER = {
    "id": "n",
    "type": "int",
    "label": {"en": "n"},
    "minimum": -1,
    "maximum": 3,
    "default": 0,
    "unit": {"en": "ms"},
}


def changed(*path, to):
    """The good label with one value changed; without, if `to` is None."""
    label = copy.deepcopy(GOOD)
    place = label
    for key in path[:-1]:
        place = place[key]
    if to is None:
        del place[path[-1]]
    else:
        place[path[-1]] = to
    return label


def with_parameter(**values):
    label = copy.deepcopy(GOOD)
    label["parameters"] = [label["parameters"][0], {**NUMBER, **values}]
    return label


def required():
    for section in ("general", "reconstruction"):
        optional = {
            "can_process_adjustment_data",
            "min_count_required_gpus",
            "min_required_gpu_memory",
            "content_qualification_type",
            "require_readout_filter_off",
        }
        yield from ((section, key) for key in GOOD[section] if key not in optional)
    yield from (("general", "regulatory_information", key) for key in GOOD["general"]["regulatory_information"])
    yield from ((section,) for section in GOOD)
    yield from (("parameters", 0, key) for key in ("id", "label", "type", "default", "values"))
    # a number
    yield from (("parameters", 5, key) for key in ("minimum", "maximum", "default"))


@pytest.mark.parametrize("path", list(required()), ids=str)
def test_what_has_to_be_there(path):
    assert label_problems(changed(*path, to=None))


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (("extra",), 1, "label: extra: no such field"),
        (("general", "version"), "1.0", "general: version: expected a semantic version, got '1.0'"),
        (("general", "version"), "1.0.0.dev3", "general: version: expected a semantic version"),
        (("general", "name"), "perfline", "general: name: expected an object with a text en"),
        (("general", "regulatory_information", "gtin"), 0, "gtin: expected a text, got 0"),
        (("reconstruction", "port"), "9002", "port: expected an integer from 1"),
        (("reconstruction", "port"), True, "port: expected an integer from 1"),
        (("reconstruction", "emitter"), "kspace", "emitter: expected one of raw, image"),
        (("reconstruction", "emitter"), "image", None),
        (("reconstruction", "injector"), "compleximage", None),
        (("reconstruction", "can_use_gpu"), "no", "can_use_gpu: expected true or false"),
        (("reconstruction", "min_count_required_cpu_cores"), 0, "expected an integer from 1, got 0"),
        (("reconstruction", "content_qualification_type"), "TOY", "expected one of PRODUCT, SERVICE, RESEARCH"),
        (("reconstruction", "transfer_protocol", "version"), "2.0", "expected protocol ISMRMRD in version 1.4.1"),
        (("reconstruction", "channel_compression"), {"require_state": "maybe"}, "channel_compression: expected"),
        (("reconstruction", "channel_compression"), {"require_number_target_channels": 12}, None),
        (("parameters",), {}, "parameters: expected a list of objects"),
        (("parameters",), [], "parameters: expected a choice with the id 'config'"),
        (("parameters", 1, "id"), "image_series", "id: expected letters and digits, got 'image_series'"),
        (("parameters", 1, "id"), "config", "parameters: expected one with the id 'config', got 2"),
        (("parameters", 1, "default"), "", "parameter 'series': default: expected one of protocol, "),
        (("parameters", 1, "values"), [], "values: expected a list of objects"),
        (("parameters", 1, "values"), [{"id": "", "name": {"en": "x"}}], "values: expected a list of objects"),
        (("parameters", 1, "values"), 2 * [{"id": "protocol", "name": {"en": "x"}}], "expected different ids"),
        (("parameters", 1, "type"), "list", "type: expected one of boolean, string, choice, int, double, got 'list'"),
        (("parameters", 5, "default"), 0.5, "default: expected 1.0 to 20.0, got 0.5"),
    ],
)
def test_what_the_values_may_be(path, value, message):
    problems = label_problems(changed(*path, to=value))
    assert (message in problems[0]) if message else not problems


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({}, None),
        ({"unit": {"en": "mL/100g/min"}}, "unit: expected an object with a text en of 1 to 3 characters"),
        ({"default": 1.0}, "default: expected an integer of 32 bits, got 1.0"),
        ({"maximum": 1 << 31}, "maximum: expected an integer of 32 bits"),
        ({"type": "double", "default": 2.5, "maximum": 3.0}, None),
        ({"type": "double", "default": 0.25}, "default: expected a number in steps of 0.1, got 0.25"),
        # to the validators in use this one is no multiple, either
        ({"type": "double", "default": 0.3}, "default: expected a number in steps of 0.1, got 0.3"),
        ({"isLargeText": False}, "isLargeText: no such field"),
        ({"label": {"de": "n"}}, "label: expected an object with a text en"),
    ],
)
def test_numbers(values, message):
    problems = label_problems(with_parameter(**values))
    assert (message in problems[0]) if message else not problems


def test_at_most_14():
    label = copy.deepcopy(GOOD)
    label["parameters"] += [{**NUMBER, "id": f"n{i}"} for i in range(15 - len(label["parameters"]))]
    assert label_problems(label) == ["parameters: expected at most 14, got 15"]


@pytest.mark.parametrize("other", [None, 3, "label", []])
def test_anything_else_is_no_label(other):
    assert label_problems(other) == [f"label: expected an object, got {other!r}"]
