"""The messages of an MRD stream as small frozen objects.

What matters to the transport is decoded; a header that only the receiver understands stays as the bytes that came,
so that a message can be passed on unchanged.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from perfline.gadgets.mrd.layout import DATA_TYPES, IMAGE_HEADER_STRUCT, ImageType
from perfline.gadgets.mrd.meta import decode_meta
from perfline.recon.errors import InputError

__all__ = [
    "Acquisition",
    "Close",
    "ConfigName",
    "ConfigText",
    "ErrorText",
    "HeaderXml",
    "Image",
    "ImageHeader",
    "Message",
    "Text",
    "Waveform",
]

Triple = tuple[float, float, float]
_DATA_TYPE_CODES = {dtype: code for code, dtype in DATA_TYPES.items()}


@dataclass(frozen=True, slots=True)
class ConfigName:
    """Id 1: the name of a configuration that the server knows."""

    name: str


@dataclass(frozen=True, slots=True)
class ConfigText:
    """Id 2: the configuration itself."""

    xml: bytes


@dataclass(frozen=True, slots=True)
class HeaderXml:
    """Id 3: the MRD header."""

    xml: bytes


@dataclass(frozen=True, slots=True)
class Close:
    """Id 4: nothing more will come."""


@dataclass(frozen=True, slots=True)
class Text:
    """Id 5: a line for the log of the peer."""

    text: str


@dataclass(frozen=True, slots=True)
class ErrorText:
    """Id 8: the sender failed."""

    text: str


# not to be changed either, but not frozen: that would take 0.5 us for each readout
@dataclass(slots=True, eq=False)
class Acquisition:
    """Id 1008: one readout.

    ``head`` are the 340 bytes of the header; ``trajectory`` is float32 (n_samples, n_dimensions); ``data`` complex64
    (n_coils, n_samples), C-contiguous and aligned, owned by the message.
    """

    head: bytes
    trajectory: NDArray[np.float32]
    data: NDArray[np.complex64]


@dataclass(frozen=True, slots=True, eq=False)
class Waveform:
    """Id 1026: physiological signals; ``head`` are 40 bytes, ``data`` uint32 (n_channels, n_samples)."""

    head: bytes
    data: NDArray[np.uint32]


@dataclass(frozen=True, slots=True)
class ImageHeader:
    """Fields of an MRD image header, under their MRD names; matrix size, channels and data type follow the data.

    Lengths in mm, directions are unit vectors in LPS, ``acquisition_time_stamp`` counts ticks of 2.5 ms.
    """

    field_of_view: Triple = (0.0, 0.0, 0.0)
    position: Triple = (0.0, 0.0, 0.0)
    read_dir: Triple = (1.0, 0.0, 0.0)
    phase_dir: Triple = (0.0, 1.0, 0.0)
    slice_dir: Triple = (0.0, 0.0, 1.0)
    patient_table_position: Triple = (0.0, 0.0, 0.0)
    average: int = 0
    slice: int = 0
    contrast: int = 0
    phase: int = 0
    repetition: int = 0
    set: int = 0
    acquisition_time_stamp: int = 0
    physiology_time_stamp: tuple[int, int, int] = (0, 0, 0)
    image_type: int = ImageType.MAGNITUDE
    image_index: int = 1
    image_series_index: int = 0
    flags: int = 0
    measurement_uid: int = 0
    user_int: tuple[int, ...] = (0,) * 8
    user_float: tuple[float, ...] = (0.0,) * 8
    version: int = 1


@dataclass(frozen=True, slots=True, eq=False)
class Image:
    """Id 1022: an image; ``data`` is (n_channels, n_z, n_y, n_x), ``attributes`` the meta as XML."""

    header: ImageHeader
    attributes: bytes
    data: NDArray[np.generic]

    @property
    def meta(self) -> dict[str, str | list[str]]:
        """The meta attributes, decoded."""
        return decode_meta(self.attributes)

    def with_header(self, **changes: object) -> "Image":
        """Copy with some header fields changed."""
        return Image(replace(self.header, **changes), self.attributes, self.data)  # type: ignore[arg-type]

    def header_bytes(self) -> bytes:
        """The 198 bytes of the header.

        Raises
        ------
        InputError
            The data have other than four axes, or a type that MRD doesn't know.
        """
        head, data = self.header, self.data
        if data.ndim != 4:
            raise InputError(f"image data: expected (n_channels, n_z, n_y, n_x), got {data.shape}")
        code = _DATA_TYPE_CODES.get(data.dtype.newbyteorder("<"))
        if code is None:
            raise InputError(f"image data: expected one of MRD's data types, got {data.dtype}")
        n_channels, n_z, n_y, n_x = data.shape
        return IMAGE_HEADER_STRUCT.pack(
            head.version,
            code,
            head.flags,
            head.measurement_uid,
            *(n_x, n_y, n_z),
            *head.field_of_view,
            n_channels,
            *head.position,
            *head.read_dir,
            *head.phase_dir,
            *head.slice_dir,
            *head.patient_table_position,
            head.average,
            head.slice,
            head.contrast,
            head.phase,
            head.repetition,
            head.set,
            head.acquisition_time_stamp,
            *head.physiology_time_stamp,
            head.image_type,
            head.image_index,
            head.image_series_index,
            *head.user_int,
            *head.user_float,
            len(self.attributes),
        )


Message = ConfigName | ConfigText | HeaderXml | Close | Text | ErrorText | Acquisition | Waveform | Image
