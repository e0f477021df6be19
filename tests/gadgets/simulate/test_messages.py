import numpy as np

from perfline.gadgets.bench.memory_scan import file_messages
from perfline.gadgets.mrd.messages import Acquisition
from perfline.gadgets.simulate.messages import simulated_messages
from perfline.gadgets.simulate.recipes import SimulationRecipe
from perfline.gadgets.simulate.write_mrd import write_scan

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
