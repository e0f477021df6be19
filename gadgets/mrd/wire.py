"""Bytes to messages and back: the MRD v1 stream.

Each message is a uint16 id and a body. A stream ends with a CLOSE message or, less politely, with its last byte.
Sizes that a stranger declares are checked before memory is taken for them.
"""

import struct
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from perfline.gadgets.errors import StreamError
from perfline.gadgets.mrd.acquisition_run import AcquisitionRun, AcquisitionSizes, run_at_front
from perfline.gadgets.mrd.exact_reader import LARGEST_LOOK, ExactReader, Receive
from perfline.gadgets.mrd.layout import (
    ACQUISITION_HEADER,
    CONFIG_NAME_SIZE,
    DATA_TYPES,
    IMAGE_HEADER,
    IMAGE_HEADER_STRUCT,
    WAVEFORM_HEADER,
    MessageId,
)
from perfline.gadgets.mrd.messages import (
    Acquisition,
    Close,
    ConfigName,
    ConfigText,
    ErrorText,
    HeaderXml,
    Image,
    ImageHeader,
    Message,
    Text,
    Waveform,
)
from perfline.gadgets.mrd.wire_limits import WireLimits
from perfline.recon.errors import InputError

__all__ = ["MessageReader", "WireLimits", "encode", "encode_parts", "image_header_from_bytes"]

_UINT16 = struct.Struct("<H")
_UINT32 = struct.Struct("<I")
_UINT64 = struct.Struct("<Q")
# version, then number_of_samples, active_channels, then trajectory_dimensions: what the size of the body depends on
_ACQUISITION_SIZES = struct.Struct("<H32xH2xH136xH")
_ACQUISITION_SIZE = ACQUISITION_HEADER.itemsize
_ACQUISITION_START = 2 + _ACQUISITION_SIZE
_WAVEFORM_SIZES = struct.Struct("<28xHH")


