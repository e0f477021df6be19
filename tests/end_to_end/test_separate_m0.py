"""M0 in a file of its own: the blood flow is that of the same scan with its M0 included."""

from dataclasses import replace

import numpy as np
import pytest
from end_to_end.scans import PLAIN, Outcome, run, run_messages, simulated

from perfline.gadgets.mrd.memory_session import MemorySession
from perfline.gadgets.replay.separate_m0 import read_separate_m0
from perfline.gadgets.scan import ScanOptions
from perfline.gadgets.simulate.write_mrd import write_scan
from perfline.gadgets.stage_data import CbfVolume, SeparateM0, SideData

SIDECAR = {"M0Type": "Separate", "M0RepetitionTime": 8.0}
WITHOUT_M0 = simulated(replace(PLAIN, n_m0=0))


def run_without_m0(separate_m0: SeparateM0 | None) -> Outcome:
    options = ScanOptions(sidecar=SIDECAR, side=SideData(separate_m0=separate_m0))
    return run_messages(MemorySession(WITHOUT_M0.messages), options=options)


def last_cbf(outcome: Outcome) -> CbfVolume:
    return [item for item in outcome.sink.items if isinstance(item, CbfVolume)][-1]


@pytest.fixture
def m0_file(tmp_path):
    """The M0 of `PLAIN` as a raw scan."""
    write_scan(tmp_path / "m0.h5", replace(PLAIN, n_pairs=0))
    return tmp_path / "m0.h5"


def test_a_raw_m0_scan_gives_the_blood_flow_of_an_included_one(m0_file):
    included = last_cbf(run(simulated(PLAIN)))
    separate = last_cbf(run_without_m0(read_separate_m0(m0_file)))
    assert separate.unit == "mL/100g/min"
    assert separate.n_pairs == included.n_pairs == PLAIN.n_pairs
    inside = included.mask & separate.mask & (included.cbf > 20)
    assert inside.sum() > 100
    # the maps of M0 and of the scan are estimated each from its own first volume
    error = np.abs(separate.cbf[inside] / included.cbf[inside] - 1)
    assert np.median(error) < 0.005
    assert np.percentile(error, 95) < 0.02


def test_an_m0_scan_of_another_place_is_refused(m0_file, tmp_path):
    x, y, z = PLAIN.position
    write_scan(tmp_path / "moved.h5", replace(PLAIN, n_pairs=0, position=(x, y, z + 30.0)))
    outcome = run_without_m0(read_separate_m0(tmp_path / "moved.h5"))
    assert outcome.summary.status == "fail"
    assert (
        "M0 file moved.h5: expected the place of the scan, its corners are up to 30.0 mm away" in outcome.summary.reason
    )


def test_separate_without_a_file_is_refused():
    outcome = run_without_m0(None)
    assert outcome.summary.status == "fail"
    assert "M0Type is Separate: expected a file with the M0 image (--m0 FILE), got none" in outcome.summary.reason
