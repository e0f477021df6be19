import json

import pytest

from perfline.gadgets.errors import ConfigurationError
from perfline.gadgets.mrd.json_config import parse_json_config, without_placeholder
from perfline.gadgets.mrd.messages import ConfigName, ConfigText


def text(**parameters):
    return json.dumps({"parameters": parameters})


def test_chain_settings_and_what_means_nothing():
    found = parse_json_config(text(config="epi", subtraction_order="surround", n_threads=2, sendoriginal=True, a="b"))
    assert found.chain == "epi"
    assert found.settings == {"subtraction_order": "surround", "n_threads": 2}
    assert found.unknown == ("a", "sendoriginal")


@pytest.mark.parametrize(
    ("parameters", "chain"),
    [
        ({"config": "epi", "customconfig": ""}, "epi"),
        ({"config": "epi", "customconfig": " spiral "}, "spiral"),
        ({"config": ""}, None),
        ({"config": 3}, None),
        ({}, None),
    ],
)
def test_the_custom_name_wins_where_there_is_one(parameters, chain):
    assert parse_json_config(text(**parameters)).chain == chain


def test_empty_fields_leave_things_as_they_are():
    found = parse_json_config(text(subtraction_order="", n_threads=None).encode())
    assert (dict(found.settings), found.unknown) == ({}, ())


def test_the_word_protocol_leaves_a_setting_as_it_is():
    found = parse_json_config(text(subtraction_order="protocol", subtractiondomain="protocol", pair_mean="robust"))
    assert (dict(found.settings), found.unknown) == ({"pair_mean": "robust"}, ())


def test_names_without_underscores_are_settings_too():
    # OpenRecon allows none in the name of a parameter
    found = parse_json_config(text(subtractionorder="surround", nthreads=2, n__threads=3))
    assert (dict(found.settings), found.unknown) == ({"subtraction_order": "surround", "n_threads": 2}, ("n__threads",))


@pytest.mark.parametrize("key", ["asl", "protocol", "__class__", "with_values"])
def test_only_settings_can_be_chosen(key):
    # a protocol could be a path, and asl a whole table
    assert parse_json_config(text(**{key: "x"})).unknown == (key,)


@pytest.mark.parametrize("other", ["", "DBG text", "[1]", "3", b"<configuration/>", b"\xff\xfe"])
def test_other_texts_are_something_else(other):
    assert parse_json_config(other) is None


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        ('{"parameters": ', r"JSON configuration: not JSON \(.*\), it begins with '{\"parameters\": '"),
        ('{"parameters": 3}', "parameters: expected an object, got '3'"),
        ('{"parameters": ["config"]}', "parameters: expected an object"),
        ('{"parameters": ' + 100_000 * "[", "not JSON"),
        ("{" + 5000 * "9", "not JSON"),
    ],
)
def test_broken_json_is_refused(broken, message):
    with pytest.raises(ConfigurationError, match=message):
        parse_json_config(broken)


def test_the_word_that_openrecon_always_sends_is_no_name():
    assert without_placeholder(ConfigName("openrecon")) is None
    assert without_placeholder(ConfigName("OpenRecon")) is None
    assert without_placeholder(ConfigName("epi")) == ConfigName("epi")
    assert without_placeholder(ConfigText(b"openrecon")) == ConfigText(b"openrecon")
    assert without_placeholder(None) is None
