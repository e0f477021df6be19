"""Acquisitions and images for tests, with every header field different from the others; what is read of them."""

import ctypes
from dataclasses import fields

import ismrmrd
import numpy as np

from perfline.gadgets.mrd.messages import Acquisition
from perfline.gadgets.stage_data import Readout, ReadoutBlock

__all__ = [
    "acquisition",
    "acquisition_from_ismrmrd",
    "assert_same_readout",
    "ismrmrd_acquisition",
    "ismrmrd_image",
    "one_by_one",
    "split_every_way",
]


def ismrmrd_acquisition(seed=0, n_coils=3, n_samples=10, n_dimensions=0, flags=(), **fields):
    """An `ismrmrd.Acquisition` with random samples; counters and geometry are all distinct."""
    rng = np.random.default_rng(seed)
    data = (rng.standard_normal((n_coils, n_samples)) + 1j * rng.standard_normal((n_coils, n_samples))).astype(
        np.complex64
    )
    trajectory = rng.standard_normal((n_samples, n_dimensions)).astype(np.float32)
    values = {
        "scan_counter": 70000 + seed,
        "acquisition_time_stamp": 4001,
        "center_sample": 6,
        "discard_pre": 1,
        "discard_post": 2,
        "sample_time_us": 3.1,
        "position": (1.5, -20.25, 30.125),
        "read_dir": (0.0, 1.0, 0.0),
        "phase_dir": (0.0, 0.0, 1.0),
        "slice_dir": (1.0, 0.0, 0.0),
        **fields,
    }
    result = ismrmrd.Acquisition.from_array(data, trajectory, **values)
    for number, name in enumerate(
        (
            "kspace_encode_step_1",
            "kspace_encode_step_2",
            "average",
            "slice",
            "contrast",
            "phase",
            "repetition",
            "set",
            "segment",
        )
    ):
        setattr(result.idx, name, 11 + number)
    for flag in flags:
        result.set_flag(flag)
    return result


def acquisition_from_ismrmrd(source):
    """Our message of theirs."""
    return Acquisition(bytes(source.getHead()), source.traj.copy(), source.data.copy())


def acquisition(**options):
    """Our message with random samples."""
    return acquisition_from_ismrmrd(ismrmrd_acquisition(**options))


def ismrmrd_image(dtype=np.float32, shape=(2, 3, 5, 4), seed=0):
    """An `ismrmrd.Image` with every header field different."""
    rng = np.random.default_rng(seed)
    data = rng.integers(0, 4000, shape).astype(dtype)
    if np.iscomplexobj(data):
        data = (data + 1j * rng.integers(0, 9, shape)).astype(dtype)
    image = ismrmrd.Image.from_array(data, transpose=False)
    names = ("average", "slice", "contrast", "phase", "repetition", "set", "image_type", "image_index")
    for number, name in enumerate((*names, "image_series_index", "acquisition_time_stamp", "measurement_uid")):
        setattr(image, name, 21 + number)
    for number, name in enumerate(("field_of_view", "position", "read_dir", "phase_dir", "slice_dir")):
        setattr(image, name, (ctypes.c_float * 3)(*(np.arange(3) + 10 * number + 0.5)))
    image.patient_table_position = (ctypes.c_float * 3)(1, 2, 3)
    image.physiology_time_stamp = (ctypes.c_uint32 * 3)(4, 5, 6)
    image.user_int = (ctypes.c_int32 * 8)(*range(-4, 4))
    image.user_float = (ctypes.c_float * 8)(*np.arange(8) / 4)
    image.flags = (1 << 63) + 1
    image.attribute_string = ismrmrd.Meta({"DataRole": ["Image", "Quantitative"], "n": 3}).serialize()
    return image


def split_every_way(data, sizes):
    """A `recv_into` that hands out a byte string in pieces of the given sizes, over and over."""
    state = {"at": 0, "call": 0}

    def receive(target):
        size = min(sizes[state["call"] % len(sizes)], len(target), len(data) - state["at"])
        target[:size] = data[state["at"] : state["at"] + size]
        state["at"] += size
        state["call"] += 1
        return size

    return receive


def one_by_one(items):
    """What a session delivers, with the readouts of blocks by themselves."""
    for item in items:
        if isinstance(item, ReadoutBlock):
            yield from item
        else:
            yield item


def assert_same_readout(one, other):
    """Every field, bit for bit."""
    for field in fields(Readout):
        ours, theirs = getattr(one, field.name), getattr(other, field.name)
        if isinstance(ours, np.ndarray):
            assert ours.dtype == theirs.dtype
            assert ours.flags.c_contiguous
            assert ours.flags.aligned
            assert (ours.shape, ours.tobytes()) == (theirs.shape, theirs.tobytes())
        else:
            assert (type(ours), ours) == (type(theirs), theirs), field.name
