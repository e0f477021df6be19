import base64
import json

import pytest
from click.testing import CliRunner

from perfline.gadgets.cli.openrecon import command
from perfline.gadgets.errors import ConfigurationError
from perfline.gadgets.openrecon import published
from perfline.gadgets.openrecon.label import LABEL_KEY, make_label


def run(*arguments):
    return CliRunner().invoke(command, arguments)


@pytest.mark.parametrize("kind", ["raw", "image"])
def test_label_and_json_say_the_same(kind):
    encoded = run("label", "--kind", kind).output
    assert encoded.count("\n") == 1
    assert json.loads(base64.b64decode(encoded)) == json.loads(run("json", "--kind", kind).output) == make_label(kind)


def test_raw_is_the_default():
    assert json.loads(run("json").output)["reconstruction"]["emitter"] == "raw"


def test_key():
    assert run("label-key").output == f"{LABEL_KEY}\n"


def test_check_says_what_is_wrong(monkeypatch):
    good = run("label", "--check")
    assert (good.exit_code, good.output[:13]) == (0, "ok: perfline ")
    monkeypatch.setattr(published, "label_problems", lambda label: ["general: vendor: expected a text, got 3"])
    bad = run("label", "--check")
    assert (bad.exit_code, bad.output) == (1, "general: vendor: expected a text, got 3\n")


def test_no_such_kind_is_a_usage_error():
    assert isinstance(run("label", "--kind", "x").exception, ConfigurationError)
