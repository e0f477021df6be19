import base64
import json
from importlib import resources

import pytest

from perfline.gadgets.chain import installed_chains, load_chain
from perfline.gadgets.errors import ConfigurationError
from perfline.gadgets.mrd.json_config import parse_json_config
from perfline.gadgets.openrecon import label as label_module
from perfline.gadgets.openrecon.label import encode_label, label_kinds, make_label, parameter_id
from perfline.gadgets.openrecon.published import label_problems
from perfline.gadgets.settings import Settings

FOLDER = resources.files("perfline.config") / "openrecon"


def choices(parameter):
    """All values that a parameter can take, at least at its ends."""
    if parameter["type"] == "choice":
        return [value["id"] for value in parameter["values"]]
    return [parameter["minimum"], parameter["default"], parameter["maximum"]]


def defaults(label):
    return {parameter["id"]: parameter["default"] for parameter in label["parameters"]}


def sent(parameters):
    """What the container makes of the operator's choice."""
    return parse_json_config(json.dumps({"version": "1.1.0", "parameters": parameters}))


@pytest.mark.parametrize("kind", ["raw", "image"])
def test_every_label_keeps_the_published_rules(kind):
    assert label_problems(make_label(kind)) == []
    assert label_problems(json.loads(base64.b64decode(encode_label(make_label(kind))))) == []


@pytest.mark.parametrize("kind", ["raw", "image"])
def test_the_label_in_the_folder_is_the_one_that_is_made(kind):
    made = make_label(kind)
    assert json.loads((FOLDER / f"{made['general']['id']}.json").read_text("utf-8")) == made


@pytest.mark.parametrize("kind", ["raw", "image"])
def test_a_card_that_nobody_touches_changes_nothing(kind):
    label = make_label(kind)
    for chain in choices(label["parameters"][0]):
        found = sent({**defaults(label), "config": chain})
        assert (found.chain, found.unknown) == (chain, ())
        settings = load_chain(chain).settings()
        assert settings.with_values(found.settings, "JSON configuration") == settings


@pytest.mark.parametrize("kind", ["raw", "image"])
def test_every_choice_is_a_setting_of_the_scan(kind):
    for parameter in make_label(kind)["parameters"][1:]:
        for value in choices(parameter):
            found = sent({parameter["id"]: value})
            assert found.unknown == ()
            settings = Settings().with_values(found.settings, "JSON configuration")
            if value == "protocol":
                assert settings == Settings()
            else:
                ((name, chosen),) = found.settings.items()
                assert chosen == value
                assert parameter_id(name) == parameter["id"]
                at_scan = getattr(settings, name)
                assert (",".join(at_scan) if isinstance(at_scan, tuple) else at_scan) == value


def test_chains_are_installed_and_fit_what_is_sent():
    chains = {kind: set(choices(make_label(kind)["parameters"][0])) for kind in label_kinds()}
    assert set().union(*chains.values()) <= set(installed_chains())
    assert all(load_chain(name).gadgets[0] == "asl_subtraction" for name in chains["image"])
    assert all(load_chain(name).gadgets[0] != "asl_subtraction" for name in chains["raw"])


def test_names_of_settings_stay_apart_without_underscores():
    names = [name for name in vars(Settings()) if name not in ("asl", "protocol")]
    assert len({parameter_id(name) for name in names}) == len(names)


def test_every_type_of_choice_is_explained():
    for kind in label_kinds():
        for parameter in make_label(kind)["parameters"]:
            assert parameter["label"]["en"]
            assert parameter["information"]["en"].endswith(".")


def test_no_such_kind():
    with pytest.raises(ConfigurationError, match="label: expected one of raw, image, got 'spectrum'"):
        make_label("spectrum")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"values": {"pairwise": "", "thrice": ""}}, "label: subtraction_order: expected one of pairwise"),
        ({"name": "rejection_limit", "minimum": 1, "maximum": 50}, "label: rejection_limit: expected 1 to 20, got 50"),
        (
            {"name": "sense_iterations", "minimum": 1, "maximum": 9},
            "one default in all chains of the label, got .8, 12",
        ),
    ],
)
def test_a_card_that_offers_what_a_scan_refuses_makes_no_label(monkeypatch, words, message):
    card = label_module._card()
    name = words.pop("name", "subtraction_order")
    card["kinds"]["raw"]["settings"] = [name]
    card["settings"][name] = {"label": "", "information": "", "unit": "", **words}
    monkeypatch.setattr(label_module, "_card", lambda: card)
    with pytest.raises(ConfigurationError, match=message):
        make_label("raw")
