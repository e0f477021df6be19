"""The trajectory of a file: ``.npz``, the readouts of another MRD file, or a Pulseq sequence."""

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from perfline.gadgets.errors import ConfigurationError, ReadoutError
from perfline.gadgets.mrd.convert import readout_from_acquisition
from perfline.gadgets.mrd.mrd_file import MrdFile
from perfline.gadgets.mrd.mrd_header import MrdHeader
from perfline.gadgets.mrd.spiral_header import read_units
from perfline.gadgets.replay.pulseq_file import read_pulseq
from perfline.gadgets.stage_data import GivenTrajectory, Purpose

__all__ = ["read_trajectory"]


def read_trajectory(path: Path) -> GivenTrajectory:
    """Read a trajectory by the ending of its file.

    Parameters
    ----------
    path : Path
        ``.npz``: ``trajectory`` (n_shots, n_samples, n_axes), axis order y, x or z, y, x, and ``units``, one of
        normalized, cycles_per_fov, rad_per_m, per_m. ``.h5``: an MRD file, each interleaf's trajectory from the first
        imaging readout that has it, in order of the line counter, of 3D trajectories partition by partition; units as
        its header declares them. ``.seq``: see `read_pulseq`.

    Returns
    -------
    GivenTrajectory

    Raises
    ------
    ConfigurationError
        The file can't be read, holds no trajectory, or not the same one throughout.
    """
    name = f"trajectory file {path.name}"
    if path.suffix not in (".npz", ".h5", ".mrd", ".seq"):
        raise ConfigurationError(f"trajectory file {path}: expected .npz, .h5, .mrd or .seq")
    if not path.is_file():
        raise ConfigurationError(f"trajectory file {path}: there is no such file")
    if path.suffix == ".npz":
        return _from_npz(path, name)
    if path.suffix == ".seq":
        return GivenTrajectory(read_pulseq(path), "per_m", name)
    return _from_mrd(path, name)


def _from_npz(path: Path, name: str) -> GivenTrajectory:
    try:
        with path.open("rb") as source, np.load(source, allow_pickle=False) as file:
            content: dict[str, Any] = {key: file[key] for key in ("trajectory", "units") if key in file}
    except (OSError, EOFError, ValueError, zipfile.BadZipFile) as error:
        raise ConfigurationError(f"{name}: {error}") from error
    for key in ("trajectory", "units"):
        if key not in content:
            raise ConfigurationError(f"{name}: {key} is missing")
    positions, units = content["trajectory"], content["units"]
    if positions.ndim != 3 or positions.shape[2] not in (2, 3) or positions.dtype.kind not in "fiu":
        raise ConfigurationError(
            f"{name}: trajectory: expected real numbers (n_shots, n_samples, 2 or 3),"
            f" got {positions.dtype} {positions.shape}"
        )
    if units.ndim != 0 or units.dtype.kind != "U":
        raise ConfigurationError(f"{name}: units: expected text, got {units!r}")
    return GivenTrajectory(positions.astype(np.float64), str(units), name)


def _from_mrd(path: Path, name: str) -> GivenTrajectory:
    shots: dict[tuple[int, int], NDArray[np.float32]] = {}
    with MrdFile(path) as file:
        units = read_units(MrdHeader(file.header_xml()))
        rows = iter(file.acquisitions())
        while True:
            try:
                readout = readout_from_acquisition(next(rows))
            except StopIteration:
                break
            except ReadoutError:
                # an empty or broken readout has no trajectory to tell
                continue
            if readout.purpose is not Purpose.IMAGING or readout.trajectory is None:
                continue
            own, at = readout.trajectory, readout.counters
            # what has two axes does not know of partitions
            key = (at.partition if own.shape[1] > 2 else 0, at.line)
            known = shots.setdefault(key, own)
            if known.shape != own.shape or not np.array_equal(known, own):
                raise ConfigurationError(
                    f"{name}: line {at.line} of partition {at.partition}: expected the same trajectory throughout,"
                    " got another one later"
                )
    if not shots:
        raise ConfigurationError(f"{name}: expected imaging readouts with a trajectory, got none")
    shapes = sorted({shot.shape for shot in shots.values()})
    if len(shapes) > 1:
        raise ConfigurationError(f"{name}: expected one shape (samples, axes) of all trajectories, got {shapes}")
    # MRD counts x first
    positions = np.stack([shots[key] for key in sorted(shots)])[..., ::-1].astype(np.float64)
    return GivenTrajectory(positions, units, name)
