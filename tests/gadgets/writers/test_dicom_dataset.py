from dataclasses import replace
from importlib.metadata import version

import pytest
from dicom_scans import header

pytest.importorskip("highdicom")

from dicom_sink import saved_series

FORMS = (False, True)


def first_of(folder, kind="pcasl", name="cbf", **options):
    return saved_series(folder, kind, **options)[name][0]


def mapping(dataset):
    shared = dataset.get("SharedFunctionalGroupsSequence")
    return (shared[0] if shared else dataset).RealWorldValueMappingSequence[0]


def code(sequence):
    return sequence[0].CodeValue, sequence[0].CodingSchemeDesignator


@pytest.mark.parametrize("classic", FORMS)
@pytest.mark.parametrize(
    ("kind", "name", "unit", "quantity", "slope"),
    [
        ("pcasl", "cbf", "mL/(100.g.min)", "113055", 0.05),
        ("kidney", "rbf", "mL/(100.g.min)", "126390", 0.1),
        ("fit", "att", "s", "126371", 0.001),
        ("relative", "cbf", "[arb'U]", "126397", None),
        ("pcasl", "deltam", "[arb'U]", "110800", None),
    ],
)
def test_pixels_are_mapped_to_values_with_unit_and_quantity(tmp_path, kind, name, unit, quantity, slope, classic):
    dataset = first_of(tmp_path, kind, name, classic=classic)
    found = mapping(dataset)
    assert code(found.MeasurementUnitsCodeSequence) == (unit, "UCUM")
    what, how = found.QuantityDefinitionSequence
    assert code(what.ConceptNameCodeSequence) == ("246205007", "SCT")
    assert code(what.ConceptCodeSequence) == (quantity, "DCM")
    assert code(how.ConceptCodeSequence) == ("126302", "DCM")
    assert found.RealWorldValueIntercept == 0
    if slope is not None:
        assert found.RealWorldValueSlope == slope
    ends = ("RealWorldValueFirstValueMapped", "RealWorldValueLastValueMapped")
    assert [(found[end].value, found[end].VR) for end in ends] == [(-32767, "SS"), (32767, "SS")]
    assert (dataset.PixelPaddingValue, dataset["PixelPaddingValue"].VR, dataset.PixelRepresentation) == (
        -32768,
        "SS",
        1,
    )


@pytest.mark.parametrize("classic", FORMS)
def test_scanner_and_software(tmp_path, classic):
    dataset = first_of(tmp_path, classic=classic)
    assert (dataset.Manufacturer, dataset.ManufacturerModelName, dataset.StationName) == ("Vendor", "Model 3", "MR7")
    assert (dataset.DeviceSerialNumber, dataset.SoftwareVersions) == ("UNKNOWN", "UNKNOWN")
    (contribution,) = dataset.ContributingEquipmentSequence
    assert (contribution.Manufacturer, contribution.SoftwareVersions) == ("perfline", version("perfline"))
    assert code(contribution.PurposeOfReferenceCodeSequence) == ("109102", "DCM")


def test_position_of_the_patient_if_it_is_one_of_the_standard(tmp_path):
    assert first_of(tmp_path).PatientPosition == "FFS"
    odd = replace(header(), xml=header().xml.replace(b"FFS", b"upside down"))
    assert first_of(tmp_path / "odd", scan=odd).PatientPosition == ""


def test_what_the_values_are_in_words(tmp_path):
    dataset = first_of(tmp_path)
    assert dataset.ImageComments == (
        "Cerebral blood flow [milliliter per 100 gram per minute] = 0.05 x pixel; pixel -32768 has no value."
        " 6 pairs, 1 rejected. Vascular crushing is not declared in the raw data: ASL Crusher Flag is NO."
    )
    assert "6000 lambda dM exp(PLD/T1b)" in dataset.DerivationDescription
    assert "Alsop" in dataset.DerivationDescription
    assert dataset.SeriesDescription == "test_CBF"


def test_names_that_dicom_does_not_allow_are_made_fit(tmp_path):
    dataset = first_of(tmp_path, scan=header(protocol_name="a\\b\n" + 90 * "ä"))
    assert dataset.ProtocolName == ("a/b " + 90 * "ä")[:64]
    assert len(dataset.SeriesDescription) == 64


def test_uids_of_files_are_legal_and_different(tmp_path):
    series = saved_series(tmp_path, "fit", classic=True)
    files = [one for datasets in series.values() for one in datasets]
    assert len({one.SOPInstanceUID for one in files}) == len(files) == 12
    assert len({one.SeriesInstanceUID for one in files}) == 4
    assert len({one.StudyInstanceUID for one in files}) == 1
    assert all(one.SOPInstanceUID.is_valid and one.SeriesInstanceUID.is_valid for one in files)
    assert len({one.SeriesNumber for one in files}) == 4
