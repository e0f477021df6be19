import pytest

from perfline.gadgets.bench.memory_scan import run_in_memory
from perfline.gadgets.errors import ScanError
from perfline.gadgets.mrd.messages import HeaderXml
from perfline.gadgets.simulate.epi_recipe import EpiRecipe
from perfline.gadgets.simulate.messages import simulated_messages
from perfline.gadgets.stage_data import CbfVolume

SMALL = EpiRecipe(n_coils=2, n_slices=2, matrix_x=16, matrix_y=20, n_samples=36, dwell_time=14e-6, n_pairs=1)


def test_all_that_leaves_the_chain_is_kept():
    items = run_in_memory(simulated_messages(SMALL), "pcasl_epi")
    assert [item.n_pairs for item in items if isinstance(item, CbfVolume)] == [1]


def test_a_scan_that_fails_gives_no_figures():
    with pytest.raises(ScanError, match=r"the scan ended with fail: .*header"):
        run_in_memory([HeaderXml(b"no header")], "pcasl_epi")