class MessageReader:
    """Reads messages one after the other.

    Parameters
    ----------
    receive : callable
        ``socket.recv_into`` or ``file.readinto``.
    limits : WireLimits
        Sizes beyond these are refused.

    Examples
    --------
    >>> import io
    >>> reader = MessageReader(io.BytesIO(encode(Text("DBG hello")) + encode(Close())).readinto)
    >>> reader.read(), reader.read(), reader.read()
    (Text(text='DBG hello'), Close(), None)
    """

    def __init__(self, receive: Receive, limits: WireLimits | None = None) -> None:
        self._reader = ExactReader(receive)
        self._limits = limits or WireLimits()
        self._no_trajectory = np.empty((0, 0), np.float32)
        self._parsers: dict[int, Callable[[], Message]] = {
            MessageId.CONFIG_FILE: self._config_name,
            MessageId.CONFIG_TEXT: self._config_text,
            MessageId.HEADER: self._header,
            MessageId.CLOSE: Close,
            MessageId.TEXT: self._text,
            MessageId.ERROR: self._error,
            MessageId.ACQUISITION: self._acquisition,
            MessageId.IMAGE: self._image,
            MessageId.WAVEFORM: self._waveform,
        }

    @property
    def n_bytes(self) -> int:
        """Bytes received so far."""
        return self._reader.n_bytes

    def read(self) -> Message | None:
        """Read the next message; wait for it if need be.

        Returns
        -------
        Message or None
            None where the stream ended between two messages.

        Raises
        ------
        StreamError
            An unknown id, an implausible size, a broken connection.
        TruncatedStreamError
            The stream ended within a message; the text says in which part, and how many bytes of how many came.
        """
        if self._reader.at_end():
            return None
        (ident,) = _UINT16.unpack(self._reader.take(2, "a message id"))
        parser = self._parsers.get(ident)
        if parser is None:
            known = ", ".join(f"{message.value} {message.name}" for message in MessageId)
            raise StreamError(f"unknown message id {ident}, expected one of {known}")
        return parser()

    def read_some(self) -> Message | AcquisitionRun | None:
        """Like `read`, but acquisitions of one size that have already come whole are read together.

        Returns
        -------
        Message, AcquisitionRun or None
            None where the stream ended between two messages. No run is waited for: where a single acquisition has come,
            it is read as `read` does.

        Raises
        ------
        StreamError, TruncatedStreamError
            As `read`.
        """
        if self._reader.at_end():
            return None
        sizes = self._sizes_at_front()
        if sizes is None or self._reader.n_waiting < 2 * sizes.n_bytes:
            return self.read()
        run = run_at_front(self._reader.waiting(), sizes)
        if len(run) == 1:
            return self.read()
        self._reader.lend(len(run) * sizes.n_bytes)
        return run

    def _sizes_at_front(self) -> AcquisitionSizes | None:
        """Wait for a whole acquisition; None if something else comes, or one too large to be looked at."""
        look = self._reader.look
        (ident,) = _UINT16.unpack(look(2, "a message id"))
        if ident != MessageId.ACQUISITION:
            return None
        head = look(_ACQUISITION_START, "an acquisition header", 2)[2:]
        sizes = AcquisitionSizes(*self._sizes_of_acquisition(head))
        if not sizes.n_channels * sizes.n_samples or sizes.n_bytes > LARGEST_LOOK:
            return None
        if self._reader.n_waiting < sizes.n_bytes:
            n_before = sizes.n_bytes - 8 * sizes.n_channels * sizes.n_samples
            if n_before > _ACQUISITION_START:
                look(n_before, "an acquisition's trajectory", _ACQUISITION_START)
            look(sizes.n_bytes, "an acquisition's data", n_before)
        return sizes

    def _sizes_of_acquisition(self, head: bytes | memoryview) -> tuple[int, int, int]:
        """Samples, channels and dimensions that a header declares, if they are allowed."""
        version, n_samples, n_channels, n_dimensions = _ACQUISITION_SIZES.unpack_from(head)
        # a header of another version, or of no version at all, means that the two sides are out of step
        if version > 1:
            raise StreamError(f"acquisition header: expected version 1, got {version}; the stream is out of step")
        n_bytes = n_samples * (8 * n_channels + 4 * n_dimensions)
        if n_channels > self._limits.n_channels or n_bytes > self._limits.readout:
            raise StreamError(
                f"acquisition header: {n_channels} channels of {n_samples} samples in {n_dimensions} dimensions"
                f" are more than the {self._limits.n_channels} channels and {self._limits.readout} bytes allowed"
            )
        return n_samples, n_channels, n_dimensions

    def _acquisition(self) -> Acquisition:
        head = bytes(self._reader.take(_ACQUISITION_SIZE, "an acquisition header"))
        n_samples, n_channels, n_dimensions = self._sizes_of_acquisition(head)
        take, trajectory = self._reader.take_own, self._no_trajectory
        if n_samples * n_dimensions:
            of_trajectory = take(4 * n_samples * n_dimensions, "an acquisition's trajectory")
            trajectory = np.ndarray((n_samples, n_dimensions), np.float32, of_trajectory)
        elif trajectory.shape != (n_samples, n_dimensions):
            trajectory = self._no_trajectory = np.empty((n_samples, n_dimensions), np.float32)
        if not n_channels * n_samples:
            return Acquisition(head, trajectory, np.empty((n_channels, n_samples), np.complex64))
        data = np.ndarray(
            (n_channels, n_samples), np.complex64, take(8 * n_channels * n_samples, "an acquisition's data")
        )
        return Acquisition(head, trajectory, data)

    def _image(self) -> Image:
        head = bytes(self._reader.take(IMAGE_HEADER.itemsize, "an image header"))
        header, data_type, (n_x, n_y, n_z), n_channels = image_header_from_bytes(head)
        dtype = DATA_TYPES.get(data_type)
        if dtype is None:
            raise StreamError(f"image header: unknown data type {data_type}, expected one of {sorted(DATA_TYPES)}")
        n_bytes = n_x * n_y * n_z * n_channels * dtype.itemsize
        if n_channels > self._limits.n_channels or n_bytes > self._limits.image:
            raise StreamError(
                f"image header: {n_channels} channels of {n_x} x {n_y} x {n_z} {dtype} are more than the"
                f" {self._limits.n_channels} channels and {self._limits.image} bytes allowed"
            )
        (n_meta,) = _UINT64.unpack(self._reader.take(8, "the length of an image's meta"))
        attributes = self._bytes(n_meta, self._limits.meta, "an image's meta")
        data = np.empty((n_channels, n_z, n_y, n_x), dtype)
        if data.size:
            self._reader.fill(_bytes_of(data), "an image's data")
        return Image(header, attributes, data)

    def _waveform(self) -> Waveform:
        head = bytes(self._reader.take(WAVEFORM_HEADER.itemsize, "a waveform header"))
        n_samples, n_channels = _WAVEFORM_SIZES.unpack_from(head)
        if n_channels > self._limits.n_channels or 4 * n_channels * n_samples > self._limits.waveform:
            raise StreamError(
                f"waveform header: {n_channels} channels of {n_samples} samples are more than the"
                f" {self._limits.n_channels} channels and {self._limits.waveform} bytes allowed"
            )
        data = np.empty((n_channels, n_samples), np.uint32)
        if data.size:
            self._reader.fill(_bytes_of(data), "a waveform's data")
        return Waveform(head, data)

    def _config_name(self) -> ConfigName:
        name = bytes(self._reader.take(CONFIG_NAME_SIZE, "a configuration name")).split(b"\0", 1)[0]
        return ConfigName(_decoded(name, "a configuration name"))

    def _config_text(self) -> ConfigText:
        return ConfigText(self._sized_text(self._limits.config, "a configuration").rstrip(b"\0"))

    def _header(self) -> HeaderXml:
        return HeaderXml(self._sized_text(self._limits.header, "the MRD header").rstrip(b"\0"))

    def _text(self) -> Text:
        return Text(_decoded(self._sized_text(self._limits.text, "a text").rstrip(b"\0"), "a text"))

    def _error(self) -> ErrorText:
        (n_bytes,) = _UINT64.unpack(self._reader.take(8, "the length of an error text"))
        return ErrorText(_decoded(self._bytes(n_bytes, self._limits.text, "an error text"), "an error text"))

    def _sized_text(self, limit: int, what: str) -> bytes:
        (n_bytes,) = _UINT32.unpack(self._reader.take(4, f"the length of {what}"))
        return self._bytes(n_bytes, limit, what)

    def _bytes(self, n_bytes: int, limit: int, what: str) -> bytes:
        if n_bytes > limit:
            raise StreamError(f"{what}: {n_bytes} bytes declared, at most {limit} are allowed")
        target = bytearray(n_bytes)
        self._reader.fill(memoryview(target), what)
        return bytes(target)


