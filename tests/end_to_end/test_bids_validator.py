"""The trees that scans leave, as the BIDS validator sees them."""

import json
from dataclasses import replace

import nibabel
import numpy as np
import pytest
from bids_validator import Issue, validate
from end_to_end.scans import NOISY, PLAIN, simulated, without_parameter
from programs import needs

from perfline.gadgets.chain import load_chain
from perfline.gadgets.mrd.memory_session import MemorySession
from perfline.gadgets.outputs import OutputOptions, output_sinks
from perfline.gadgets.replay.separate_m0 import read_separate_m0
from perfline.gadgets.scan import ScanOptions, run_scan
from perfline.gadgets.simulate.recipes import RECIPES
from perfline.gadgets.simulate.write_mrd import write_scan
from perfline.gadgets.stage_data import SeparateM0, SideData
from perfline.gadgets.writers.bids import BidsSink
from perfline.gadgets.writers.bids_tree import BidsTree

pytestmark = [pytest.mark.slow, needs("bids-validator-deno")]

REQUIRED = "required fields that are not known: "
SIZE = {"n_coils": 2, "n_slices": 2, "matrix_x": 20, "matrix_y": 24, "n_samples": 40, "dwell_time": 12e-6}
SUBJECTS = {
    "pcasl": PLAIN,
    "noisy": NOISY,
    "q2tips": replace(RECIPES["pasl_q2tips"], **SIZE),
    "delays": replace(RECIPES["multi_delay"], **SIZE, n_pairs=1),
    "times": replace(RECIPES["hadamard"], **SIZE, n_pairs=1),
    "vessels": replace(RECIPES["vessel_encoded"], **SIZE),
    "kidney": RECIPES["kidney"],
}


def run(scan, sinks, chain="pcasl_epi", messages=None, **options):
    session = MemorySession(scan.messages if messages is None else messages)
    return run_scan(session, lambda config: load_chain(chain), options=ScanOptions(**options), sinks=list(sinks))


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """One dataset with a scan of each kind; the last has all other files that a scan leaves at the root."""
    out, elsewhere = tmp_path_factory.mktemp("tree") / "out", tmp_path_factory.mktemp("m0")
    for name, recipe in SUBJECTS.items():
        sink = BidsSink(out, f"sub-{name}")
        assert run(simulated(recipe), [sink]).status == "success"
        assert sink.problems == ()
    spiral = replace(RECIPES["spiral_dual_echo"], n_coils=2, n_slices=1, n_pairs=1, matrix_x=24, matrix_y=24)
    assert run(simulated(spiral), [BidsSink(out, "sub-spiral")], "pcasl_spiral").status == "success"
    assert run(simulated(PLAIN), [BidsSink(out, "sub-plain")], "epi").status == "success"
    write_scan(elsewhere / "m0.h5", replace(PLAIN, n_pairs=0))
    summary = run(
        simulated(replace(PLAIN, n_m0=0)),
        [BidsSink(out, "sub-separate_ses-2_run-1")],
        sidecar={"M0Type": "Separate", "M0RepetitionTime": 8.0},
        side=SideData(separate_m0=read_separate_m0(elsewhere / "m0.h5")),
    )
    assert summary.status == "success"
    # in the middle of the second pair
    cut = simulated(PLAIN).messages[: 1 + int(0.7 * len(simulated(PLAIN).acquisitions))]
    summary = run(simulated(PLAIN), output_sinks(out, "sub-cut", overwrite=False), messages=cut)
    assert (summary.status, summary.n_volumes) == ("success", 4)
    for name in ("report.html", "report.pdf", "volumes.tsv", "pairs.tsv", "log.jsonl"):
        (out / name).touch()
    (out / "dicom" / "cbf").mkdir(parents=True)
    (out / "dicom" / "cbf" / "cbf.dcm").touch()
    return out


def test_the_raw_dataset_is_valid(tree):
    errors, warnings, n_files = validate(tree)
    assert errors == set()
    # series, sidecar and context of each labelled scan, a separate M0, description and README
    assert n_files == 3 * 10 + 2 + 2
    # what the scan didn't declare is recommended; a block of an encoded scan isn't one control and one label, and of a
    # scan that was cut there may be one label less
    expected = {"JSON_KEY_RECOMMENDED", "NO_AUTHORS", "SIDECAR_KEY_RECOMMENDED", "TOO_FEW_AUTHORS"}
    assert {one.code for one in warnings} - expected == {"TOTAL_ACQUIRED_VOLUMES_NOT_CONSISTENT"}
    of_pairs = {one.file.split("/")[1] for one in warnings if one.code == "TOTAL_ACQUIRED_VOLUMES_NOT_CONSISTENT"}
    assert of_pairs == {"sub-cut", "sub-times", "sub-vessels"}


def test_the_derivatives_are_valid(tree):
    errors, warnings, n_files = validate(tree / "derivatives" / "perfline")
    assert errors == set()
    assert {one.code for one in warnings} <= {"JSON_KEY_RECOMMENDED", "NO_AUTHORS", "TOO_FEW_AUTHORS"}
    # the M0 of each labelled scan has a name in BIDS
    assert n_files == 2 * 10 + 2


