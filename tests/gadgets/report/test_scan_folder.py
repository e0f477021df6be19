import json

import numpy as np
import pytest
from nifti_scans import SHAPE
from report_folders import SUMMARY, flow_map, scan_folder

from perfline.gadgets.errors import ConfigurationError
from perfline.gadgets.report.scan_folder import (
    FIT_STATUS,
    FLOW_MASKS,
    TERRITORIES,
    FileKind,
    clean_text,
    file_kind,
    head_regions,
    read_scan_folder,
)
from perfline.gadgets.writers.bids_maps import MAP_NAMES


@pytest.mark.parametrize(("where", "raw"), [("derivatives/perfline/sub-01/perf/", "sub-01/perf/"), ("", "")])
def test_maps_are_found_by_what_their_names_say_wherever_they_lie(tmp_path, where, raw):
    scan = read_scan_folder(scan_folder(tmp_path, where=where, raw=raw))
    series = scan.image(FileKind("cbf"))
    np.testing.assert_allclose(series.data[0], flow_map(), rtol=1e-6)  # float32 in the file
    assert scan.name_of(FileKind("mask", "brain")) == "sub-01_desc-brain_mask.nii.gz"
    assert scan.sidecar(FileKind("asl"))["TotalAcquiredPairs"] == 4
    assert scan.image(FileKind("att")) is None
    assert scan.name_of(FileKind("att")) == ""
    assert scan.sidecar(FileKind("att")) == {}


def test_entities_tell_maps_apart():
    name = "sub-01_ses-2_label-GM_desc-partialvolume_cbf.nii.gz"
    assert file_kind(name) == FileKind("cbf", "partialvolume", "GM")
    assert file_kind("a/b/rest_cbf.nii") == FileKind("cbf")


def test_tables_are_read_and_their_absence_is_none(tmp_path):
    scan = read_scan_folder(scan_folder(tmp_path))
    assert [row["pairs"] for row in scan.table("pairs.tsv", ("pairs",))] == ["1", "2", "2", "3"]
    assert scan.table("else.tsv", ()) is None
    assert scan.region_table() is None
    with pytest.raises(ConfigurationError, match=r"pairs\.tsv: expected .* columns volume"):
        scan.table("pairs.tsv", ("volume",))


@pytest.mark.parametrize("name", ["perf/sub-01_desc-regions_cbf.tsv", "sub-01_cbf_regions.tsv"])
def test_the_table_of_regions_is_found_among_the_files(tmp_path, name):
    folder = scan_folder(tmp_path, with_maps=False, files=[name])
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_text("name\tmean\tstandard_error\nleft\t51\t2\n")
    assert read_scan_folder(folder).region_table() == [{"name": "left", "mean": "51", "standard_error": "2"}]


def test_the_head_is_told_from_regions():
    regions = [{"name": "insula", "label": 3}, {"name": "head", "label": 0}]
    assert head_regions({"regions": regions}) == regions[1:]


def test_a_map_that_is_gone_or_broken_is_named(tmp_path):
    scan = read_scan_folder(scan_folder(tmp_path))
    path = tmp_path / "derivatives/perfline/sub-01/perf/sub-01_cbf.nii.gz"
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(ConfigurationError, match=r"map .*sub-01_cbf\.nii\.gz"):
        scan.image(FileKind("cbf"))
    path.unlink()
    with pytest.raises(ConfigurationError, match=r"map .*sub-01_cbf\.nii\.gz"):
        scan.image(FileKind("cbf"))
    path.with_name("sub-01_cbf.json").write_text("[1]")
    with pytest.raises(ConfigurationError, match=r"sub-01_cbf\.json: expected a JSON object"):
        scan.sidecar(FileKind("cbf"))


def test_another_folder_is_refused(tmp_path):
    with pytest.raises(ConfigurationError, match=r"expected the folder of a scan, with a summary\.json"):
        read_scan_folder(tmp_path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", r"summary\.json: Expecting"),
        ("[" * 100_000, r"summary\.json: "),
        ("[1]", "expected the summary of a scan, got list"),
        ('{"status": 3}', "status: expected str, got 3"),
        (json.dumps(SUMMARY | {"figures": []}), "figures: expected dict"),
        (
            json.dumps(SUMMARY | {"parameters": {"EchoTime": 3}}),
            "parameters: expected entries with value, unit, origin",
        ),
        (json.dumps(SUMMARY | {"stages": [{"name": 3}]}), "stages: expected entries with name"),
        (json.dumps(SUMMARY | {"settings": {"rejection_limit": "x"}}), "settings: rejection_limit: expected a number"),
        (json.dumps(SUMMARY | {"notices": ["late"]}), "notices: expected entries with level, text"),
        (json.dumps(SUMMARY | {"files": ["../../etc/passwd"]}), "files: expected names inside the folder, got '../"),
        (json.dumps(SUMMARY | {"files": ["/etc/passwd"]}), "files: expected names inside the folder"),
        (json.dumps(SUMMARY | {"files": [3]}), "files: expected names inside the folder, got 3"),
    ],
)
def test_a_broken_summary_is_refused_by_name(tmp_path, content, message):
    (tmp_path / "summary.json").write_text(content)
    with pytest.raises(ConfigurationError, match=message):
        read_scan_folder(tmp_path)


def test_texts_are_made_fit_for_any_format(tmp_path):
    assert clean_text("a\x00b\tc\ud800") == "a b c?"
    assert clean_text("x" * 3000).endswith("… (3000 characters)")
    folder = scan_folder(tmp_path, with_maps=False, reason="broke\noff")
    assert read_scan_folder(folder).summary["reason"] == "broke off"


def test_shapes_of_the_maps_are_ours(tmp_path):
    assert read_scan_folder(scan_folder(tmp_path)).image(FileKind("cbf")).data.shape == (1, *SHAPE)


def test_what_is_looked_for_is_what_is_written():
    written = {file_kind(f"sub-01_{name}.nii.gz") for name in MAP_NAMES}
    assert {FIT_STATUS, TERRITORIES, *FLOW_MASKS} <= written
