import numpy as np
import pytest

from perfline.gadgets.bench.memory_scan import file_messages, run_in_memory, simulated_messages
from perfline.gadgets.errors import ScanError
from perfline.gadgets.mrd.messages import Acquisition, HeaderXml
from perfline.gadgets.simulate.recipes import SimulationRecipe
from perfline.gadgets.simulate.write_mrd import write_scan
from perfline.gadgets.stage_data import CbfVolume

SMALL = SimulationRecipe(n_coils=2, n_slices=2, matrix_x=16, matrix_y=20, n_samples=36, dwell_time=14e-6, n_pairs=1)


def test_messages_are_those_of_the_written_file(tmp_path):
    write_scan(tmp_path / "scan.h5", SMALL)
    simulated, written = list(simulated_messages(SMALL)), list(file_messages(tmp_path / "scan.h5"))
    assert len(simulated) == len(written) == 1 + 3 * 2 * 23
    assert simulated[0] == written[0]
    for one, other in zip(simulated[1:], written[1:], strict=True):
        assert isinstance(one, Acquisition)
        assert isinstance(other, Acquisition)
        assert one.head == other.head
        assert one.trajectory.shape == other.trajectory.shape
        np.testing.assert_array_equal(one.data, other.data)


def test_all_that_leaves_the_chain_is_kept():
    items = run_in_memory(simulated_messages(SMALL), "pcasl_epi")
    assert [item.n_pairs for item in items if isinstance(item, CbfVolume)] == [1]


def test_a_scan_that_fails_gives_no_figures():
    with pytest.raises(ScanError, match=r"the scan ended with fail: .*header"):
        run_in_memory([HeaderXml(b"no header")], "pcasl_epi")
