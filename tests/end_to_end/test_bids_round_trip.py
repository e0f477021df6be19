"""The raw dataset that a scan leaves says all that its blood flow was made with: `perfline quantify` finds it again."""

from dataclasses import replace

import nibabel
import numpy as np
import pytest
from click.testing import CliRunner
from end_to_end.scans import simulated

from perfline.gadgets.chain import load_chain
from perfline.gadgets.cli.quantify import command
from perfline.gadgets.mrd.memory_session import MemorySession
from perfline.gadgets.scan import run_scan
from perfline.gadgets.simulate.recipes import RECIPES
from perfline.gadgets.writers.bids import BidsSink
from perfline.gadgets.writers.bids_tree import BidsTree

SMALL = {"n_coils": 2, "n_slices": 2, "matrix_x": 20, "matrix_y": 24, "n_samples": 40, "dwell_time": 12e-6}


@pytest.mark.parametrize(
    ("name", "changes", "flow"),
    [
        ("clean", SMALL, "cbf"),
        ("pasl_q2tips", SMALL, "cbf"),
        ("multi_delay", SMALL | {"n_pairs": 1}, "cbf"),
        ("hadamard", SMALL | {"n_pairs": 1}, "cbf"),
        ("vessel_encoded", SMALL, "cbf"),
        ("kidney", {"n_coils": 2}, "rbf"),
    ],
)
def test_the_flow_of_a_scan_is_found_again_in_its_raw_dataset(tmp_path, name, changes, flow):
    scan = simulated(replace(RECIPES[name], **changes))
    live, again = BidsTree(tmp_path / "live", "sub-03_run-2"), BidsTree(tmp_path / "again", "sub-03_run-2")
    run_scan(
        MemorySession(scan.messages), lambda config: load_chain("pcasl_epi"), sinks=[BidsSink(live.folder, live.name)]
    )
    arguments = [str(live.raw("asl.nii.gz")), "--out", str(again.folder), "--no-montage"]
    result = CliRunner().invoke(command, arguments)
    assert result.exit_code == 0, result.output
    maps = [np.asarray(nibabel.load(tree.derivative(f"{flow}.nii.gz")).dataobj) for tree in (live, again)]
    assert maps[0].max() > 50
    # a difference of 1 % of two float32 magnitudes; a fit stops within its tolerance, and without flow anywhere
    is_alike = np.isclose(maps[1], maps[0], atol=1e-3 * maps[0].max())
    assert is_alike.mean() > 0.998
    assert is_alike[maps[0] > 10].all()
