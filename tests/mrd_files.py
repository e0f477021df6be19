"""MRD files for tests, as the ismrmrd package and other writers make them."""

import h5py
import ismrmrd
import numpy as np
from ismrmrd.hdf5 import acquisition_dtype, acquisition_header_dtype
from mrd_streams import ismrmrd_acquisition

__all__ = ["append_scan", "write_rows"]


def append_scan(path, n_readouts, *, xml=b"<h/>", group="dataset", **options):
    """A file that grew readout by readout, as a converter or a server writes it; returns the readouts."""
    readouts = [ismrmrd_acquisition(seed=i, **options) for i in range(n_readouts)]
    with ismrmrd.Dataset(path, group) as dataset:
        if xml is not None:
            dataset.write_xml_header(xml)
        for readout in readouts:
            dataset.append_acquisition(readout)
    return readouts


def write_rows(path, readouts, *, padding=0, without=(), chunks=True):
    """A file written at once, whose rows may be padded or lack a field."""
    header = acquisition_header_dtype
    if padding:
        header = np.dtype(
            {
                "names": header.names,
                "formats": [header[name] for name in header.names],
                "offsets": [header.fields[name][1] for name in header.names],
                "itemsize": header.itemsize + padding,
            }
        )
    kept = {"head": header, "traj": acquisition_dtype["traj"], "data": acquisition_dtype["data"]}
    rows = np.empty(len(readouts), np.dtype([(name, kept[name]) for name in kept if name not in without]))
    for i, readout in enumerate(readouts):
        head = np.frombuffer(bytes(readout.getHead()), acquisition_header_dtype)[0]
        for name in header.names:
            rows["head"][name][i] = head[name]
        rows["data"][i] = readout.data.view(np.float32).ravel()
        if "traj" not in without:
            rows["traj"][i] = readout.traj.ravel()
    with h5py.File(path, "w") as file:
        file.create_group("dataset")
        file["dataset"].create_dataset("xml", data=[b"<h/>"], dtype=h5py.special_dtype(vlen=bytes))
        file["dataset"].create_dataset("data", data=rows, maxshape=(None,), chunks=chunks)
