"""Who and what the DICOM files of a scan belong to: unique identifiers, and the patient where one is named.

Identifiers are derived, not drawn: the same scan replayed by the same version gives the same ones; another scan, or
another result of the same scan (other settings, another version), gives others, so that an archive that keeps the first
of two equal identifiers never keeps a stale map. All of them are ``2.25.`` and the decimal number of a version 5 UUID,
the root that the standard gives to UUIDs (PS3.5, B.2), of these texts:

===================  ==============================================================================================
study                ``studyInstanceUID`` of the MRD header; where it has none, the scan
frame of reference   ``frameOfReferenceUID`` of the MRD header; where it has none, the study
scan                 SHA-256 of the MRD header and of the first image that left the chain
series               scan, all that it is made out of and to (`ScanUids.series`), SHA-256 of its pixels
instance             series, number
===================  ==============================================================================================

The identifiers of the MRD header itself appear in no file: they could lead back to the patient. A reference series, or
an identity that is given, replaces study and frame of reference.
"""

import hashlib
import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from perfline.gadgets.errors import ConfigurationError, ScanHeaderError
from perfline.gadgets.mrd.mrd_header import MrdHeader

__all__ = ["ANONYMOUS", "DicomIdentity", "ScanUids", "derived_uid"]

_NAMESPACE: Final = uuid.UUID("5f0ad0ee-6d4c-5bd6-9c2f-1c1f6b0c4a57")
"""Of all identifiers that perfline derives; never changes."""

_LARGEST_UID: Final = 64


@dataclass(frozen=True)
class DicomIdentity:
    """The patient that files are made out to, in the words of DICOM; empty where unknown.

    ``birth_date`` is ``YYYYMMDD``, ``sex`` is ``M``, ``F`` or ``O``. ``study_uid`` puts the series into a study that
    exists; empty: derived.

    Raises
    ------
    ConfigurationError
        A text that DICOM doesn't allow at this place.
    """

    patient_name: str = "Anonymous^Anonymous"
    patient_id: str = "ANONYMOUS"
    birth_date: str = ""
    sex: str = ""
    study_uid: str = ""

    def __post_init__(self) -> None:
        for name, text in (("patient_name", self.patient_name), ("patient_id", self.patient_id)):
            if len(text) > 64 or "\\" in text or not text.isprintable():
                raise ConfigurationError(f"{name}: expected up to 64 characters without backslash, got {text!r}")
        if self.birth_date and not (len(self.birth_date) == 8 and self.birth_date.isdecimal()):
            raise ConfigurationError(f"birth_date: expected YYYYMMDD, got {self.birth_date!r}")
        if self.sex not in ("", "M", "F", "O"):
            raise ConfigurationError(f"sex: expected M, F, O or nothing, got {self.sex!r}")
        if self.study_uid and not _is_uid(self.study_uid):
            raise ConfigurationError(f"study_uid: expected a DICOM UID, got {self.study_uid!r}")


ANONYMOUS: Final = DicomIdentity()
"""Placeholders; what the MRD header says of the patient is never used."""


def derived_uid(*texts: str) -> str:
    """Identifier for a list of texts: the same for the same list, and practically never for another.

    Examples
    --------
    >>> derived_uid("a", "bc") == derived_uid("a", "bc") != derived_uid("ab", "c")
    True
    >>> len(derived_uid("a")) <= 64
    True
    """
    return f"2.25.{uuid.uuid5(_NAMESPACE, json.dumps(texts)).int}"


@dataclass(frozen=True)
class ScanUids:
    """The identifiers of one scan; ``scan`` tells it from all others."""

    xml: bytes = field(repr=False)
    scan: str

    @classmethod
    def of_scan(cls, xml: bytes, first_image: NDArray[np.generic]) -> "ScanUids":
        """Tell a scan from others, those with the same MRD header too: by the first image that left the chain."""
        return cls(xml, _digest(_digest(xml).encode() + _digest(np.ascontiguousarray(first_image).tobytes()).encode()))

    def study(self) -> str:
        """Identifier of the study."""
        stated = self._stated("studyInformation/studyInstanceUID")
        return derived_uid("study", stated) if stated else derived_uid("study of scan", self.scan)

    def frame_of_reference(self) -> str:
        """Identifier of the coordinate system."""
        stated = self._stated("measurementInformation/frameOfReferenceUID")
        return derived_uid("frame of reference", stated or self.study())

    def series(self, texts: Sequence[str], pixels: NDArray[np.int16]) -> str:
        """Identifier of a series: `texts` are all that makes it another one, such as name, form, version, patient."""
        return derived_uid("series", self.scan, *texts, _digest(pixels.tobytes()))

    def _stated(self, path: str) -> str | None:
        try:
            return MrdHeader(self.xml).text(path)
        except ScanHeaderError:
            # a scan can come without an MRD header, from NIfTI files
            return None


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _is_uid(text: str) -> bool:
    parts = text.split(".")
    return len(text) <= _LARGEST_UID and all(
        part.isascii() and part.isdecimal() and (part == "0" or not part.startswith("0")) for part in parts
    )
