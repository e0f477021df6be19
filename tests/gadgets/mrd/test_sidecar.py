import json

import pytest

from perfline.gadgets.errors import ConfigurationError
from perfline.gadgets.mrd.sidecar import load_sidecar, read_aslcontext


def test_sidecar_with_its_context(tmp_path):
    (tmp_path / "sub-01_asl.json").write_text(json.dumps({"PostLabelingDelay": 1.8}))
    (tmp_path / "sub-01_aslcontext.tsv").write_text("volume_type\nm0scan\ncontrol\nlabel\n")
    found = load_sidecar(tmp_path / "sub-01_asl.json")
    assert found.parameters == {"PostLabelingDelay": 1.8}
    assert found.aslcontext == ("m0scan", "control", "label")
    assert found.aslcontext_path == tmp_path / "sub-01_aslcontext.tsv"


def test_a_time_encoded_series_has_a_duration_for_each_sub_bolus(tmp_path):
    encoding = {"EncodingMatrix": [[1, 1], [1, -1]], "LabelingDuration": [1.5]}
    (tmp_path / "a_asl.json").write_text(json.dumps({"LabelingDuration": 3, "EchoTime": 1, "TimeEncoding": encoding}))
    assert load_sidecar(tmp_path / "a_asl.json").parameters == {**encoding, "EchoTime": 1}


def test_sidecar_alone(tmp_path):
    (tmp_path / "scan.json").write_text("{}", encoding="utf-8-sig")
    found = load_sidecar(str(tmp_path / "scan.json"))
    assert (found.parameters, found.aslcontext, found.aslcontext_path) == ({}, None, None)


@pytest.mark.parametrize(("text", "error"), [("[1]", "expected a JSON object, got list"), ("{", "expected JSON")])
def test_bad_sidecars(tmp_path, text, error):
    (tmp_path / "a_asl.json").write_text(text)
    with pytest.raises(ConfigurationError, match=rf"sidecar .*a_asl.json: {error}"):
        load_sidecar(tmp_path / "a_asl.json")


def test_missing_sidecar(tmp_path):
    with pytest.raises(ConfigurationError, match="No such file"):
        load_sidecar(tmp_path / "a_asl.json")
    (tmp_path / "b_asl.json").write_bytes(b"\xff\xfe\xff")
    with pytest.raises(ConfigurationError, match="expected JSON"):
        load_sidecar(tmp_path / "b_asl.json")


@pytest.mark.parametrize(
    "table",
    [
        "volume_type\ncontrol\nlabel",
        "onset\tvolume_type\n0\tcontrol\n4\tlabel\n",
        "volume_type\r\n control \r\nlabel\r\n",
    ],
)
def test_tables(tmp_path, table):
    (tmp_path / "t.tsv").write_text(table)
    assert read_aslcontext(tmp_path / "t.tsv") == ("control", "label")


@pytest.mark.parametrize(
    ("table", "error"),
    [
        ("", r"expected a column volume_type, got \[\]"),
        ("control\nlabel\n", "expected a column volume_type, got .'control'."),
        ("volume_type\n", "no volume is listed"),
    ],
)
def test_bad_tables(tmp_path, table, error):
    (tmp_path / "t.tsv").write_text(table)
    with pytest.raises(ConfigurationError, match=error):
        read_aslcontext(tmp_path / "t.tsv")


def test_missing_table(tmp_path):
    with pytest.raises(ConfigurationError, match=r"aslcontext .*No such file"):
        read_aslcontext(tmp_path / "t.tsv")
