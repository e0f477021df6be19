import os
import shutil
import subprocess
import sys

import pytest
from click.testing import CliRunner

from perfline.gadgets.cli.__main__ import cli


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_gets_a_script_that_asks_us(shell):
    result = CliRunner().invoke(cli, ["completion", shell])
    assert result.exit_code == 0
    assert f"_PERFLINE_COMPLETE={shell}_complete" in result.output


def test_another_shell_is_refused():
    result = CliRunner().invoke(cli, ["completion", "tcsh"])
    assert result.exit_code == 2
    assert "tcsh" in result.output


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash")
def test_bash_reads_the_script():
    script = CliRunner().invoke(cli, ["completion", "bash"]).output
    done = subprocess.run(["bash", "-n"], input=script, text=True, capture_output=True, timeout=20)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("words", "wanted"), [("perfline sim", "plain,simulate"), ("perfline replay --pa", "plain,--paced")]
)
def test_commands_and_options_are_completed(words, wanted):
    asked = {"_PERFLINE_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": str(len(words.split()) - 1)}
    code = "import sys; sys.argv[0] = 'perfline'; from perfline.gadgets.cli.__main__ import main; main()"
    # the variable's name comes from the name of the program
    done = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, **asked}, capture_output=True, text=True, timeout=60
    )
    assert done.stdout.split() == [wanted]
