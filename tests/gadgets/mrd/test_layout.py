import ctypes

import ismrmrd
import numpy as np
import pytest
from ismrmrd import constants
from ismrmrd.acquisition import AcquisitionHeader
from ismrmrd.hdf5 import acquisition_header_dtype, image_header_dtype, waveform_header_dtype
from ismrmrd.image import ImageHeader, get_dtype_from_data_type
from ismrmrd.waveform import WaveformHeader

from perfline.gadgets.mrd.layout import (
    ACQUISITION_HEADER,
    DATA_TYPES,
    IMAGE_HEADER,
    IMAGE_HEADER_STRUCT,
    WAVEFORM_HEADER,
    AcquisitionFlag,
    ImageType,
    MessageId,
)


@pytest.mark.parametrize(
    ("dtype", "theirs", "structure", "size"),
    [
        (ACQUISITION_HEADER, acquisition_header_dtype, AcquisitionHeader, 340),
        (IMAGE_HEADER, image_header_dtype, ImageHeader, 198),
        (WAVEFORM_HEADER, waveform_header_dtype, WaveformHeader, 40),
    ],
)
def test_headers_have_the_size_and_offsets_of_the_ismrmrd_package(dtype, theirs, structure, size):
    assert dtype.itemsize == ctypes.sizeof(structure) == size
    assert dtype.names == theirs.names
    for name in dtype.names:
        assert dtype.fields[name][1] == getattr(structure, name).offset
        assert dtype[name] == theirs[name]


def test_image_struct_is_the_image_header():
    assert IMAGE_HEADER_STRUCT.size == IMAGE_HEADER.itemsize
    assert len(IMAGE_HEADER_STRUCT.unpack(bytes(198))) == sum(
        int(np.prod(IMAGE_HEADER[name].shape)) for name in IMAGE_HEADER.names
    )


@pytest.mark.parametrize("flag", list(AcquisitionFlag))
def test_flags_are_those_of_the_ismrmrd_package(flag):
    name = f"ACQ_IS_{flag.name}" if hasattr(constants, f"ACQ_IS_{flag.name}") else f"ACQ_{flag.name}"
    assert flag.value == getattr(constants, name)
    acquisition = ismrmrd.Acquisition()
    acquisition.set_flag(flag.value)
    assert acquisition.flags == flag.mask


def test_data_types_and_image_types_are_those_of_the_ismrmrd_package():
    for code, dtype in DATA_TYPES.items():
        # ismrmrd takes the machine's int for code 4, whose stored type is int32
        assert code == 4 or get_dtype_from_data_type(code) == dtype
    assert ImageType.COMPLEX == constants.IMTYPE_COMPLEX
    assert ImageType.MAGNITUDE == constants.IMTYPE_MAGNITUDE


def test_message_ids_are_those_of_the_ismrmrd_package():
    theirs = ismrmrd.serialization.ISMRMRDMessageID
    assert MessageId.CONFIG_FILE == theirs.CONFIG_FILE
    assert MessageId.CONFIG_TEXT == theirs.CONFIG_TEXT
    assert MessageId.HEADER == theirs.HEADER
    assert MessageId.CLOSE == theirs.CLOSE
    assert MessageId.TEXT == theirs.TEXT
    assert MessageId.ACQUISITION == theirs.ACQUISITION
    assert MessageId.IMAGE == theirs.IMAGE
    assert MessageId.WAVEFORM == theirs.WAVEFORM
