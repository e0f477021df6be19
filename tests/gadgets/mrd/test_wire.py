import io
import struct

import ismrmrd
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ismrmrd.serialization import ConfigFile, ProtocolDeserializer, ProtocolSerializer
from ismrmrd.serialization import ConfigText as TheirConfigText
from mrd_streams import acquisition, acquisition_from_ismrmrd, ismrmrd_acquisition, ismrmrd_image, split_every_way

from perfline.gadgets.errors import StreamError, TruncatedStreamError
from perfline.gadgets.mrd.messages import (
    Acquisition,
    Close,
    ConfigName,
    ConfigText,
    ErrorText,
    HeaderXml,
    Image,
    ImageHeader,
    Text,
    Waveform,
)
from perfline.gadgets.mrd.wire import MessageReader, WireLimits, encode
from perfline.recon.errors import InputError, PerflineError

# ismrmrd stores int32 images in the machine's int: it can't write them
DTYPES = [np.uint16, np.int16, np.uint32, np.float32, np.float64, np.complex64, np.complex128]


def read_one(data, **options):
    return MessageReader(io.BytesIO(data).readinto, **options).read()


@pytest.mark.parametrize("n_dimensions", [0, 2, 3])
def test_acquisition_reads_what_ismrmrd_writes_and_back(n_dimensions):
    theirs = ismrmrd_acquisition(n_coils=5, n_samples=12, n_dimensions=n_dimensions)
    ours = read_one(b"\xf0\x03" + theirs.to_bytes())
    assert isinstance(ours, Acquisition)
    np.testing.assert_array_equal(ours.data, theirs.data)
    np.testing.assert_array_equal(ours.trajectory, theirs.traj)
    assert encode(ours) == b"\xf0\x03" + theirs.to_bytes()


def test_samples_are_aligned_and_their_own_wherever_they_lie_in_the_stream():
    data = encode(Text("x")) + b"".join(encode(acquisition(seed=i)) for i in range(5))
    reader = MessageReader(io.BytesIO(data).readinto)
    reader.read()
    messages = [reader.read() for _ in range(5)]
    for i, message in enumerate(messages):
        assert message.data.flags.c_contiguous
        assert message.data.flags.aligned
        assert message.data.flags.writeable
        np.testing.assert_array_equal(message.data, acquisition(seed=i).data)


@pytest.mark.parametrize("dtype", DTYPES)
def test_image_reads_what_ismrmrd_writes_and_back(dtype):
    theirs = ismrmrd_image(dtype)
    stream = b"\xfe\x03" + theirs.to_bytes()
    ours = read_one(stream)
    np.testing.assert_array_equal(ours.data, theirs.data)
    assert ours.data.dtype == dtype
    assert ours.meta == {"DataRole": ["Image", "Quantitative"], "n": "3"}
    for name in ImageHeader.__dataclass_fields__:
        expected = getattr(theirs, name)
        assert getattr(ours.header, name) == (tuple(expected) if hasattr(expected, "__len__") else expected)
    assert encode(ours) == stream


def test_image_of_ours_is_read_by_ismrmrd():
    ours = Image(
        ImageHeader(position=(1.0, 2.0, 3.0), image_series_index=3, slice=2),
        b"",
        np.arange(24, dtype=np.int32).reshape(1, 2, 3, 4)[..., ::-1].astype(np.uint32),
    )
    theirs = ismrmrd.Image.from_bytes(encode(ours)[2:])
    np.testing.assert_array_equal(theirs.data, ours.data)
    assert tuple(theirs.matrix_size) == (4, 3, 2)
    assert tuple(theirs.position) == (1.0, 2.0, 3.0)
    assert (theirs.image_series_index, theirs.slice, theirs.version) == (3, 2, 1)


def test_image_data_needn_t_be_contiguous():
    data = np.arange(24, dtype=np.float32).reshape(1, 2, 3, 4).transpose(0, 1, 3, 2)
    np.testing.assert_array_equal(read_one(encode(Image(ImageHeader(), b"", data))).data, data)


