import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from perfline.gadgets.bench.cold_start import measure
from perfline.gadgets.bench.process_table import cpu_seconds
from perfline.gadgets.bench.start_parts import STEPS


@pytest.mark.slow
def test_both_starts_are_measured():
    reports = []
    figures = list(measure(rounds=1, is_small=True, data=Path(), report=reports.append))
    values = {(one.case, one.figure): one.value for one in figures}
    for case, figure in [("perfline serve", "from start to ready"), ("Gadgetron node", "from start to first image")]:
        # an interpreter with numpy takes a tenth; compiling would take a minute
        assert 0.1 < values[case, f"{figure}, median"] == values[case, f"{figure}, worst"] < 30
        assert values[case, "processor time, median"] > 0.1
    assert [name for case, name in values if case == "steps of a start"] == ["interpreter", *STEPS]
    assert all(one.aim is None for one in figures)
    assert reports[-1] == "round 1 of 1"


def test_processor_time_of_a_process():
    with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as busy:
        end = time.monotonic() + 30
        while (seconds := cpu_seconds(busy.pid)) < 0.05 and time.monotonic() < end:
            time.sleep(0.01)
        busy.kill()
    assert 0.05 <= seconds < 10


# a fresh process each, in which a module that one of these imports would show
@pytest.mark.parametrize(
    ("module", "without"),
    [
        # a server's own process and a client need no numerics
        ("perfline.gadgets.scan", ["numba", "scipy", "nibabel", "ismrmrd"]),
        ("perfline.gadgets.server.process_server", ["numba", "scipy", "nibabel", "ismrmrd"]),
        ("perfline.gadgets.node", ["numpy", "numba"]),
        # spirals have stages and kernels that an EPI scan doesn't wait for
        ("perfline.gadgets.gadget_stages", ["nibabel", "ismrmrd", "perfline.recon.nufft.plan", "scipy.interpolate"]),
    ],
)
def test_what_is_not_imported_at_start(module, without):
    script = f"import sys, json, {module}; print(json.dumps([one for one in {without} if one in sys.modules]))"
    run = subprocess.run([sys.executable, "-P", "-c", script], capture_output=True, text=True, check=True, timeout=60)
    assert json.loads(run.stdout) == []
