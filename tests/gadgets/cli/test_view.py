import re
import signal
import subprocess
import sys
from urllib.request import urlopen

import pytest
from click.testing import CliRunner
from small_scan import scan_messages

from perfline.gadgets.chain import load_chain
from perfline.gadgets.cli.view import command
from perfline.gadgets.mrd.memory_session import MemorySession
from perfline.gadgets.mrd.messages import Close, HeaderXml
from perfline.gadgets.outputs import OutputOptions, output_sinks
from perfline.gadgets.scan import run_scan

pytest.importorskip("bokeh")


@pytest.mark.slow
def test_a_finished_scan_can_be_looked_at_until_ctrl_c(tmp_path):
    xml, acquisitions = scan_messages()
    sinks = output_sinks(
        tmp_path / "scan", "sub-01", OutputOptions(with_montage=False, with_mrd=False), overwrite=False
    )
    session = MemorySession((HeaderXml(xml), *acquisitions, Close()))
    assert run_scan(session, lambda config: load_chain("pcasl_epi"), sinks=sinks).status == "success"
    # as a shell starts it for someone at a terminal: what a script starts in the background may inherit SIGINT ignored
    code = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
    code += "; from perfline.gadgets.cli.view import command; command()"
    arguments = [sys.executable, "-P", "-c", code, str(tmp_path / "scan")]
    process = subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        said = process.stdout.readline()
        found = re.fullmatch(r"view: (http://127\.0\.0\.1:\d+/) \(Ctrl-C ends it\)\n", said)
        assert found, said
        page = urlopen(found[1], timeout=30).read()
        assert b"perfline: live view" in page
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=30)
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
    assert (process.returncode, output) == (0, "")


def test_a_folder_without_a_scan_is_said(tmp_path):
    result = CliRunner().invoke(command, [str(tmp_path)])
    assert result.exit_code == 1
    assert "expected the folder of a scan" in str(result.exception)