def test_waveform_reads_what_ismrmrd_writes_and_back():
    theirs = ismrmrd.Waveform.from_array(np.arange(21, dtype=np.uint32).reshape(3, 7), waveform_id=2, time_stamp=9)
    stream = b"\x02\x04" + theirs.to_bytes()
    ours = read_one(stream)
    assert isinstance(ours, Waveform)
    np.testing.assert_array_equal(ours.data, theirs.data)
    assert encode(ours) == stream


def test_texts_and_configurations_are_those_of_ismrmrd():
    stream = io.BytesIO()
    with ProtocolSerializer(stream) as writer:
        writer.serialize(ConfigFile("chain.xml"))
        writer.serialize(TheirConfigText("<configuration/>"))
        writer.serialize("DBG über")
    messages = [ConfigName("chain.xml"), ConfigText(b"<configuration/>"), Text("DBG über"), Close()]
    assert b"".join(map(encode, messages)) == stream.getvalue()
    reader = MessageReader(io.BytesIO(stream.getvalue()).readinto)
    assert [reader.read() for _ in range(5)] == [*messages, None]


def test_header_and_stream_are_read_by_ismrmrd():
    ours = [acquisition(seed=i, n_coils=i + 1) for i in range(3)]
    stream = b"".join(map(encode, [ConfigName("a"), *ours, Close()]))
    theirs = list(ProtocolDeserializer(io.BytesIO(stream)).deserialize())
    assert theirs[0] == "a"
    for one, other in zip(ours, theirs[1:], strict=True):
        np.testing.assert_array_equal(one.data, other.data)


def test_stored_bytes():
    assert encode(HeaderXml(b"<h/>")) == bytes.fromhex("0300 04000000 3c682f3e")
    assert encode(ErrorText("no")) == bytes.fromhex("0800 0200000000000000 6e6f")
    assert encode(Close()) == bytes.fromhex("0400")
    assert encode(ConfigName("c"))[:4] == b"\x01\x00c\x00"
    assert len(encode(ConfigName("c"))) == 1026


@pytest.mark.parametrize("message", [ErrorText("it failed: ä"), HeaderXml(b"<h/>"), ConfigText(b""), Text("")])
def test_round_trip(message):
    assert read_one(encode(message)) == message


def test_trailing_zeros_of_texts_are_dropped():
    assert read_one(b"\x03\x00\x06\x00\x00\x00<h/>\0\0") == HeaderXml(b"<h/>")


EVERY_KIND = [
    ConfigName("chain"),
    ConfigText(b"<c/>"),
    HeaderXml(b"<h/>"),
    acquisition(n_coils=1, n_samples=3, n_dimensions=2, discard_pre=0, discard_post=0),
    Waveform(struct.pack("<28xHH8x", 3, 1), np.arange(3, dtype=np.uint32).reshape(1, 3)),
    Image(ImageHeader(), b"<ismrmrdMeta/>", np.ones((1, 1, 2, 3), np.float32)),
    Text("text"),
    ErrorText("error"),
]


@pytest.mark.parametrize("message", EVERY_KIND, ids=lambda message: type(message).__name__)
def test_every_cut_within_a_message_is_reported(message):
    data = encode(message)
    for end in range(1, len(data)):
        with pytest.raises(TruncatedStreamError, match=r"the stream ended within .*: expected \d+ bytes, got \d+"):
            read_one(data[:end])
    assert read_one(b"") is None
    assert read_one(data) is not None


@pytest.mark.parametrize(
    ("end", "part", "expected", "got"),
    [
        (1, "a message id", 2, 1),
        (100, "an acquisition header", 340, 98),
        (342 + 10, "an acquisition's trajectory", 80, 10),
        (342 + 80 + 17, "an acquisition's data", 240, 17),
    ],
)
def test_cut_acquisition_names_the_part(end, part, expected, got):
    data = encode(acquisition(n_dimensions=2))
    with pytest.raises(TruncatedStreamError, match=f"within {part}: expected {expected} bytes, got {got}"):
        read_one(data[:end])


def test_pieces_of_any_size_give_the_same_messages():
    data = b"".join(map(encode, EVERY_KIND))
    for sizes in [(1,), (3, 5, 700), (1 << 20,)]:
        reader = MessageReader(split_every_way(data, sizes))
        again = [reader.read() for _ in EVERY_KIND]
        assert b"".join(map(encode, again)) == data
        assert reader.read() is None
        assert reader.n_bytes == len(data)


