import pytest

from perfline.gadgets.errors import MissingParameterError, ScanHeaderError
from perfline.gadgets.mrd.parameter_sources import Candidate, ParameterSources, Stated
from perfline.gadgets.mrd.parameter_values import positive, seconds_list
from perfline.gadgets.stage_data import Parameter

STANDARD = Candidate(3.0, "header field")
DEFAULT = Candidate(4.0, "default: somebody")


def sources(sidecar=None, protocol=None, user=None):
    return ParameterSources(
        (("sidecar", sidecar or {}), ("protocol", protocol or {}), ("header userParameter {name}", user or {}))
    )


@pytest.mark.parametrize(
    ("given", "value", "origin"),
    [
        ({"sidecar": {"x": 1}, "protocol": {"x": 1}, "user": {"x": 1}}, 1.0, "sidecar"),
        ({"protocol": {"x": 1.5}}, 1.5, "protocol"),
        ({"user": {"x": 2}}, 2.0, "header userParameter x"),
        ({"sidecar": {"x": None}, "user": {"x": 2}}, 2.0, "header userParameter x"),
        ({}, 3.0, "header field"),
    ],
)
def test_order_of_the_sources(given, value, origin):
    found = sources(**given)
    standard = STANDARD if not given else None
    assert found.find("x", positive, unit="s", standard=standard, default=DEFAULT) == value
    assert found.parameters == {"x": Parameter("x", value, "s", origin)}
    assert found.warnings == []


def test_default_is_the_last_and_contradicts_nobody():
    found = sources()
    assert found.find("x", positive, default=DEFAULT) == 4.0
    assert found.parameters["x"].origin == "default: somebody"
    found = sources(user={"x": 9})
    assert found.find("x", positive, default=DEFAULT) == 9.0
    assert found.warnings == []


def test_disagreement_names_both():
    found = sources(sidecar={"x": [1.8, 2.0]}, user={"x": 1.7})
    assert found.find("x", seconds_list, standard=Candidate((1.8, 2.0), "header field")) == (1.8, 2.0)
    assert found.warnings == [
        "x: sidecar says [1.8, 2.0], header userParameter x says [1.7]; the first is used",
    ]


def test_rounding_is_no_disagreement():
    found = sources(sidecar={"x": 0.0123456}, user={"x": 0.0123457})
    found.find("x", positive)
    assert found.warnings == []
    found = sources(sidecar={"x": 3})
    found.find("x", positive, standard=Candidate(2.89, "header"), tolerance=0.05)
    assert found.warnings == []


def test_a_bad_value_of_a_lower_source_is_an_error_too():
    with pytest.raises(ScanHeaderError, match=r"x \(header userParameter x\): expected a positive number, got 0"):
        sources(sidecar={"x": 1}, user={"x": 0}).find("x", positive)


def test_nowhere():
    assert sources().find("x", positive) is None
    with pytest.raises(
        MissingParameterError,
        match=r"x is not given, it matters: put it into the sidecar .*, the protocol file, or the userParameters",
    ):
        sources().require("x", positive, why="it matters")


def test_has_any_and_raw():
    found = sources(protocol={"a": 1}, user={"a": 2, "b": 0})
    assert found.has_any(["z", "b"])
    assert not found.has_any(["z"])
    assert found.raw("a") == 1
    assert found.raw("z") is None


def test_a_stated_value_keeps_its_own_origin():
    found = sources({"EchoTime": Stated(0.014, "option")}, {"EchoTime": 0.02})
    assert found.find("EchoTime", positive) == 0.014
    assert found.raw("EchoTime") == 0.014
    assert found.parameters["EchoTime"].origin == "option"
    assert found.warnings == ["EchoTime: option says 0.014, protocol says 0.02; the first is used"]
