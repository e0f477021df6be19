"""What can be known of the container without building it."""

import json
import re
import shlex
from importlib import resources

import pytest

from perfline.gadgets.cli.openrecon import command as openrecon
from perfline.gadgets.cli.serve import command as serve
from perfline.gadgets.openrecon.label import LABEL_KEY, PORT, make_label

TEXT = (resources.files("perfline.config") / "openrecon" / "Dockerfile").read_text("utf-8")
STEPS = (resources.files("perfline.config") / "openrecon" / "README.md").read_text("utf-8")
INSTRUCTIONS = {"FROM", "ENV", "COPY", "RUN", "EXPOSE", "CMD"}


def instructions():
    """Pairs of instruction and its text, comments left out and continued lines joined."""
    lines = [line for line in TEXT.splitlines() if line.strip() and not line.startswith("#")]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines))
    return [tuple(line.split(" ", 1)) for line in joined.splitlines()]


def only(name):
    (text,) = [text for instruction, text in instructions() if instruction == name]
    return text


def test_instructions_are_known_and_begin_with_the_base():
    names = [name for name, _ in instructions()]
    assert set(names) == INSTRUCTIONS
    assert names[0] == "FROM"
    # OpenRecon wants root; the label is given to docker build
    assert not {"USER", "LABEL", "ENTRYPOINT"} & set(names)


def test_the_command_is_one_of_ours_and_serves_the_port_of_the_label():
    program, name, *arguments = json.loads(only("CMD"))
    assert (program, name) == ("perfline", "serve")
    given = serve.make_context("serve", list(arguments)).params
    assert {given["port"], int(only("EXPOSE")), make_label("raw")["reconstruction"]["port"]} == {PORT}
    # on all interfaces: the scanner reaches the container from outside
    assert given["host"] == "0.0.0.0"


def test_kernels_are_made_for_one_type_of_processor():
    settings = dict(entry.split("=", 1) for entry in shlex.split(only("ENV")))
    assert settings["NUMBA_CPU_NAME"] == "x86-64-v3"
    # what the kernels of 16 lanes look for
    assert "+avx2" in settings["NUMBA_CPU_FEATURES"].split(",")
    assert "avx512" not in settings["NUMBA_CPU_FEATURES"]
    runs = [text for name, text in instructions() if name == "RUN"]
    assert runs[-1] == "perfline warm-up --all"


def test_python_is_one_that_the_package_allows():
    version = re.fullmatch(r"python:3\.(\d+)-slim", only("FROM"))
    assert int(version[1]) >= 11
    assert f"python3.{version[1]}/" in TEXT


@pytest.mark.parametrize("name", sorted(set(re.findall(r"perfline openrecon ([a-z-]+)", STEPS))))
def test_commands_of_the_steps_exist(name):
    assert name in openrecon.commands


def test_key_of_the_label():
    assert LABEL_KEY == "com.siemens-healthineers.magneticresonance.openrecon.metadata:1.1.0"