def encode(message: Message) -> bytes:
    """Write a message as it goes on the wire.

    Parameters
    ----------
    message : Message

    Returns
    -------
    bytes
        Id and body.

    Raises
    ------
    InputError
        The message can't be written: a name is too long, data don't fit the header.

    Examples
    --------
    >>> encode(Close())
    b'\\x04\\x00'
    >>> encode(HeaderXml(b"<a/>"))
    b'\\x03\\x00\\x04\\x00\\x00\\x00<a/>'
    """
    return b"".join(encode_parts(message))


def encode_parts(message: Message) -> tuple[bytes | memoryview, ...]:
    """Like `encode`, but without putting the parts together: the data are not copied.

    Parameters
    ----------
    message : Message

    Returns
    -------
    tuple of bytes or memoryview
        To be joined, one after the other, with those of other messages.

    Raises
    ------
    InputError
        The message can't be written.
    """
    match message:
        case Acquisition():
            _check_acquisition(message)
            return _id(MessageId.ACQUISITION), message.head, _flat(message.trajectory), _flat(message.data)
        case Image():
            size = _UINT64.pack(len(message.attributes))
            return _id(MessageId.IMAGE), message.header_bytes(), size, message.attributes, _flat(message.data)
        case Waveform():
            return _id(MessageId.WAVEFORM), message.head, _flat(message.data)
        case ConfigName():
            name = message.name.encode()
            if len(name) >= CONFIG_NAME_SIZE:
                raise InputError(f"config name: expected less than {CONFIG_NAME_SIZE} bytes, got {len(name)}")
            return _id(MessageId.CONFIG_FILE), name.ljust(CONFIG_NAME_SIZE, b"\0")
        case ConfigText():
            return _with_length(MessageId.CONFIG_TEXT, message.xml)
        case HeaderXml():
            return _with_length(MessageId.HEADER, message.xml)
        case Text():
            return _with_length(MessageId.TEXT, message.text.encode())
        case ErrorText():
            text = message.text.encode()
            return _id(MessageId.ERROR), _UINT64.pack(len(text)), text
        case Close():
            return (_id(MessageId.CLOSE),)
    raise InputError(f"message: expected one of MRD's messages, got {type(message).__name__}")


