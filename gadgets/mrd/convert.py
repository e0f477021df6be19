"""The one place where units and axes change: MRD's milli- and microseconds, ticks and degrees to s and rad, and back.

Axes need no change: MRD has (channel, sample) and (channel, z, y, x), which is our order. Trajectories stay x, y, z as
they came: what their numbers mean is declared elsewhere.
"""

import struct
from math import pi
from typing import Any, Final

from perfline.gadgets.errors import ReadoutError
from perfline.gadgets.mrd.layout import TIME_STAMP_TICK, AcquisitionFlag
from perfline.gadgets.mrd.messages import Acquisition
from perfline.gadgets.stage_data import Counters, Purpose, Readout

__all__ = [
    "milliseconds_from_seconds",
    "purpose_of",
    "radians_from_degrees",
    "readout_from_acquisition",
    "seconds_from_microseconds",
    "seconds_from_milliseconds",
    "seconds_from_nanoseconds",
    "seconds_from_ticks",
    "ticks_from_seconds",
]

# flags, scan_counter, time stamp | discard_pre, discard_post, center_sample, encoding_space_ref | sample_time_us,
# position, read_dir, phase_dir, slice_dir | the nine counters
_FIELDS = struct.Struct("<2xQ4xII146xHHHH2x13f12x9H")

_FIRST_IN_SLICE: Final = AcquisitionFlag.FIRST_IN_SLICE.mask
_LAST_IN_SLICE: Final = AcquisitionFlag.LAST_IN_SLICE.mask
_LAST_IN_REPETITION: Final = AcquisitionFlag.LAST_IN_REPETITION.mask
_REVERSE: Final = AcquisitionFlag.REVERSE.mask
_USER1: Final = AcquisitionFlag.USER1.mask
_PHASECORR: Final = AcquisitionFlag.PHASECORR_DATA.mask
_NOISE: Final = AcquisitionFlag.NOISE_MEASUREMENT.mask
_CALIBRATION: Final = AcquisitionFlag.PARALLEL_CALIBRATION.mask
_CALIBRATION_AND_IMAGING: Final = AcquisitionFlag.PARALLEL_CALIBRATION_AND_IMAGING.mask
_NOT_FOR_IMAGES: Final = (
    AcquisitionFlag.NAVIGATION_DATA.mask
    | AcquisitionFlag.HPFEEDBACK_DATA.mask
    | AcquisitionFlag.DUMMYSCAN_DATA.mask
    | AcquisitionFlag.RTFEEDBACK_DATA.mask
    | AcquisitionFlag.SURFACECOILCORRECTIONSCAN_DATA.mask
    | AcquisitionFlag.PHASE_STABILIZATION_REFERENCE.mask
    | AcquisitionFlag.PHASE_STABILIZATION.mask
)
_SPECIAL: Final = _PHASECORR | _NOISE | _CALIBRATION | _NOT_FOR_IMAGES

# the reference scan of parallel imaging has an encoding space of its own
_REFERENCE_ENCODING: Final = 1


def readout_from_acquisition(message: Acquisition, index: int = 0) -> Readout:
    """Make a readout of an acquisition message.

    Parameters
    ----------
    message : Acquisition
        Its data are taken over, not copied.
    index : int
        Number of the acquisition in its stream, from 0.

    Returns
    -------
    Readout
        Times in s; positions and directions as they came (LPS, mm), zero where the header left them empty.

    Raises
    ------
    ReadoutError
        The readout is empty, or its discarded samples or centre lie outside it.

    Notes
    -----
    The purpose follows from the flags, tested in this order: 24 phase correction -> navigator (the Siemens converter
    marks such lines as navigation and feedback data too); 19 -> noise; 26 to 31, and 23 without 24 -> other;
    20 without 21, or encoding space 1 -> calibration; else imaging. The counters stay as they came, those of
    navigators included (their `line`, `segment` and `average` tell nothing about the image).
    """
    fields: Any = _FIELDS.unpack_from(message.head)
    flags, scan_counter, time_stamp, discard_pre, discard_post, center_sample, encoding_space, sample_time_us = fields[
        :8
    ]
    position, read_dir, phase_dir, slice_dir = fields[8:11], fields[11:14], fields[14:17], fields[17:20]
    line, partition, average, slice_, contrast, phase, repetition, set_, segment = fields[20:]
    data = message.data
    n_samples = data.shape[1]
    if not data.size:
        raise ReadoutError(f"readout {index}: expected coils and samples, got {data.shape}")
    if discard_pre + discard_post >= n_samples or center_sample > n_samples:
        raise ReadoutError(
            f"readout {index} (repetition {repetition}, slice {slice_}): discard_pre {discard_pre}, discard_post"
            f" {discard_post} and center_sample {center_sample} don't fit its {n_samples} samples"
        )
    return Readout(
        data,
        Counters(line, partition, slice_, contrast, phase, repetition, set_, segment, average),
        purpose_of(flags, encoding_space) if flags & _SPECIAL or encoding_space else Purpose.IMAGING,
        flags & _REVERSE != 0,
        flags & _USER1 != 0,
        flags & _FIRST_IN_SLICE != 0,
        flags & _LAST_IN_SLICE != 0,
        flags & _LAST_IN_REPETITION != 0,
        center_sample,
        discard_pre,
        discard_post,
        sample_time_us / 1e6,
        position,
        read_dir,
        phase_dir,
        slice_dir,
        time_stamp * TIME_STAMP_TICK,
        scan_counter,
        index,
        message.trajectory if message.trajectory.size else None,
    )


def purpose_of(flags: int, encoding_space: int) -> Purpose:
    """What a readout is for, by its flags and its encoding space; the notes of `readout_from_acquisition` say how."""
    if flags & _PHASECORR:
        return Purpose.NAVIGATOR
    if flags & _NOISE:
        return Purpose.NOISE
    if flags & _NOT_FOR_IMAGES or encoding_space > _REFERENCE_ENCODING:
        return Purpose.OTHER
    if encoding_space == _REFERENCE_ENCODING:
        return Purpose.CALIBRATION
    if flags & _CALIBRATION and not flags & _CALIBRATION_AND_IMAGING:
        return Purpose.CALIBRATION
    return Purpose.IMAGING


def seconds_from_microseconds(time_us: float) -> float:
    """Microseconds, as in ``trajectoryDescription``, to s."""
    return time_us / 1e6


def seconds_from_nanoseconds(time_ns: float) -> float:
    """Nanoseconds, as in the description of spirals, to s."""
    return time_ns / 1e9


def seconds_from_milliseconds(time_ms: float) -> float:
    """Milliseconds, as in ``sequenceParameters``, to s."""
    return time_ms / 1e3


def milliseconds_from_seconds(time: float) -> float:
    """Seconds to milliseconds, as in the meta of images."""
    return time * 1e3


def radians_from_degrees(angle_deg: float) -> float:
    """Degrees to rad."""
    return angle_deg * pi / 180


def seconds_from_ticks(ticks: int) -> float:
    """MRD time stamp to s."""
    return ticks * TIME_STAMP_TICK


def ticks_from_seconds(time: float) -> int:
    """Seconds to an MRD time stamp, which wraps round at 32 bits."""
    return round(time / TIME_STAMP_TICK) % (1 << 32)
