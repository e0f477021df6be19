import io
import struct
import tracemalloc
from dataclasses import fields

import numpy as np
import pytest

from perfline.gadgets.errors import StreamError
from perfline.gadgets.mrd.layout import IMAGE_HEADER, WAVEFORM_HEADER, MessageId
from perfline.gadgets.mrd.messages import ImageHeader
from perfline.gadgets.mrd.wire import MessageReader
from perfline.gadgets.mrd.wire_limits import WireLimits
from perfline.recon.errors import InputError

MANY = 0xFFFF


def acquisition_head(n_samples, n_channels, n_dimensions):
    head = bytearray(340)
    struct.pack_into("<H32xH2xH136xH", head, 0, 1, n_samples, n_channels, n_dimensions)
    return bytes(head)


def image_head(n_x, n_y, n_z, n_channels):
    head = np.zeros(1, IMAGE_HEADER)
    head["version"], head["data_type"], head["channels"] = ImageHeader().version, 5, n_channels
    head["matrix_size"] = (n_x, n_y, n_z)
    return head.tobytes()


def waveform_head(n_samples, n_channels):
    head = bytearray(WAVEFORM_HEADER.itemsize)
    struct.pack_into("<28xHH", head, 0, n_samples, n_channels)
    return bytes(head)


def length(code, n_bytes):
    return struct.pack(code, n_bytes)


DECLARED_TOO_LARGE = [
    ("config", MessageId.CONFIG_TEXT, length("<I", (8 << 20) + 1), "a configuration: 8388609 bytes declared"),
    ("config", MessageId.CONFIG_TEXT, length("<I", 0xFFFFFFFF), "a configuration: 4294967295 bytes declared"),
    ("header", MessageId.HEADER, length("<I", 0xFFFFFFFF), "the MRD header: 4294967295 bytes declared"),
    ("text", MessageId.TEXT, length("<I", 0xFFFFFFFF), "a text: 4294967295 bytes declared"),
    ("text", MessageId.ERROR, length("<Q", (1 << 64) - 1), "an error text: 18446744073709551615 bytes declared"),
    ("n_channels", MessageId.ACQUISITION, acquisition_head(1, 1025, 0), "1025 channels of 1 samples"),
    ("readout", MessageId.ACQUISITION, acquisition_head(MANY, 1024, 0), "1024 channels of 65535 samples in 0"),
    ("readout", MessageId.ACQUISITION, acquisition_head(MANY, 1, MANY), "samples in 65535 dimensions"),
    ("n_channels", MessageId.IMAGE, image_head(1, 1, 1, 1025), "1025 channels of 1 x 1 x 1"),
    ("image", MessageId.IMAGE, image_head(MANY, MANY, 1, 1), "1 channels of 65535 x 65535 x 1"),
    ("image", MessageId.IMAGE, image_head(MANY, MANY, MANY, 1024), "1024 channels of 65535 x 65535 x 65535"),
    ("meta", MessageId.IMAGE, image_head(2, 2, 1, 1) + length("<Q", 1 << 63), "an image's meta: 9223372036854775808"),
    ("n_channels", MessageId.WAVEFORM, waveform_head(1, 1025), "1025 channels of 1 samples"),
    ("waveform", MessageId.WAVEFORM, waveform_head(MANY, 1024), "1024 channels of 65535 samples"),
]


@pytest.mark.parametrize(("name", "ident", "body", "text"), DECLARED_TOO_LARGE)
def test_what_is_too_large_is_refused_before_memory_is_taken(name, ident, body, text):
    reader = MessageReader(io.BytesIO(struct.pack("<H", ident) + body + bytes(1000)).readinto)
    tracemalloc.start()
    try:
        with pytest.raises(StreamError, match=text):
            reader.read()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 1 << 20


def test_every_limit_is_tried():
    assert {case[0] for case in DECLARED_TOO_LARGE} == {field.name for field in fields(WireLimits)}


def test_every_limit_stands_in_the_table():
    table = WireLimits.__doc__
    for field in fields(WireLimits):
        row = next(line for line in table.splitlines() if line.strip().startswith(field.name + " "))
        amount = field.default if field.name == "n_channels" else f"{field.default >> 20} MiB"
        assert str(amount).replace("1024 MiB", "1 GiB") in row


@pytest.mark.parametrize("limit", [0, -1])
def test_a_limit_is_positive(limit):
    with pytest.raises(InputError, match=f"limit meta: expected a positive number, got {limit}"):
        WireLimits(meta=limit)
