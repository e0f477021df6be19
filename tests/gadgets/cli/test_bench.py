import json

import pytest
from click.testing import CliRunner

from perfline.gadgets.bench import accuracy
from perfline.gadgets.bench.figures import Figure, Skipped
from perfline.gadgets.cli.bench import BENCHMARKS, command


def run(*arguments):
    return CliRunner().invoke(command, arguments)


@pytest.fixture
def canned(monkeypatch):
    """Put these results in place of measurements; returns what the benchmark was called with."""
    asked = {}

    def put(*results):
        def measure(**options):
            asked.update(options)
            return iter(results)

        monkeypatch.setattr(accuracy, "measure", measure)
        return asked

    return put


def test_help_lists_every_benchmark():
    result = run("--help")
    assert result.exit_code == 0
    for name in BENCHMARKS:
        assert f"  {name} " in result.stdout


def test_an_unknown_name_is_refused():
    result = run("speed")
    assert result.exit_code == 2
    assert "is not one of 'accuracy', 'stream'" in result.output


def test_json_is_one_object_a_line_and_nothing_else_on_stdout(canned):
    canned(
        Figure("accuracy", "a", "x", 1.0, "s"),
        Skipped("accuracy", "b", "no data"),
        Figure("accuracy", "c", "y", 2.0, "", 1.0),
    )
    result = run("accuracy", "--json")
    assert result.exit_code == 0
    assert [json.loads(line)["case"] for line in result.stdout.splitlines()] == ["a", "c"]
    assert "skipped b: no data" in result.stderr


def test_table_and_options(canned):
    asked = canned(Figure("accuracy", "a", "x", 1.0, "s", 2.0))
    result = run("accuracy", "--rounds", "3", "--small", "--data", "elsewhere")
    assert result.exit_code == 0
    assert result.stdout.splitlines()[1].split() == ["a", "x", "1", "s", "2", "met"]
    assert asked["rounds"] == 3
    assert asked["is_small"] is True
    assert str(asked["data"]) == "elsewhere"


@pytest.mark.parametrize(("value", "code"), [(1.0, 0), (3.0, 4)])
def test_strict_turns_a_missed_aim_into_an_exit_code(canned, value, code):
    canned(Figure("accuracy", "a", "x", value, "s", 2.0))
    assert run("accuracy").exit_code == 0
    assert run("accuracy", "--strict").exit_code == code
