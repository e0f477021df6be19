"""The files for BART, and what a stand-in for its program makes of them."""

import sys
from pathlib import Path

import numpy as np
import pytest
from reference.nufft import adjoint_dtft, relative_error
from reference.trajectories import complex_noise, scattered

from perfline.gadgets.bench.nufft_bart import bart_adjoint, read_cfl, write_cfl

# reads its arguments and files as BART's manual has them: first axis fastest; coils on axis 3; unitary scaling
STAND_IN = f"""#!{sys.executable}
import sys
import numpy as np

def read(name):
    sizes = [int(n) for n in open(name + ".hdr").read().splitlines()[1].split()]
    return np.fromfile(name + ".cfl", np.complex64).reshape(sizes, order="F")

tool, adjoint, flag, size, trajectory, samples, images = sys.argv[1:]
assert (tool, adjoint, flag) == ("nufft", "-a", "-d")
sizes = [int(n) for n in size.split(":")]
k, s = read(trajectory)[:, :, 0].real, read(samples)[0, :, 0, :].reshape(-1, read(samples).shape[3])
waves = [np.exp(2j * np.pi * np.outer(np.arange(n) - n // 2, k[a]) / n) for a, n in enumerate(sizes)]
out = np.einsum("xj,yj,zj,jc->xyzc", *waves, s) / np.sqrt(np.prod(sizes))
open(images + ".hdr", "w").write("# Dimensions\\n" + " ".join(map(str, [*out.shape] + [1] * 12)) + "\\n")
out.astype(np.complex64).ravel(order="F").tofile(images + ".cfl")
"""


def test_files_are_read_as_written(tmp_path):
    array = complex_noise(1, (3, 5, 4))
    write_cfl(tmp_path / "a", array)
    assert (tmp_path / "a.hdr").read_text().splitlines()[1].split()[:4] == ["4", "5", "3", "1"]
    np.testing.assert_array_equal(read_cfl(tmp_path / "a"), array)


@pytest.mark.parametrize("matrix", [(6, 9), (4, 6, 5)])
def test_call_gives_the_sums_without_a_factor(tmp_path: Path, matrix):
    program = tmp_path / "bart"
    program.write_text(STAND_IN)
    program.chmod(0o755)
    trajectory, samples = scattered(2, 20, matrix), complex_noise(1, (3, 40))
    out = np.zeros((3, *matrix), np.complex64)
    bart_adjoint(str(program), trajectory, samples, out)()
    wanted = adjoint_dtft(samples[2], trajectory, matrix) * np.sqrt(np.prod(matrix))
    # single-precision files
    assert relative_error(out[2], wanted) < 1e-6
