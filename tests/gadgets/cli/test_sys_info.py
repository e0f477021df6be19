import getpass
import json
import platform
import socket
from importlib.metadata import version

from click.testing import CliRunner

from perfline.gadgets.cli import sys_info
from perfline.gadgets.cli.sys_info import command, system_information


def test_it_tells_what_is_installed():
    found = system_information()
    assert found["perfline"] == {"version": version("perfline"), "Python": platform.python_version()}
    assert found["packages"]["numba"] == version("numba")
    assert {"view", "report", "dicom", "metrics"} <= set(found["extras"])
    assert found["machine"]["cores"] >= 1


def test_json_is_one_object_with_the_same_content():
    result = CliRunner().invoke(command, ["--json"])
    assert result.exit_code == 0
    assert json.loads(result.output)["packages"]["numpy"] == version("numpy")


def test_the_plain_text_names_neither_user_nor_host():
    output = CliRunner().invoke(command, []).output
    assert "numpy" in output
    words = set(output.replace("/", " ").split())
    assert not words & {getpass.getuser(), socket.gethostname()}


def test_a_missing_package_is_named(monkeypatch):
    entries = ["numpy>=2.0", 'no-such-thing>=1; extra == "view"', "another-missing>=3 ; extra == 'view'"]

    class Installed:
        requires = entries

    monkeypatch.setattr(sys_info, "distribution", lambda name: Installed)
    found = system_information()
    assert list(found["packages"]) == ["numpy"]
    assert found["extras"] == {"view": "lacks no-such-thing, lacks another-missing"}


def test_a_system_without_the_files_of_linux_is_told_as_unknown(monkeypatch, tmp_path):
    monkeypatch.setattr(sys_info, "_MEMORY_FILE", tmp_path / "none")
    assert system_information()["machine"]["memory"] == "unknown"
