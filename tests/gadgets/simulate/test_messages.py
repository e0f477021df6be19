import numpy as np
import pytest

from perfline.gadgets.bench.memory_scan import file_messages
from perfline.gadgets.mrd.messages import Acquisition
from perfline.gadgets.simulate.epi_recipe import EpiRecipe
from perfline.gadgets.simulate.messages import simulated_messages
from perfline.gadgets.simulate.spiral_recipe import SpiralRecipe
from perfline.gadgets.simulate.write_mrd import write_scan

SMALL = EpiRecipe(n_coils=2, n_slices=2, matrix_x=16, matrix_y=20, n_samples=36, dwell_time=14e-6, n_pairs=1)
SPIRAL = SpiralRecipe(n_coils=2, n_slices=2, matrix_x=16, matrix_y=20, n_interleaves=2, n_pairs=1)


@pytest.mark.parametrize(("recipe", "n_readouts"), [(SMALL, 3 * 2 * 23), (SPIRAL, 3 * 2 * 2)], ids=["EPI", "spiral"])
def test_messages_are_those_of_the_written_file(tmp_path, recipe, n_readouts):
    write_scan(tmp_path / "scan.h5", recipe)
    simulated, written = list(simulated_messages(recipe)), list(file_messages(tmp_path / "scan.h5"))
    assert len(simulated) == len(written) == 1 + n_readouts
    assert simulated[0] == written[0]
    for one, other in zip(simulated[1:], written[1:], strict=True):
        assert isinstance(one, Acquisition)
        assert isinstance(other, Acquisition)
        assert one.head == other.head
        assert one.trajectory.shape[1] == (0 if recipe is SMALL else 2)
        np.testing.assert_array_equal(one.trajectory, other.trajectory)
        np.testing.assert_array_equal(one.data, other.data)
