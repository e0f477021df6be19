"""A series as one multi-frame file: Enhanced MR Image Storage, with its functional groups (PS3.3, A.36.2).

The image type is DERIVED, PRIMARY, ASL and the derived contrast: RCBF and SUBTRACTION are the standard's words; for
renal blood flow and transit time it has none, and they are RBF and ATT.

The functional groups that describe the acquisition (MR Timing, MR Modifier, coils) are demanded of original images, and
are whole or absent: they hold much that raw data don't tell (specific absorption rate, flow compensation, saturation).
So they are absent, and what is known of their content stands elsewhere: repetition time and flip angle in the dataset
itself, the inversion time, which is the delay of the slice, in the ASL functional group of its frame.
"""

from math import degrees
from typing import Final

import highdicom
from pydicom import Dataset
from pydicom.uid import EnhancedMRImageStorage
from pydicom.valuerep import DSfloat

from perfline.gadgets.mrd.convert import milliseconds_from_seconds
from perfline.gadgets.stage_data import ScanHeader
from perfline.gadgets.writers.dicom_asl import CONTRAST, asl_item, inversion_times, labelling_context
from perfline.gadgets.writers.dicom_dataset import (
    UNKNOWN,
    DicomContext,
    StoredSeries,
    anatomic_region,
    base_dataset,
    real_world_value_mapping,
)
from perfline.gadgets.writers.dicom_identity import derived_uid

__all__ = ["enhanced_dataset"]

_STACK: Final = "1"
_PATIENT: Final = highdicom.CoordinateSystemNames.PATIENT


def enhanced_dataset(context: DicomContext, stored: StoredSeries) -> Dataset:
    """Make the file of a series.

    Parameters
    ----------
    context : DicomContext
    stored : StoredSeries

    Returns
    -------
    pydicom.Dataset
        With its file meta information; frames in the order of the slices.
    """
    dataset = base_dataset(context, stored, EnhancedMRImageStorage, 1)
    series = stored.series
    dataset.ImageType = _frame_type(stored)
    _add_description(dataset)
    dataset.ContentQualification = "RESEARCH"
    dataset.ApplicableSafetyStandardAgency = UNKNOWN
    dataset.ArterialSpinLabelingContrast = CONTRAST[series.asl.labeling_type]
    dataset.NumberOfFrames = len(stored.pixels)
    dataset.AcquisitionContextSequence = labelling_context(context.header, series)
    _add_acquisition(dataset, context.header)
    _add_dimensions(dataset, stored)
    dataset.SharedFunctionalGroupsSequence = [_shared_groups(context, stored)]
    dataset.PerFrameFunctionalGroupsSequence = [
        _frame_groups(context, stored, index) for index in range(len(stored.pixels))
    ]
    dataset.PixelData = stored.pixels.astype("<i2").tobytes()
    return dataset


def _frame_type(stored: StoredSeries) -> list[str]:
    return ["DERIVED", "PRIMARY", "ASL", stored.series.quantity.contrast]


def _add_description(dataset: Dataset) -> None:
    """What both the image and its frames say of themselves."""
    dataset.PixelPresentation = "MONOCHROME"
    dataset.VolumetricProperties = "VOLUME"
    dataset.VolumeBasedCalculationTechnique = "NONE"
    dataset.ComplexImageComponent = "MAGNITUDE"
    dataset.AcquisitionContrast = "PERFUSION"


def _add_dimensions(dataset: Dataset, stored: StoredSeries) -> None:
    """Frames are ordered by stack and place in it."""
    organization = Dataset()
    organization.DimensionOrganizationUID = derived_uid("dimensions", stored.uid)
    dataset.DimensionOrganizationSequence = [organization]
    dataset.DimensionIndexSequence = []
    for keyword, label in ((0x00209056, "Stack ID"), (0x00209057, "In-Stack Position Number")):
        index = Dataset()
        index.DimensionOrganizationUID = organization.DimensionOrganizationUID
        index.DimensionIndexPointer = keyword
        index.FunctionalGroupPointer = 0x00209111
        index.DimensionDescriptionLabel = label
        dataset.DimensionIndexSequence.append(index)


def _shared_groups(context: DicomContext, stored: StoredSeries) -> Dataset:
    series, planes = stored.series, stored.planes
    groups = Dataset()
    groups.PixelMeasuresSequence = highdicom.PixelMeasuresSequence(
        pixel_spacing=planes.pixel_spacing,
        slice_thickness=planes.thickness,
        spacing_between_slices=planes.spacing,
    )
    groups.PlaneOrientationSequence = highdicom.PlaneOrientationSequence(_PATIENT, planes.orientation)
    _, region, laterality = anatomic_region(series)
    anatomy = Dataset()
    anatomy.FrameLaterality = laterality
    anatomy.AnatomicRegionSequence = [region]
    groups.FrameAnatomySequence = [anatomy]
    kind = Dataset()
    kind.FrameType = _frame_type(stored)
    _add_description(kind)
    groups.MRImageFrameTypeSequence = [kind]
    groups.PixelValueTransformationSequence = [_rescaling(stored)]
    groups.RealWorldValueMappingSequence = [real_world_value_mapping(series)]
    if series.quantity.window is not None:
        groups.FrameVOILUTSequence = [_window(series.quantity.window)]
    if context.header.echo_time is not None:
        echo = Dataset()
        echo.EffectiveEchoTime = round(milliseconds_from_seconds(context.header.echo_time), 6)
        groups.MREchoSequence = [echo]
    averages = Dataset()
    averages.NumberOfAverages = float(series.n_pairs)
    groups.MRAveragesSequence = [averages]
    return groups


def _add_acquisition(dataset: Dataset, header: ScanHeader) -> None:
    """What is known of the readout."""
    if header.repetition_time is not None:
        dataset.RepetitionTime = DSfloat(round(milliseconds_from_seconds(header.repetition_time), 6), auto_format=True)
    if header.flip_angle is not None:
        dataset.FlipAngle = DSfloat(round(degrees(header.flip_angle), 6), auto_format=True)


def _rescaling(stored: StoredSeries) -> Dataset:
    item = Dataset()
    item.RescaleIntercept = 0
    item.RescaleSlope = f"{stored.series.quantity.slope:.10g}"
    item.RescaleType = "US"
    return item


def _window(window: tuple[float, float]) -> Dataset:
    low, high = window
    item = Dataset()
    item.WindowCenter = f"{(low + high) / 2:g}"
    item.WindowWidth = f"{high - low:g}"
    return item


def _frame_groups(context: DicomContext, stored: StoredSeries, index: int) -> Dataset:
    groups = Dataset()
    content = Dataset()
    content.StackID = _STACK
    content.InStackPositionNumber = index + 1
    content.DimensionIndexValues = [1, index + 1]
    groups.FrameContentSequence = [content]
    groups.PlanePositionSequence = highdicom.PlanePositionSequence(_PATIENT, stored.planes.positions[index])
    labelling = asl_item(context.header, stored.series)
    times = inversion_times(stored.series)
    if times is not None:
        labelling.InversionTimes = times[index]
    groups.MRArterialSpinLabelingSequence = [labelling]
    return groups
