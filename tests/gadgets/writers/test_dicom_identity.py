import re

import numpy as np
import pytest
from dicom_scans import XML

from perfline.gadgets.errors import ConfigurationError
from perfline.gadgets.writers.dicom_identity import DicomIdentity, ScanUids, derived_uid

IMAGE = np.arange(6, dtype=np.float32)
PIXELS = np.arange(6, dtype=np.int16)


def all_uids(uids):
    return [uids.study(), uids.frame_of_reference(), uids.series(["cbf", "enhanced"], PIXELS)]


def test_uids_are_legal():
    for uid in all_uids(ScanUids.of_scan(XML, IMAGE)):
        assert re.fullmatch(r"2\.25\.[1-9][0-9]*", uid)
        assert len(uid) <= 64


def test_the_same_scan_has_the_same_uids():
    assert all_uids(ScanUids.of_scan(XML, IMAGE)) == all_uids(ScanUids.of_scan(XML, IMAGE.copy()))


def test_scans_of_one_study_share_it_and_nothing_else():
    one, other = ScanUids.of_scan(XML, IMAGE), ScanUids.of_scan(XML, IMAGE + 1)
    assert one.study() == other.study()
    assert one.frame_of_reference() == other.frame_of_reference()
    assert one.series(["cbf"], PIXELS) != other.series(["cbf"], PIXELS)


def test_scans_without_a_study_have_their_own():
    one, other = ScanUids.of_scan(b"", IMAGE), ScanUids.of_scan(b"", IMAGE + 1)
    assert not set(all_uids(one)) & set(all_uids(other))


def test_all_that_makes_a_series_another_one_shows_in_its_uid():
    uids = ScanUids.of_scan(XML, IMAGE)
    series = {
        uids.series([name, form], pixels)
        for name in ("cbf", "att")
        for form in ("enhanced", "classic")
        for pixels in (PIXELS, PIXELS + np.int16(1))
    }
    assert len(series) == 8


def test_the_uids_of_the_header_are_not_used():
    assert not {"1.2.3.4.5", "1.2.3.4.6"} & set(all_uids(ScanUids.of_scan(XML, IMAGE)))


def test_a_uid_is_what_it_was():
    # golden: it must not change from version to version (uuid5 of the namespace and the JSON list, as an integer)
    assert derived_uid("study", "1.2.3") == "2.25.194626539623848814120727260332291001796"


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"patient_name": "a\\b"}, "patient_name: expected up to 64 characters"),
        ({"patient_id": "x" * 65}, "patient_id: expected up to 64 characters"),
        ({"birth_date": "1.2.1970"}, "birth_date: expected YYYYMMDD"),
        ({"sex": "X"}, "sex: expected M, F, O or nothing"),
        ({"study_uid": "1.02.3"}, "study_uid: expected a DICOM UID"),
        ({"study_uid": "1..3"}, "study_uid: expected a DICOM UID"),
    ],
)
def test_an_identity_that_dicom_does_not_allow_is_refused(changes, text):
    with pytest.raises(ConfigurationError, match=re.escape(text)):
        DicomIdentity(**changes)