def test_unknown_id():
    with pytest.raises(StreamError, match="unknown message id 1023, expected one of 1 CONFIG_FILE"):
        read_one(struct.pack("<H", 1023) + bytes(100))


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (struct.pack("<HI", 3, 1 << 30), "the MRD header: 1073741824 bytes declared, at most"),
        (struct.pack("<HI", 2, 1 << 30), "a configuration: 1073741824 bytes declared"),
        (struct.pack("<HI", 5, 1 << 30), "a text: 1073741824 bytes declared"),
        (struct.pack("<HQ", 8, 1 << 60), "an error text: 1152921504606846976 bytes declared"),
        (struct.pack("<HH32xHHH", 1008, 1, 64, 2000, 2000) + bytes(400), "2000 channels of 64 samples"),
        (encode(Image(ImageHeader(), b"", np.zeros((1, 1, 1, 1), np.float32)))[:-12] + b"\xff" * 8, "an image's meta"),
    ],
)
def test_implausible_sizes_are_refused_before_memory_is_taken(data, text):
    with pytest.raises(StreamError, match=text):
        read_one(data)


def test_large_images_and_readouts_are_refused():
    limits = WireLimits(image=100, readout=100)
    image = encode(Image(ImageHeader(), b"", np.zeros((1, 1, 6, 5), np.float32)))
    with pytest.raises(
        StreamError, match="1 channels of 5 x 6 x 1 float32 are more than the 1024 channels and 100 bytes allowed"
    ):
        read_one(image, limits=limits)
    with pytest.raises(StreamError, match="3 channels of 10 samples in 0 dimensions"):
        read_one(encode(acquisition()), limits=limits)


def test_another_version_means_out_of_step():
    data = bytearray(encode(acquisition()))
    data[2:4] = b"\x02\x01"
    with pytest.raises(StreamError, match="expected version 1, got 258"):
        read_one(bytes(data))


def test_unknown_data_type():
    data = bytearray(encode(Image(ImageHeader(), b"", np.zeros((1, 1, 2, 2), np.float32))))
    data[4:6] = b"\x63\x00"
    with pytest.raises(StreamError, match="unknown data type 99"):
        read_one(bytes(data))


def test_text_that_is_not_utf8():
    with pytest.raises(StreamError, match="a text: expected text in UTF-8"):
        read_one(b"\x05\x00\x02\x00\x00\x00\xff\xfe")


def test_messages_that_can_t_be_written():
    good = acquisition_from_ismrmrd(ismrmrd_acquisition())
    with pytest.raises(InputError, match=r"acquisition data: expected \(3, 10\), got \(3, 9\)"):
        encode(Acquisition(good.head, good.trajectory, good.data[:, :9]))
    with pytest.raises(InputError, match=r"acquisition trajectory: expected \(10, 0\), got \(10, 2\)"):
        encode(Acquisition(good.head, np.zeros((10, 2), np.float32), good.data))
    with pytest.raises(InputError, match="acquisition header: expected 340 bytes, got 4"):
        encode(Acquisition(b"head", good.trajectory, good.data))
    with pytest.raises(InputError, match="config name: expected less than 1024 bytes, got 1024"):
        encode(ConfigName("x" * 1024))
    with pytest.raises(InputError, match=r"\(n_channels, n_z, n_y, n_x\), got \(2, 2\)"):
        encode(Image(ImageHeader(), b"", np.zeros((2, 2), np.float32)))
    with pytest.raises(InputError, match="MRD's data types, got int64"):
        encode(Image(ImageHeader(), b"", np.zeros((1, 1, 2, 2), np.int64)))
    with pytest.raises(InputError, match="expected one of MRD's messages, got str"):
        encode("text")


@settings(max_examples=150, deadline=None)
@given(st.sampled_from([1, 2, 3, 4, 5, 8, 1008, 1022, 1026]), st.binary(max_size=500))
def test_rubbish_raises_nothing_but_our_errors(ident, rubbish):
    reader = MessageReader(io.BytesIO(struct.pack("<H", ident) + rubbish).readinto)
    try:
        while reader.read() is not None:
            pass
    except PerflineError:
        pass
