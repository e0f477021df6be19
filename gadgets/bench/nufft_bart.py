"""BART's adjoint NUFFT, if its program is on the path: a process for each call, its files included."""

import atexit
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

__all__ = ["bart_adjoint", "find_bart"]


def find_bart() -> str | None:
    """The program, or None."""
    return shutil.which("bart")


def bart_adjoint(
    program: str, trajectory: NDArray[np.float64], samples: NDArray[np.complex64], out: NDArray[np.complex64]
) -> Callable[[], None]:
    """Adjoint of samples (n_transforms, n_samples) into `out`, without a factor, as the other peers.

    Its files of trajectory and samples are written here; a call runs the program and reads what it wrote.
    """
    path = Path(tempfile.mkdtemp(prefix="bart_"))
    atexit.register(shutil.rmtree, path, ignore_errors=True)
    points = trajectory.reshape(-1, trajectory.shape[-1])[:, ::-1]
    # BART's axis order is x, y, z; in two dimensions z is 0
    padded = np.zeros((1, len(points), 3), np.complex64)
    padded[0, :, : points.shape[1]] = points
    write_cfl(path / "trajectory", padded)
    write_cfl(path / "samples", samples.reshape(len(samples), 1, -1, 1))
    size = ":".join(str(n) for n in (*out.shape[:0:-1], 1)[:3])
    command = [program, "nufft", "-a", "-d", size, "trajectory", "samples", "images"]
    factor = np.float32(np.sqrt(np.prod(out.shape[1:])))

    def run() -> None:
        subprocess.run(command, cwd=path, check=True, capture_output=True)
        np.multiply(read_cfl(path / "images").reshape(out.shape), factor, out=out)

    return run


def write_cfl(path: Path, array: NDArray[np.complex64]) -> None:
    """Write an array whose axes are BART's in reverse: the last one here is its first, the fastest in memory."""
    sizes = [str(n) for n in array.shape[::-1]]
    path.with_suffix(".hdr").write_text("# Dimensions\n" + " ".join(sizes + ["1"] * (16 - len(sizes))) + "\n")
    np.ascontiguousarray(array).tofile(path.with_suffix(".cfl"))


def read_cfl(path: Path) -> NDArray[np.complex64]:
    """Read an array, its axes in reverse, those of size 1 left out."""
    sizes = [int(n) for n in path.with_suffix(".hdr").read_text().splitlines()[1].split()]
    return np.fromfile(path.with_suffix(".cfl"), np.complex64).reshape([n for n in sizes[::-1] if n > 1])
