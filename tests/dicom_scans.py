"""Small scans for tests of DICOM output: oblique slices of unequal sizes, values of both signs, some missing."""

from dataclasses import replace

import numpy as np
from scan_headers import ASL, scan_header

from perfline.gadgets.stage_data import (
    CbfVolume,
    KineticFit,
    M0Volume,
    Parameter,
    PerfusionAverage,
    SliceGeometry,
    Volume,
    VolumeKey,
    VolumeLabel,
)
from perfline.recon.parameters import LabelingType, VolumeType

SHAPE = (3, 7, 5)
"""(n_slices, n_y, n_x)"""

XML = b"""<?xml version="1.0"?>
<ismrmrdHeader xmlns="http://www.ismrm.org/ISMRMRD">
 <subjectInformation><patientName>Doe^Jane</patientName><patientID>4711</patientID></subjectInformation>
 <studyInformation><studyInstanceUID>1.2.3.4.5</studyInstanceUID></studyInformation>
 <measurementInformation>
  <patientPosition>FFS</patientPosition><frameOfReferenceUID>1.2.3.4.6</frameOfReferenceUID>
 </measurementInformation>
 <acquisitionSystemInformation>
  <systemVendor>Vendor</systemVendor><systemModel>Model 3</systemModel><stationName>MR7</stationName>
 </acquisitionSystemInformation>
 <encoding/>
</ismrmrdHeader>
"""

ALL_KINDS = ("pcasl", "casl", "q2tips", "quipss", "fair", "crushed", "relative", "delays", "fit", "arteries", "kidney")


def geometry(*, descending=False, n_slices=SHAPE[0]):
    """Oblique slices with gaps; descending ones go against the slice direction."""
    turn = np.array([[0.96, -0.28, 0.0], [0.28, 0.96, 0.0], [0.0, 0.0, 1.0]])
    tilt = np.array([[1.0, 0.0, 0.0], [0.0, 0.8, -0.6], [0.0, 0.6, 0.8]])
    read, phase, normal = (turn @ tilt).T
    steps = 6.5 * np.arange(n_slices) * (-1 if descending else 1)
    return SliceGeometry(np.array([12.5, -31.25, 40.125]) + steps[:, None] * normal, read, phase, normal, SIZES, True)


SIZES = (3.25, 2.5, 6.0)
"""Of a voxel (x, y, z) [mm]; the slices are 6.5 mm apart."""


def header(kind="pcasl", **changes):
    asl = replace(ASL, slice_timing=(0.0, 0.08, 0.04))
    parameters = {}
    if kind == "casl":
        asl = replace(asl, labeling_type=LabelingType.CASL)
    elif kind in ("q2tips", "quipss", "fair"):
        technique = {"q2tips": "Q2TIPS", "quipss": "QUIPSSII", "fair": None}[kind]
        asl = replace(
            asl, labeling_type=LabelingType.PASL, bolus_cut_off_delay_time=0.8, bolus_cut_off_technique=technique
        )
    elif kind == "crushed":
        parameters["VascularCrushing"] = Parameter("VascularCrushing", True, "", "sidecar")
        parameters["VascularCrushingVENC"] = Parameter("VascularCrushingVENC", (2.0,), "cm/s", "sidecar")
        asl = replace(asl, background_suppression_pulses=2)
        name = "BackgroundSuppressionNumberPulses"
        parameters[name] = Parameter(name, 2, "", "sidecar")
    elif kind == "kidney":
        asl = replace(asl, organ="kidney")
    sizes = {"n_slices": SHAPE[0], "n_y": SHAPE[1], "n_x": SHAPE[2]}
    axes = scan_header(**sizes)
    readout = replace(
        axes.readout_axis, field_of_view_encoded=SIZES[0] * SHAPE[2], field_of_view_recon=SIZES[0] * SHAPE[2]
    )
    phase = replace(axes.phase_axis, field_of_view_encoded=SIZES[1] * SHAPE[1], field_of_view_recon=SIZES[1] * SHAPE[1])
    own = {
        "xml": XML,
        "parameters": parameters,
        "readout_axis": readout,
        "phase_axis": phase,
        "slice_thickness": SIZES[2],
    }
    return scan_header(**sizes, asl=asl, **own | changes)


def pixels(seed, scale, where=None):
    """Values of both signs, two of them missing; no two alike."""
    values = np.random.default_rng(seed).standard_normal(SHAPE) * scale
    values[0, 1, 2] = np.nan
    values[2, 6, 4] = np.nan
    return values.astype(np.float32)


def control(seed=1, place=None):
    image = (100 + np.abs(pixels(seed, 10))).astype(np.complex64)
    image[~np.isfinite(image)] = 0
    label = VolumeLabel(VolumeType.CONTROL, 0, 0, 1.8, 1.8)
    return Volume(image, VolumeKey(0), place or geometry(), 0.01, 0.0, label)


def average(seed=2, delay=1.8, artery=None, place=None):
    mean = pixels(seed, 1.0)
    return PerfusionAverage(mean, np.abs(mean), mean, 6, 1, place or geometry(), delay, 1.8, (), artery)


def flow(seed=3, delay=1.8, artery=None, unit="mL/100g/min", scale=60.0, place=None):
    values = pixels(seed, scale)
    mask = np.isfinite(values)
    return CbfVolume(values, np.abs(values), mask, unit, 6, 1, place or geometry(), delay, 1.8, (), artery=artery)


def fitted_flow(seed=4, place=None):
    times = 1.2 + pixels(seed + 1, 0.2)
    status = np.zeros(SHAPE, np.uint8)
    fit = KineticFit(times, times, None, None, times, status, (0.5, 1.0, 1.5), (1.8, 1.8, 1.4))
    nan = float("nan")
    return replace(flow(seed, place=place), fit=fit, post_labeling_delay=nan, labeling_duration=nan)


def m0(place=None):
    return M0Volume(np.abs(control(5).image).astype(np.float32), place or geometry(), 1, 1.0, ())


def items(kind="pcasl", place=None):
    """What leaves the chain in a scan of one kind."""
    first = control(place=place)
    if kind == "relative":
        return [first, average(place=place), flow(unit="relative", scale=6000.0, place=place)]
    start = [first, m0(place)]
    if kind == "delays":
        return [*start, *(one(seed, 0.5 * seed, place=place) for seed in (2, 3) for one in (average, flow))]
    if kind == "fit":
        return [*start, average(2, 0.5, place=place), average(3, 1.0, place=place), fitted_flow(place=place)]
    if kind == "arteries":
        return [*start, *(one(seed, artery=seed - 1, place=place) for seed in (2, 3) for one in (average, flow))]
    return [*start, average(place=place), flow(place=place)]
