import pytest

from perfline.gadgets.writers.public_text import PublicText

HEADER = b"""<ismrmrdHeader xmlns="http://www.ismrm.org/ISMRMRD">
 <subjectInformation><patientName>Doe^Jane</patientName><patientID>pat4711</patientID></subjectInformation>
 <studyInformation><referringPhysicianName>Dr. House</referringPhysicianName></studyInformation>
 <measurementInformation><patientPosition>HFS</patientPosition><protocolName>jd_asl_brain</protocolName>
 </measurementInformation>
 <acquisitionSystemInformation><systemModel>model</systemModel><institutionName>Ward East</institutionName>
 </acquisitionSystemInformation>
</ismrmrdHeader>"""


@pytest.mark.parametrize(
    ("text", "public"),
    [
        ("chain: no installed chain 'Jane'; there is epi", "chain: no installed chain ...; there is epi"),
        ("the sender reports an error: Jane moved", "the sender reports an error: ..."),
        ("JSON configuration: no such setting, not used: jane", "JSON configuration: no such setting, not used: ..."),
        ("MRD header: expected a document, got Jane Doe; stop", "MRD header: expected a document, got ...; stop"),
        ("chain given: expected <configuration>, got <jane>", "chain given: expected ..., got ..."),
        ("spool /data/jane/scan_0001.mrdstream: can't be made", "spool ... can't be made"),
        ("reference series data/east/jane: not a folder", "reference series ... not a folder"),
        ("sub-jane_m0scan.nii.gz: expected one volume", "...: expected one volume"),
        ("set: expected less than 4, got 19700101", "set: expected less than 4, got ..."),
        ("born 1970-01-01", "born ..."),
        ("two\nlines", "two lines"),
        # what they are for
        ("samples: expected finite values, got 3 that are NaN or infinite", None),
        ("readouts missing: slice 1: lines 3 to 5", None),
        ("trajectory: expected (n_shots, 2), got (16, 4096)", None),
        ("LabelingDuration: expected a positive time, got 0.0018 (header)", None),
        ("no navigators: the N/2 ghost is estimated from the image lines", None),
        ("target reached: 1.25 mL/100g/min (head) after 3 pairs", None),
        ("", None),
    ],
)
def test_what_is_left_of_a_text(text, public):
    assert PublicText()(text) == (text if public is None else public)


@pytest.mark.parametrize("word", ["Doe", "jane", "PAT4711", "House", "East", "Ward"])
def test_words_of_the_header_that_tell_who_and_where(word):
    public = PublicText(HEADER)
    assert public(f"volume ({word}) and {word}_1 is late") == "volume (...) and ..._1 is late"


def test_other_words_stay():
    text = "aslcontext: HFS, model, dose of 3 for repetition 2"
    assert PublicText(HEADER)(text) == text


@pytest.mark.parametrize("broken", [b"", b"<no", b"<!DOCTYPE a><a/>"])
def test_a_header_that_can_not_be_read_has_no_words(broken):
    assert PublicText(broken)("Jane") == "Jane"
