import json
import subprocess
import sys

import pytest

SCRIPT = """
import json, sys
from dataclasses import replace
import perfline.gadgets.server.worker
from perfline.gadgets.chain import load_chain
from perfline.gadgets.mrd.memory_session import MemorySession
from perfline.gadgets.ready import get_ready, get_ready_for_spirals
from perfline.gadgets.scan import run_scan
from perfline.gadgets.simulate.messages import simulated_messages
from perfline.gadgets.simulate.recipes import {recipes}

messages = list(simulated_messages(replace({recipe}, n_pairs=1, n_slices=2)))
get_ready()
{prepare}
start = []
def played():
    for number, message in enumerate(messages):
        # with the first readout all that the header asks for is made
        if number == 2:
            start.extend(sys.modules)
        yield message
summary = run_scan(MemorySession(played()), lambda config: load_chain("{chain}"))
print(json.dumps([summary.status, sorted(set(sys.modules) - set(start))]))
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("recipes", "recipe", "prepare", "chain"),
    [
        ("EPI_RECIPES", 'EPI_RECIPES["clean"]', "", "pcasl_epi"),
        ("SPIRAL_RECIPES", 'SPIRAL_RECIPES["spiral"]', "get_ready_for_spirals()", "pcasl_spiral"),
    ],
)
def test_nothing_is_imported_amid_a_scan(recipes, recipe, prepare, chain):
    # in a fresh process: an import would make a volume late, and the suite has imported everything
    script = SCRIPT.format(recipes=recipes, recipe=recipe, prepare=prepare, chain=chain)
    run = subprocess.run([sys.executable, "-P", "-c", script], capture_output=True, text=True, timeout=120)
    assert run.returncode == 0, run.stderr
    assert json.loads(run.stdout) == ["success", []]
