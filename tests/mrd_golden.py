"""One message of each kind as bytes, written by hand from the layout that the MRD format documents.

Numbers are little endian. Nothing here comes from the encoder, so that it can be held against it.
"""

__all__ = [
    "ACQUISITION",
    "CLOSE",
    "CONFIG_NAME",
    "CONFIG_TEXT",
    "ERROR",
    "HEADER",
    "IMAGE",
    "JSON_TEXT",
    "MESSAGES",
    "TEXT",
    "WAVEFORM",
    "config_name",
    "config_text",
    "header",
    "text",
]

_ZERO = "00000000"
_ONE = "0000803f"

CONFIG_NAME = bytes.fromhex("0100" + "65706900") + bytes(1020)
"""id 1, ``epi`` in 1024 bytes."""

CONFIG_TEXT = bytes.fromhex("0200" + "10000000") + b"<configuration/>"
"""id 2, length in 32 bits, text."""

HEADER = bytes.fromhex("0300" + "10000000") + b"<ismrmrdHeader/>"
"""id 3, length in 32 bits, XML."""

CLOSE = bytes.fromhex("0400")
"""id 4, nothing else."""

TEXT = bytes.fromhex("0500" + "0a000000") + b"DBG hello\0"
"""id 5, length in 32 bits, text with a zero at its end."""

JSON_TEXT = bytes.fromhex("0500" + "23000000") + b'{"parameters": {"n_threads": "1"}}\0'

ERROR = bytes.fromhex("0800" + "0700000000000000") + b"no luck"
"""id 8, length in 64 bits, text."""

ACQUISITION = bytes.fromhex(
    "f003"  # id 1008
    "0100"  # version
    "c000000000000000"  # flags: 7 first in slice, 8 last in slice
    "2a000000"  # measurement_uid 42
    "07000000"  # scan_counter 7
    "a10f0000"  # acquisition_time_stamp 4001
    "000000000000000000000000"  # physiology_time_stamp, three
    "0400"  # number_of_samples 4
    "0300"  # available_channels 3
    "0200"  # active_channels 2
    + "0300000000000000"  # channel_mask, sixteen of 64 bits: coils 0 and 1
    + 15 * "0000000000000000"
    + "0000"  # discard_pre
    "0100"  # discard_post 1
    "0200"  # center_sample 2
    "0000"  # encoding_space_ref
    "0200"  # trajectory_dimensions 2
    "0000a040"  # sample_time_us 5
    "0000c03f0000a2c10000f141"  # position 1.5, -20.25, 30.125
    + (_ZERO + _ONE + _ZERO)  # read_dir
    + (_ZERO + _ZERO + _ONE)  # phase_dir
    + (_ONE + _ZERO + _ZERO)  # slice_dir
    + 3 * _ZERO  # patient_table_position
    + "0300"  # idx.kspace_encode_step_1 3
    "0000"  # kspace_encode_step_2
    "0000"  # average
    "0100"  # slice 1
    "0000"  # contrast
    "0000"  # phase
    "0200"  # repetition 2
    "0100"  # set 1
    "0000"  # segment
    + 8 * "0000"  # user
    + 8 * _ZERO  # user_int
    + 8 * _ZERO  # user_float
    # trajectory: sample after sample, x and y
    + "0000003f000080be"  # 0.5, -0.25
    + 3 * (_ZERO + _ZERO)
    # data: coil after coil, sample after sample, real and imaginary part
    + (_ONE + "00000040")  # 1 + 2i
    + 6 * (_ZERO + _ZERO)
    + ("000040c0" + _ONE)  # -3 + 1i
)

_META = b"<ismrmrdMeta><meta><name>a</name><value>b</value></meta></ismrmrdMeta>"

IMAGE = (
    bytes.fromhex(
        "fe03"  # id 1022
        "0100"  # version
        "0500"  # data_type 5: float32
        "0000000000000000"  # flags
        "2a000000"  # measurement_uid 42
        "030002000100"  # matrix_size 3, 2, 1
        "0000404100000041000080400100"  # field_of_view 12, 8, 4; channels 1
        "0000c03f0000a2c10000f141"  # position 1.5, -20.25, 30.125
        + (_ZERO + _ONE + _ZERO)  # read_dir
        + (_ZERO + _ZERO + _ONE)  # phase_dir
        + (_ONE + _ZERO + _ZERO)  # slice_dir
        + 3 * _ZERO  # patient_table_position
        + "0000"  # average
        "0100"  # slice 1
        "0000"  # contrast
        "0000"  # phase
        "0200"  # repetition 2
        "0100"  # set 1
        "a10f0000"  # acquisition_time_stamp 4001
        "000000000000000000000000"  # physiology_time_stamp, three
        "0100"  # image_type 1: magnitude
        "0300"  # image_index 3
        "0500"  # image_series_index 5
        + 8 * _ZERO  # user_int
        + 8 * _ZERO  # user_float
        + "46000000"  # attribute_string_len 70
        "4600000000000000"  # and once more, in 64 bits
    )
    + _META
    + bytes.fromhex(_ONE + 4 * _ZERO + "000040c0")  # row after row: 1 first, -3 last
)

WAVEFORM = bytes.fromhex(
    "0204"  # id 1026
    "0100"  # version
    "000000000000"  # as a C compiler pads it
    "0000000000000000"  # flags
    "2a000000"  # measurement_uid 42
    "07000000"  # scan_counter 7
    "a10f0000"  # time_stamp 4001
    "0300"  # number_of_samples 3
    "0200"  # channels 2
    "00401c45"  # sample_time_us 2500
    "0400"  # waveform_id 4
    "0000"  # padding
    "010000000200000003000000"  # channel after channel
    "040000000500000006000000"
)

MESSAGES = {
    "config name": CONFIG_NAME,
    "config text": CONFIG_TEXT,
    "header": HEADER,
    "close": CLOSE,
    "text": TEXT,
    "json": JSON_TEXT,
    "error": ERROR,
    "acquisition": ACQUISITION,
    "image": IMAGE,
    "waveform": WAVEFORM,
}


def config_name(name: str) -> bytes:
    """Message 1 with another name."""
    return b"\x01\x00" + name.encode().ljust(1024, b"\0")


def config_text(content: bytes) -> bytes:
    """Message 2 with another text."""
    return b"\x02\x00" + len(content).to_bytes(4, "little") + content


def header(xml: bytes) -> bytes:
    """Message 3 with another header."""
    return b"\x03\x00" + len(xml).to_bytes(4, "little") + xml


def text(content: str) -> bytes:
    """Message 5 with another text."""
    return b"\x05\x00" + len(content.encode()).to_bytes(4, "little") + content.encode()
