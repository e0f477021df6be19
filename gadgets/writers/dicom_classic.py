"""A series as one file a slice: MR Image Storage, for systems that don't know multi-frame images (PS3.3, A.4).

Its words are fewer: the image type is DERIVED, PRIMARY, OTHER and the derived contrast, the labelling is told in the
comments, and rescale slope and unit are extensions of the standard class that viewers know.
"""

from math import degrees
from typing import Final

from pydicom import Dataset
from pydicom.uid import MRImageStorage
from pydicom.valuerep import DSfloat

from perfline.gadgets.mrd.convert import milliseconds_from_seconds
from perfline.gadgets.stage_data import ScanHeader
from perfline.gadgets.writers.dicom_asl import inversion_times, technique_description
from perfline.gadgets.writers.dicom_dataset import (
    DicomContext,
    StoredSeries,
    anatomic_region,
    base_dataset,
    code_item,
    real_world_value_mapping,
)

__all__ = ["classic_datasets"]

_SEQUENCES: Final = {"epi": "EP"}
"""Scanning sequence by trajectory; for others the standard has the word research mode."""


def classic_datasets(context: DicomContext, stored: StoredSeries) -> list[Dataset]:
    """Make the files of a series.

    Parameters
    ----------
    context : DicomContext
    stored : StoredSeries

    Returns
    -------
    list of pydicom.Dataset
        With their file meta information, in the order of the slices.
    """
    return [_slice_dataset(context, stored, index) for index in range(len(stored.pixels))]


def _slice_dataset(context: DicomContext, stored: StoredSeries, index: int) -> Dataset:
    dataset = base_dataset(context, stored, MRImageStorage, index + 1)
    series, planes = stored.series, stored.planes
    dataset.ImageType = ["DERIVED", "PRIMARY", "OTHER", series.quantity.contrast]
    dataset.ImageComments = f"{dataset.ImageComments} {technique_description(context.header, series)}."
    dataset.DerivationCodeSequence = [code_item("129104", "DCM", "Perfusion image analysis")]
    _, region, laterality = anatomic_region(series)
    dataset.AnatomicRegionSequence = [region]
    if laterality != "U":
        # of a pair; which side is seen nobody told
        dataset.Laterality = None
    dataset.ImagePositionPatient = [_decimal(value) for value in planes.positions[index]]
    dataset.ImageOrientationPatient = [_decimal(value) for value in planes.orientation]
    dataset.PixelSpacing = [_decimal(value) for value in planes.pixel_spacing]
    dataset.SliceThickness = _decimal(planes.thickness)
    dataset.SpacingBetweenSlices = _decimal(planes.spacing)
    _add_acquisition(dataset, context.header, stored)
    times = inversion_times(series)
    if times is not None:
        # an inversion time is allowed of inversion recovery only; in ASL, where it is the delay, labelling inverts
        dataset.ScanningSequence = [_sequence(context.header), "IR"]
        dataset.InversionTime = _decimal(times[index])
    dataset.RescaleIntercept = 0
    dataset.RescaleSlope = f"{series.quantity.slope:.10g}"
    dataset.RescaleType = "US"
    dataset.RealWorldValueMappingSequence = [real_world_value_mapping(series)]
    if series.quantity.window is not None:
        low, high = series.quantity.window
        dataset.WindowCenter, dataset.WindowWidth = f"{(low + high) / 2:g}", f"{high - low:g}"
    dataset.PixelData = stored.pixels[index].astype("<i2").tobytes()
    return dataset


def _add_acquisition(dataset: Dataset, header: ScanHeader, stored: StoredSeries) -> None:
    """What is known of the readout; empty where the standard allows it."""
    dataset.ScanningSequence = _sequence(header)
    # labelling prepares the magnetisation
    dataset.SequenceVariant = "MP"
    dataset.ScanOptions = None
    dataset.MRAcquisitionType = stored.series.asl.acquisition_type
    dataset.RepetitionTime = _milliseconds(header.repetition_time)
    dataset.EchoTime = _milliseconds(header.echo_time)
    dataset.EchoTrainLength = None
    dataset.NumberOfAverages = stored.series.n_pairs
    if header.flip_angle is not None:
        dataset.FlipAngle = _decimal(degrees(header.flip_angle))


def _sequence(header: ScanHeader) -> str:
    return _SEQUENCES.get(header.trajectory, "RM")


def _milliseconds(seconds: float | None) -> DSfloat | None:
    return None if seconds is None else _decimal(milliseconds_from_seconds(seconds))


def _decimal(value: float) -> DSfloat:
    """At most 16 characters, which is what DICOM keeps of a decimal number."""
    return DSfloat(round(float(value), 10), auto_format=True)
