"""The pages under docs/ are run: their commands, one after the other in a folder of their own, and their Python.

A fence ``console`` holds commands (``$ perfline ...``) and what they print (``...`` is any text, ``exit code N`` if it
is not 0); one with ``&`` runs in the background until the page ends. A fence ``python`` is executed, all of a page
in one namespace.
"""

import doctest
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from perfline.gadgets.cli.__main__ import cli
from perfline.recon.errors import PerflineError

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted(ROOT.glob("docs/*.md"))
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
EXIT = re.compile(r"^exit code (\d)\n?\Z", re.MULTILINE)
AS_WRITTEN = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


def blocks(page, kind):
    return [body for found, body in FENCE.findall(page.read_text("utf-8")) if found == kind]


def commands(body):
    """Command line and expected text of each command of a block."""
    for part in re.split(r"^\$ ", body, flags=re.MULTILINE)[1:]:
        line, _, text = part.partition("\n")
        yield line, text


def run(arguments):
    """What a command prints, and its exit code."""
    result = CliRunner().invoke(cli, arguments)
    if isinstance(result.exception, PerflineError):
        return f"{result.output}perfline: {result.exception}\n", 2
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.output, result.exit_code


class Background:
    """Commands that go on while the next ones run."""

    def __init__(self):
        self.processes = []

    def start(self, arguments, text):
        process = subprocess.Popen(
            [sys.executable, "-m", "perfline.gadgets.cli", *arguments], stdout=subprocess.PIPE, text=True
        )
        self.processes.append(process)
        for line in text.splitlines():
            assert process.stdout.readline().rstrip() == line

    def end(self):
        for process in self.processes:
            try:
                assert process.wait(30) == 0
            finally:
                process.kill()
                process.stdout.close()


def test_there_are_pages():
    assert len(PAGES) >= 6


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_does_what_it_says(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sample_raw").symlink_to(ROOT / "sample_raw")
    shutil.copy(ROOT / "config" / "chains" / "pcasl_epi.xml", tmp_path / "chain.xml")
    background, names = Background(), {}
    try:
        for kind, body in FENCE.findall(page.read_text("utf-8")):
            if kind == "python":
                exec(compile(body, f"{page.name}", "exec"), names)
            elif kind == "console":
                for line, text in commands(body):
                    words = shlex.split(line)
                    assert words[0] == "perfline"
                    if words[-1] == "&":
                        background.start(words[1:-1], text)
                        continue
                    ending = EXIT.search(text)
                    wanted = EXIT.sub("", text)
                    output, code = run(words[1:])
                    assert code == (int(ending[1]) if ending else 0), f"{line}\n{output}"
                    assert doctest.OutputChecker().check_output(wanted, output, AS_WRITTEN), f"{line}\n{output}"
    finally:
        background.end()


@pytest.mark.parametrize(
    "page", [*PAGES, ROOT / "README.md", ROOT / "config" / "README.md"], ids=lambda page: page.name
)
def test_links_lead_somewhere(page):
    targets = re.findall(r"\]\(([^)#]+)", page.read_text("utf-8"))
    for target in targets:
        assert target.startswith("http") or (page.parent / target).exists(), target


def test_the_whole_of_the_gadget_is_there():
    assert len(blocks(ROOT / "docs" / "add_a_gadget.md", "python")) == 3