def test_every_uri_leads_to_a_file(tree):
    n_uris = 0
    for path in tree.rglob("sub-*.json"):
        is_raw = "derivatives" not in path.parts
        content = json.loads(path.read_text())
        uris = [*content.get("Sources", ()), *([content["IntendedFor"]] if "IntendedFor" in content else ())]
        for uri in uris:
            own = tree if is_raw else tree / "derivatives" / "perfline"
            place = (
                tree / uri.removeprefix("bids:raw:")
                if uri.startswith("bids:raw:")
                else own / uri.removeprefix("bids::")
            )
            assert place.is_file(), f"{path}: {uri}"
            n_uris += 1
        assert is_raw or uris or content["Description"] == "Magnitude of volumes without labelling"
    assert n_uris > 50


def test_the_context_has_a_row_for_each_volume(tree):
    contexts = list(tree.rglob("*_aslcontext.tsv"))
    assert len(contexts) == 10
    for path in contexts:
        head, *rows = path.read_text().splitlines()
        series = nibabel.load(path.with_name(path.name.replace("aslcontext.tsv", "asl.nii.gz")))
        sidecar = json.loads(path.with_name(path.name.replace("aslcontext.tsv", "asl.json")).read_text())
        assert (head, len(rows)) == ("volume_type", series.shape[3])
        for name in ("LabelingDuration", "PostLabelingDelay", "RepetitionTimePreparation"):
            assert not isinstance(sidecar.get(name), list) or len(sidecar[name]) == len(rows)
    of_delays = json.loads(BidsTree(tree, "sub-delays").raw("asl.json").read_text())
    assert of_delays["PostLabelingDelay"][0] == 0
    of_times = json.loads(BidsTree(tree, "sub-times").raw("asl.json").read_text())
    # the whole train, and the sub-boli beside it
    encoding = of_times["TimeEncoding"]
    assert of_times["LabelingDuration"] == pytest.approx(sum(encoding["LabelingDuration"]))
    assert np.shape(encoding["EncodingMatrix"]) == (8, 1 + len(encoding["LabelingDuration"]))
    of_pasl = json.loads(BidsTree(tree, "sub-q2tips").raw("asl.json").read_text())
    assert of_pasl["BolusCutOffDelayTime"] == [0.8, 1.1]


def test_lost_volumes_are_neither_in_the_series_nor_in_its_context(tmp_path):
    scan = simulated(PLAIN)
    # a line of the second control is missing, after the navigators of its second slice
    n = len(scan.acquisitions) // 7
    holed = scan.with_acquisitions(lambda number, one: None if number == 3 * n + n // 2 + 6 else one)
    summary = run(holed, output_sinks(tmp_path / "holed", "sub-01", overwrite=False))
    assert (summary.status, summary.n_volumes) == ("success", 6)
    tree = BidsTree(tmp_path / "holed")
    assert tree.raw("aslcontext.tsv").read_text().split() == [
        *("volume_type", "m0scan"),
        *("control", "label", "label", "control", "label"),
    ]
    run(scan, [BidsSink(tmp_path / "whole", "sub-01")])
    of_scan = np.asarray(nibabel.load(BidsTree(tmp_path / "whole").raw("asl.nii.gz")).dataobj)
    kept = np.asarray(nibabel.load(tree.raw("asl.nii.gz")).dataobj)
    np.testing.assert_array_equal(kept, of_scan[..., [0, 1, 2, 4, 5, 6]])
    assert validate(tmp_path / "holed")[0] == set()


def test_errors_of_the_validator_are_those_that_we_report(tmp_path):
    scan = without_parameter(simulated(SUBJECTS["q2tips"]), "BackgroundSuppression")
    scan = without_parameter(scan, "EchoTime").with_header(r"<TE>[^<]*</TE>", "")
    summary = run(scan, output_sinks(tmp_path, "sub-01", OutputOptions(with_montage=False), overwrite=False))
    assert summary.status == "success"
    missing = ["BackgroundSuppression", "EchoTime"]
    told = {"level": "warning", "text": f"sub-01_asl.json: not valid BIDS: {REQUIRED}{', '.join(missing)}"}
    assert told in json.loads((tmp_path / "summary.json").read_text())["notices"]
    errors, _, _ = validate(tmp_path)
    assert sorted(one.field for one in errors) == missing
    assert validate(tmp_path / "derivatives" / "perfline")[0] == set()


def test_an_m0_whose_echo_time_nobody_told(tmp_path):
    scan, sink = simulated(replace(PLAIN, n_m0=0)), BidsSink(tmp_path, "sub-01")
    m0 = SeparateM0(np.ones((PLAIN.n_slices, PLAIN.matrix_y, PLAIN.matrix_x), np.float32), None, None, "M0 file")
    run(scan, [sink], sidecar={"M0Type": "Separate", "M0RepetitionTime": 8.0}, side=SideData(separate_m0=m0))
    assert sink.problems == (f"sub-01_m0scan.json: not valid BIDS: {REQUIRED}EchoTime",)
    errors, _, _ = validate(tmp_path)
    assert errors == {Issue("SIDECAR_KEY_REQUIRED", "EchoTime", "/sub-01/perf/sub-01_m0scan.nii.gz")}


def test_a_scan_cut_before_its_first_pair(tmp_path):
    n = len(simulated(PLAIN).acquisitions) // 7
    messages = simulated(PLAIN).messages[: 1 + 2 * n]
    sink = BidsSink(tmp_path, "sub-01")
    run(simulated(PLAIN), [sink], messages=messages)
    assert sink.problems == (f"sub-01_asl.json: not valid BIDS: {REQUIRED}TotalAcquiredPairs",)
    errors, _, _ = validate(tmp_path)
    assert errors == {Issue("SIDECAR_KEY_REQUIRED", "TotalAcquiredPairs", "/sub-01/perf/sub-01_asl.nii.gz")}
