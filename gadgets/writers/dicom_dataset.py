"""The attributes that all DICOM files of a scan share, in either form: patient, study, series, equipment, units."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import version
from typing import Any, Final

import highdicom
import numpy as np
from numpy.typing import NDArray
from pydicom import DataElement, Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.sr.coding import Code
from pydicom.uid import UID, ExplicitVRLittleEndian

from perfline.gadgets.errors import ScanHeaderError
from perfline.gadgets.mrd.mrd_header import MrdHeader
from perfline.gadgets.stage_data import ScanHeader
from perfline.gadgets.writers.dicom_asl import undeclared
from perfline.gadgets.writers.dicom_geometry import SlicePlanes
from perfline.gadgets.writers.dicom_identity import DicomIdentity, ScanUids, derived_uid
from perfline.gadgets.writers.dicom_quantity import LARGEST_PIXEL, PADDING
from perfline.gadgets.writers.dicom_series import DicomSeries

__all__ = [
    "UNKNOWN",
    "DicomContext",
    "StoredSeries",
    "anatomic_region",
    "base_dataset",
    "code_item",
    "real_world_value_mapping",
]

UNKNOWN: Final = "UNKNOWN"
"""Where the standard demands a text that nobody told."""

_IMPLEMENTATION_UID: Final = derived_uid("implementation", "perfline")
_LONGEST_TEXT: Final = 64
_LONGEST_DERIVATION: Final = 1024
_POSITIONS: Final = ("HFP", "HFS", "HFDR", "HFDL", "FFDR", "FFDL", "FFP", "FFS")
_ANATOMY: Final = {"brain": ("BRAIN", "12738006", "Brain", "U"), "kidney": ("KIDNEY", "64033007", "Kidney", "B")}
"""Of an organ: body part, SNOMED CT code and meaning, laterality (unpaired, both)."""


@dataclass(frozen=True)
class DicomContext:
    """What is the same for all series of a scan. ``reference`` are attributes of a reference series, by keyword."""

    header: ScanHeader
    uids: ScanUids
    identity: DicomIdentity
    reference: Mapping[str, Any]
    now: datetime


@dataclass(frozen=True)
class StoredSeries:
    """A series with its integers, int16 (n_slices, n_y, n_x), and its identifier."""

    series: DicomSeries
    planes: SlicePlanes
    pixels: NDArray[np.int16]
    n_clipped: int
    uid: str


def base_dataset(context: DicomContext, stored: StoredSeries, sop_class: str, number: int) -> Dataset:
    """A dataset with everything but what its form adds: functional groups, or the place of one slice.

    Parameters
    ----------
    context : DicomContext
    stored : StoredSeries
    sop_class : str
    number : int
        Of the instance in the series, from 1.
    """
    dataset = Dataset()
    dataset.SpecificCharacterSet = "ISO_IR 192"
    dataset.SOPClassUID = sop_class
    dataset.SOPInstanceUID = derived_uid("instance", stored.uid, str(number))
    dataset.InstanceNumber = number
    _add_meta(dataset)
    _add_patient_and_study(dataset, context)
    _add_series(dataset, context, stored)
    _add_equipment(dataset, context)
    _add_pixel_description(dataset, stored)
    return dataset


def code_item(value: str, scheme: str, meaning: str) -> highdicom.sr.CodedConcept:
    """One coded concept."""
    return highdicom.sr.CodedConcept(value, scheme, meaning)


def real_world_value_mapping(series: DicomSeries) -> Dataset:
    """Item of the Real World Value Mapping Sequence: from pixels to values, with unit (UCUM) and quantity."""
    quantity = series.quantity
    item = highdicom.pm.RealWorldValueMapping(
        lut_label=quantity.name,
        lut_explanation=quantity.meaning,
        unit=Code(quantity.unit[0], "UCUM", quantity.unit[1]),
        value_range=(-LARGEST_PIXEL, LARGEST_PIXEL),
        slope=quantity.slope,
        intercept=0.0,
        quantity_definition=Code(quantity.definition[0], "DCM", quantity.definition[1]),
    )
    # the pixels are signed
    for keyword in ("RealWorldValueFirstValueMapped", "RealWorldValueLastValueMapped"):
        item[keyword].VR = "SS"
    method = highdicom.sr.CodeContentItem(
        name=code_item("370129005", "SCT", "Measurement Method"),
        value=code_item("126302", "DCM", "Perfusion analysis by Arterial Spin Labeling MR technique"),
    )
    item.QuantityDefinitionSequence.append(method)
    return item


def anatomic_region(series: DicomSeries) -> tuple[str, highdicom.sr.CodedConcept, str]:
    """Body part, its code, and its laterality."""
    part, code, meaning, laterality = _ANATOMY[series.asl.organ]
    return part, code_item(code, "SCT", meaning), laterality


def _add_meta(dataset: Dataset) -> None:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.ImplementationClassUID = UID(_IMPLEMENTATION_UID)
    meta.ImplementationVersionName = f"PERFLINE {version('perfline')}"[:16]
    dataset.file_meta = meta


def _add_patient_and_study(dataset: Dataset, context: DicomContext) -> None:
    identity, uids = context.identity, context.uids
    values: dict[str, Any] = {
        "PatientName": identity.patient_name,
        "PatientID": identity.patient_id,
        "PatientBirthDate": identity.birth_date,
        "PatientSex": identity.sex,
        "StudyInstanceUID": identity.study_uid or uids.study(),
        "StudyDate": "",
        "StudyTime": "",
        "StudyID": "",
        "AccessionNumber": "",
        "ReferringPhysicianName": "",
        "FrameOfReferenceUID": uids.frame_of_reference(),
        "PositionReferenceIndicator": "",
        "PatientPosition": _stated(context.header, "measurementInformation/patientPosition", _POSITIONS),
    }
    for keyword, value in (values | dict(context.reference)).items():
        setattr(dataset, keyword, value)


def _add_series(dataset: Dataset, context: DicomContext, stored: StoredSeries) -> None:
    series = stored.series
    dataset.Modality = "MR"
    dataset.SeriesInstanceUID = stored.uid
    dataset.SeriesNumber = series.number
    dataset.SeriesDescription = _line(series.description)
    dataset.ProtocolName = _line(context.header.protocol_name)
    dataset.BodyPartExamined = anatomic_region(series)[0]
    dataset.ContentDate = context.now.strftime("%Y%m%d")
    dataset.ContentTime = context.now.strftime("%H%M%S")
    dataset.ImageComments = _comments(context, stored)
    dataset.DerivationDescription = series.derivation[:_LONGEST_DERIVATION]
    if context.header.field_strength is not None:
        dataset.MagneticFieldStrength = round(context.header.field_strength, 6)


def _add_equipment(dataset: Dataset, context: DicomContext) -> None:
    """The scanner, as far as it is known; and what made these images."""
    header = context.header
    for keyword, path in (
        ("Manufacturer", "systemVendor"),
        ("ManufacturerModelName", "systemModel"),
        ("DeviceSerialNumber", "deviceSerialNumber"),
        ("SoftwareVersions", ""),
    ):
        if not dataset.get(keyword):
            stated = _stated(header, f"acquisitionSystemInformation/{path}") if path else ""
            setattr(dataset, keyword, _line(stated) or UNKNOWN)
    if "StationName" not in dataset and (station := _stated(header, "acquisitionSystemInformation/stationName")):
        dataset.StationName = station[:16].replace("\\", "/")
    contribution = Dataset()
    contribution.PurposeOfReferenceCodeSequence = [code_item("109102", "DCM", "Processing Equipment")]
    contribution.Manufacturer = "perfline"
    contribution.ManufacturerModelName = "perfline"
    contribution.SoftwareVersions = version("perfline")
    contribution.ContributionDescription = "Reconstruction of raw data, subtraction, quantification of perfusion"
    dataset.ContributingEquipmentSequence = [contribution]


def _add_pixel_description(dataset: Dataset, stored: StoredSeries) -> None:
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.Rows, dataset.Columns = stored.pixels.shape[1:]
    dataset.BitsAllocated = dataset.BitsStored = 16
    dataset.HighBit = 15
    dataset.PixelRepresentation = 1
    dataset.add(DataElement("PixelPaddingValue", "SS", PADDING))
    dataset.BurnedInAnnotation = "NO"
    dataset.LossyImageCompression = "00"
    dataset.PresentationLUTShape = "IDENTITY"


def _comments(context: DicomContext, stored: StoredSeries) -> str:
    series = stored.series
    quantity = series.quantity
    parts = [
        f"{quantity.meaning} [{quantity.unit[1]}] = {quantity.slope:g} x pixel; pixel {PADDING} has no value.",
        f"{series.n_pairs} pairs, {series.n_rejected} rejected.",
        *undeclared(context.header),
    ]
    if stored.n_clipped:
        parts.append(f"{stored.n_clipped} voxels are beyond the range of the pixels and take its end.")
    return " ".join(parts)


def _stated(header: ScanHeader, path: str, allowed: tuple[str, ...] = ()) -> str:
    """What the MRD header says, or nothing."""
    try:
        text = MrdHeader(header.xml).text(path) or ""
    except ScanHeaderError:
        # a scan can come without an MRD header, from NIfTI files
        return ""
    return text if not allowed or text in allowed else ""


def _line(text: str) -> str:
    """Text of one line that a long string (LO) holds."""
    return "".join(letter if letter.isprintable() else " " for letter in text).replace("\\", "/")[:_LONGEST_TEXT]
