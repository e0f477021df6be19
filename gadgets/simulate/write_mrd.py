"""Simulated scans as MRD messages or MRD files."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import h5py
import ismrmrd
import numpy as np
from ismrmrd.hdf5 import acquisition_dtype

from perfline.gadgets.mrd.disk_file import DiskFile
from perfline.gadgets.simulate.header import scan_header_xml
from perfline.gadgets.simulate.raw_data import scan_blocks, scan_truth
from perfline.gadgets.simulate.scan_recipe import SimulationRecipe
from perfline.gadgets.simulate.shot_template import Block
from perfline.gadgets.writers.sink import finished_file
from perfline.recon.phantom.truth import TruthMaps

__all__ = ["simulate_scan", "write_scan"]

_ACQUISITIONS_PER_CHUNK = 64
"""Small enough for the smallest file, large enough that HDF5's index stays small."""


def simulate_scan(recipe: SimulationRecipe) -> tuple[bytes, Iterator[ismrmrd.Acquisition], TruthMaps]:
    """Play a scan of the phantom.

    Parameters
    ----------
    recipe : SimulationRecipe

    Returns
    -------
    header_xml : bytes
    acquisitions : iterator of ismrmrd.Acquisition
        In the order of acquisition; made as they are asked for.
    truth : TruthMaps

    Examples
    --------
    >>> from perfline.gadgets.simulate.epi_recipe import EpiRecipe
    >>> header, acquisitions, truth = simulate_scan(EpiRecipe(n_slices=1, n_pairs=1))
    >>> sum(1 for _ in acquisitions)
    129
    """
    return scan_header_xml(recipe), _acquisitions(scan_blocks(recipe)), scan_truth(recipe)


def _acquisitions(blocks: Iterator[Block]) -> Iterator[ismrmrd.Acquisition]:
    for heads, samples, trajectories in blocks:
        for head, data, trajectory in zip(heads, samples, trajectories, strict=True):
            yield ismrmrd.Acquisition(head.tobytes(), data, trajectory)


def write_scan(path: str | Path, recipe: SimulationRecipe) -> TruthMaps:
    """Write a simulated scan to an MRD (HDF5) file, replacing one that is there.

    Parameters
    ----------
    path : path
    recipe : SimulationRecipe

    Returns
    -------
    TruthMaps

    Raises
    ------
    OutputError
        The file can't be written; none is left, or the one that was there.

    Notes
    -----
    The layout is that of ``ismrmrd.Dataset`` with the dataset name ``dataset``, written a block at a time: one append
    per readout takes minutes for a long scan. HDF5 does not compress data of variable length, so that the file is as
    large as the samples.
    """
    with finished_file(Path(path)) as partial, closing(DiskFile(partial, is_new=True)) as disk:
        with h5py.File(disk, "w") as file:
            _write_group(file.create_group("dataset"), recipe, disk)
        if disk.failure is not None:
            raise disk.failure
    return scan_truth(recipe)


def _write_group(group: Any, recipe: SimulationRecipe, disk: DiskFile) -> None:
    xml = group.create_dataset("xml", shape=(1,), dtype=h5py.special_dtype(vlen=bytes))
    xml[0] = scan_header_xml(recipe)
    data = group.create_dataset(
        "data", shape=(0,), maxshape=(None,), chunks=(_ACQUISITIONS_PER_CHUNK,), dtype=acquisition_dtype
    )
    for heads, samples, trajectories in scan_blocks(recipe):
        records = np.empty(heads.size, acquisition_dtype)
        records["head"] = heads
        for number, readout in enumerate(np.ascontiguousarray(samples)):
            records["traj"][number] = trajectories[number].ravel()
            records["data"][number] = readout.view(np.float32).ravel()
        start = data.shape[0]
        data.resize(start + heads.size, axis=0)
        data[start:] = records
        if disk.failure is not None:
            return