def image_header_from_bytes(head: bytes) -> tuple[ImageHeader, int, tuple[int, int, int], int]:
    """Take an image header apart.

    Parameters
    ----------
    head : bytes
        The 198 bytes.

    Returns
    -------
    header : ImageHeader
    data_type : int
        MRD's number of the data type.
    matrix_size : (int, int, int)
        x, y, z.
    n_channels : int
    """
    values = IMAGE_HEADER_STRUCT.unpack(head)
    header = ImageHeader(
        version=values[0],
        flags=values[2],
        measurement_uid=values[3],
        field_of_view=values[7:10],
        position=values[11:14],
        read_dir=values[14:17],
        phase_dir=values[17:20],
        slice_dir=values[20:23],
        patient_table_position=values[23:26],
        average=values[26],
        slice=values[27],
        contrast=values[28],
        phase=values[29],
        repetition=values[30],
        set=values[31],
        acquisition_time_stamp=values[32],
        physiology_time_stamp=values[33:36],
        image_type=values[36],
        image_index=values[37],
        image_series_index=values[38],
        user_int=values[39:47],
        user_float=values[47:55],
    )
    return header, values[1], values[4:7], values[10]


def _check_acquisition(message: Acquisition) -> None:
    if len(message.head) != _ACQUISITION_SIZE:
        raise InputError(f"acquisition header: expected {_ACQUISITION_SIZE} bytes, got {len(message.head)}")
    _, n_samples, n_channels, n_dimensions = _ACQUISITION_SIZES.unpack_from(message.head)
    if message.data.shape != (n_channels, n_samples):
        raise InputError(f"acquisition data: expected {(n_channels, n_samples)}, got {message.data.shape}")
    if message.trajectory.shape != (n_samples, n_dimensions):
        raise InputError(
            f"acquisition trajectory: expected {(n_samples, n_dimensions)}, got {message.trajectory.shape}"
        )


def _id(ident: MessageId) -> bytes:
    return _UINT16.pack(ident)


def _with_length(ident: MessageId, text: bytes) -> tuple[bytes, bytes, bytes]:
    return _UINT16.pack(ident), _UINT32.pack(len(text)), text


def _flat(array: NDArray[Any]) -> memoryview:
    return _bytes_of(np.ascontiguousarray(array))


def _bytes_of(array: NDArray[Any]) -> memoryview:
    """The memory of a contiguous array, to be read or filled."""
    return array.reshape(-1).view(np.uint8).data


def _decoded(text: bytes, what: str) -> str:
    try:
        return text.decode("utf-8")
    except UnicodeDecodeError as error:
        raise StreamError(f"{what}: expected text in UTF-8 ({error})") from error
