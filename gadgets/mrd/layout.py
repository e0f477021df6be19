"""Numbers of the MRD v1 format: message ids, flags, data types and the layout of its headers.

Sizes on the wire: acquisition header 340 bytes, image header 198, waveform header 40; all little endian.
"""

import struct
from collections.abc import Mapping
from enum import IntEnum
from types import MappingProxyType
from typing import Any, Final

import numpy as np

__all__ = [
    "ACQUISITION_HEADER",
    "CONFIG_NAME_SIZE",
    "DATA_TYPES",
    "IMAGE_HEADER",
    "IMAGE_HEADER_STRUCT",
    "TIME_STAMP_TICK",
    "WAVEFORM_HEADER",
    "AcquisitionFlag",
    "ImageType",
    "MessageId",
    "header_word",
]

CONFIG_NAME_SIZE: Final = 1024
"""Bytes of the name in a configuration-file message, padded with zeros."""

TIME_STAMP_TICK: Final = 2.5e-3
"""Unit of the acquisition time stamps [s], as Siemens scanners and their converter count."""


class MessageId(IntEnum):
    """The uint16 in front of each message."""

    CONFIG_FILE = 1
    CONFIG_TEXT = 2
    HEADER = 3
    CLOSE = 4
    TEXT = 5
    ERROR = 8
    ACQUISITION = 1008
    IMAGE = 1022
    WAVEFORM = 1026


class AcquisitionFlag(IntEnum):
    """Flags of an acquisition, counted from 1: flag ``n`` is the bit ``1 << (n - 1)``."""

    FIRST_IN_SLICE = 7
    LAST_IN_SLICE = 8
    FIRST_IN_REPETITION = 13
    LAST_IN_REPETITION = 14
    FIRST_IN_SET = 15
    LAST_IN_SET = 16
    FIRST_IN_SEGMENT = 17
    LAST_IN_SEGMENT = 18
    NOISE_MEASUREMENT = 19
    PARALLEL_CALIBRATION = 20
    PARALLEL_CALIBRATION_AND_IMAGING = 21
    REVERSE = 22
    NAVIGATION_DATA = 23
    PHASECORR_DATA = 24
    LAST_IN_MEASUREMENT = 25
    HPFEEDBACK_DATA = 26
    DUMMYSCAN_DATA = 27
    RTFEEDBACK_DATA = 28
    SURFACECOILCORRECTIONSCAN_DATA = 29
    PHASE_STABILIZATION_REFERENCE = 30
    PHASE_STABILIZATION = 31
    USER1 = 57

    @property
    def mask(self) -> int:
        """The flag's bit."""
        return 1 << (self.value - 1)


class ImageType(IntEnum):
    """``image_type`` of an image header."""

    MAGNITUDE = 1
    PHASE = 2
    REAL = 3
    IMAGINARY = 4
    COMPLEX = 5
    RGB = 6


DATA_TYPES: Final[Mapping[int, np.dtype[Any]]] = MappingProxyType(
    {
        1: np.dtype("<u2"),
        2: np.dtype("<i2"),
        3: np.dtype("<u4"),
        4: np.dtype("<i4"),
        5: np.dtype("<f4"),
        6: np.dtype("<f8"),
        7: np.dtype("<c8"),
        8: np.dtype("<c16"),
    }
)
"""``data_type`` of an image header."""

_COUNTERS = np.dtype(
    [
        ("kspace_encode_step_1", "<u2"),
        ("kspace_encode_step_2", "<u2"),
        ("average", "<u2"),
        ("slice", "<u2"),
        ("contrast", "<u2"),
        ("phase", "<u2"),
        ("repetition", "<u2"),
        ("set", "<u2"),
        ("segment", "<u2"),
        ("user", "<u2", (8,)),
    ]
)

ACQUISITION_HEADER: Final = np.dtype(
    [
        ("version", "<u2"),
        ("flags", "<u8"),
        ("measurement_uid", "<u4"),
        ("scan_counter", "<u4"),
        ("acquisition_time_stamp", "<u4"),
        ("physiology_time_stamp", "<u4", (3,)),
        ("number_of_samples", "<u2"),
        ("available_channels", "<u2"),
        ("active_channels", "<u2"),
        ("channel_mask", "<u8", (16,)),
        ("discard_pre", "<u2"),
        ("discard_post", "<u2"),
        ("center_sample", "<u2"),
        ("encoding_space_ref", "<u2"),
        ("trajectory_dimensions", "<u2"),
        ("sample_time_us", "<f4"),
        ("position", "<f4", (3,)),
        ("read_dir", "<f4", (3,)),
        ("phase_dir", "<f4", (3,)),
        ("slice_dir", "<f4", (3,)),
        ("patient_table_position", "<f4", (3,)),
        ("idx", _COUNTERS),
        ("user_int", "<i4", (8,)),
        ("user_float", "<f4", (8,)),
    ]
)
"""Acquisition header, packed."""


def header_word(name: str) -> int:
    """Where a field of the acquisition header begins, in words of 16 bits: all its fields begin at even bytes.

    Examples
    --------
    >>> header_word("flags"), header_word("number_of_samples")
    (1, 17)
    """
    fields: Mapping[str, Any] = ACQUISITION_HEADER.fields or {}
    return int(fields[name][1]) // 2


IMAGE_HEADER: Final = np.dtype(
    [
        ("version", "<u2"),
        ("data_type", "<u2"),
        ("flags", "<u8"),
        ("measurement_uid", "<u4"),
        ("matrix_size", "<u2", (3,)),
        ("field_of_view", "<f4", (3,)),
        ("channels", "<u2"),
        ("position", "<f4", (3,)),
        ("read_dir", "<f4", (3,)),
        ("phase_dir", "<f4", (3,)),
        ("slice_dir", "<f4", (3,)),
        ("patient_table_position", "<f4", (3,)),
        ("average", "<u2"),
        ("slice", "<u2"),
        ("contrast", "<u2"),
        ("phase", "<u2"),
        ("repetition", "<u2"),
        ("set", "<u2"),
        ("acquisition_time_stamp", "<u4"),
        ("physiology_time_stamp", "<u4", (3,)),
        ("image_type", "<u2"),
        ("image_index", "<u2"),
        ("image_series_index", "<u2"),
        ("user_int", "<i4", (8,)),
        ("user_float", "<f4", (8,)),
        ("attribute_string_len", "<u4"),
    ]
)
"""Image header, packed."""

IMAGE_HEADER_STRUCT: Final = struct.Struct("<HHQI3H3fH15f6HI3I3H8i8fI")
"""The image header as one flat record, quicker to fill than the structured type."""

WAVEFORM_HEADER: Final = np.dtype(
    {
        "names": [
            "version",
            "flags",
            "measurement_uid",
            "scan_counter",
            "time_stamp",
            "number_of_samples",
            "channels",
            "sample_time_us",
            "waveform_id",
        ],
        "formats": ["<u2", "<u8", "<u4", "<u4", "<u4", "<u2", "<u2", "<f4", "<u2"],
        "offsets": [0, 8, 16, 20, 24, 28, 30, 32, 36],
        "itemsize": 40,
    }
)
"""Waveform header: unlike the others it is padded, as a C compiler lays it out."""
