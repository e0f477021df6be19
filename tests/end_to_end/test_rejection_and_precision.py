"""Spoiled pairs are left out and listed; the scan says when its blood flow is sure enough."""

import json
from dataclasses import replace

import nibabel
import numpy as np
import pytest
from end_to_end.hosts import serving
from end_to_end.scans import NOISY, Scan, changed, head_of, run, run_messages, simulated
from end_to_end.test_live import IS_M0, IS_NAVIGATOR

from perfline.gadgets.mrd.client import run_client
from perfline.gadgets.mrd.images import Series
from perfline.gadgets.mrd.layout import AcquisitionFlag
from perfline.gadgets.mrd.messages import ConfigName
from perfline.gadgets.outputs import OutputOptions, output_sinks
from perfline.gadgets.scan import ScanOptions
from perfline.gadgets.simulate.raw_data import scan_truth
from perfline.gadgets.stage_data import CbfVolume, RegionLabels, ScanQuality, SideData, TissueMaps

N_PAIRS = 10
SELECTIVE = {"pair_rejection": "outliers", "rejection_limit": 5.0}
"""At the usual limit of 2.5 one of the sound pairs goes too."""
RECIPE = replace(NOISY, n_pairs=N_PAIRS, noise_sd=5e-4)
JUMPED, MOVED = 3, 7
"""Pairs that are spoiled: the label of one by a jump of the receiver, the control of the other by motion."""

IS_NOISE = np.uint64(AcquisitionFlag.NOISE_MEASUREMENT.mask)


def spoiled(scan: Scan) -> Scan:
    """The label of one pair loses 4 % of its signal; the control of another moves by a pixel, and loses 3 %."""

    def edit(number, one):
        head = head_of(one)
        if head["flags"] & (IS_M0 | IS_NOISE | IS_NAVIGATOR):
            return one
        place = int(head["idx"]["repetition"]), int(head["idx"]["set"])
        if place == (JUMPED, 1):
            return changed(one, one.data * np.float32(0.96))
        if place == (MOVED, 0):
            line = int(head["idx"]["kspace_encode_step_1"])
            return changed(one, one.data * np.complex64(0.97 * np.exp(0.25j * (line - RECIPE.matrix_y / 2))))
        return one

    return scan.with_acquisitions(edit)


@pytest.fixture(scope="module")
def scan() -> Scan:
    return spoiled(simulated(RECIPE))


def errors(outcome) -> np.ndarray:
    """Of the last map in grey matter [mL/100g/min]."""
    truth = scan_truth(RECIPE)
    inside = truth.grey_matter(0.9)
    return outcome.sink.of(CbfVolume)[-1].cbf[inside] - truth.cbf_limited[inside]


def test_two_spoiled_pairs_are_left_out_and_listed(scan):
    plain, selected = run(scan), run(scan, **SELECTIVE)
    assert plain.summary.rejected == ()
    assert [pair for pair, _ in selected.summary.rejected] == [JUMPED, MOVED]
    assert (selected.summary.n_pairs, selected.summary.n_pairs_rejected) == (N_PAIRS - 2, 2)
    assert all("deviations away from the median" in reason for _, reason in selected.summary.rejected)
    assert [one["pair"] for one in selected.summary.as_dict()["rejected"]] == [JUMPED, MOVED]
    # a jump of 4 % is some four times the perfusion signal: a tenth of it stays in the plain mean
    assert np.mean(np.abs(errors(selected))) < 0.5 * np.mean(np.abs(errors(plain)))
    # what is left is the noise of the sound pairs
    sound = run(simulated(RECIPE))
    assert np.mean(np.abs(errors(selected))) < 1.2 * np.mean(np.abs(errors(sound)))


def test_the_verdict_is_live(scan):
    found = run(scan, **SELECTIVE).sink.of(ScanQuality)
    assert len(found) == N_PAIRS
    # five pairs are the least that can be judged; of six to nine the share of 0.3 lets one or two go
    assert [len(one.rejected) for one in found[:4]] == [0] * 4
    assert found[4].rejected[0][0] == JUMPED
    assert [pair for pair, _ in found[-1].rejected] == [JUMPED, MOVED]


def test_never_more_than_the_stated_share(scan):
    outcome = run(scan, pair_rejection="outliers", most_rejected=0.1)
    assert len(outcome.summary.rejected) == 1


def test_a_robust_mean_needs_no_verdict(scan):
    plain, robust = run(scan), run(scan, pair_mean="robust")
    assert robust.summary.rejected == ()
    assert robust.summary.n_pairs == N_PAIRS
    assert np.mean(np.abs(errors(robust))) < 0.7 * np.mean(np.abs(errors(plain)))


def test_displaced_volumes_are_found_by_their_likeness(scan):
    outcome = run(scan, least_likeness=0.98)
    assert [pair for pair, _ in outcome.summary.rejected] == [MOVED]
    assert "its volumes are like the others by 0." in outcome.summary.rejected[0][1]


def test_the_split_chain_rejects_the_same(scan):
    whole, split = (run(scan, chain, pair_rejection="outliers") for chain in ("pcasl_epi", "pcasl_epi_split"))
    assert whole.summary.rejected == split.summary.rejected
    assert whole.sink.of(CbfVolume)[-1].cbf.tobytes() == split.sink.of(CbfVolume)[-1].cbf.tobytes()


def test_selection_that_finds_nothing_changes_no_bit():
    scan = simulated(NOISY)
    plain, selected = run(scan), run(scan, pair_rejection="outliers")
    for one, other in zip(plain.sink.of(CbfVolume), selected.sink.of(CbfVolume), strict=True):
        assert one.cbf.tobytes() == other.cbf.tobytes()
        assert one.standard_error.tobytes() == other.standard_error.tobytes()


# enough


def test_target_reached_is_told_over_a_socket(tmp_path):
    scan = simulated(RECIPE)
    qualities = run(scan, target_standard_error=1.0).sink.of(ScanQuality)
    reached = [one.regions[0].is_target_reached for one in qualities]
    first = reached.index(True)
    assert 3 <= first < N_PAIRS - 1
    options = ScanOptions(overrides={"target_standard_error": 1.0})
    with serving(options=options) as (server, summaries):
        answer = run_client(server.address, ConfigName("pcasl_epi"), scan.header, iter(scan.acquisitions))
    assert summaries[0].status == "success"
    texts = [text for text in answer.texts if "target reached" in text]
    assert len(texts) == 1
    assert f"(head) after {first + 1} pairs" in texts[0]
    flow = [one for one in answer.images if one.header.image_series_index == Series.CBF][:: RECIPE.n_slices]
    has_it = [one.meta.get("PERFLINE_TargetReached") for one in flow]
    # told with the pair that reached it, and from then on
    assert has_it == [None] * first + ["1"] * (N_PAIRS - first)
    assert float(flow[first].meta["PERFLINE_StandardError"]) <= 1.0
    assert "PERFLINE_StandardError" not in flow[0].meta
    assert int(flow[first].meta["PERFLINE_PairsNeeded"]) <= first + 1


def test_without_a_target_nothing_is_told():
    outcome = run(simulated(NOISY))
    assert not [text for _, text in outcome.summary.notices if "target" in text]
    assert all(one.regions[0].n_pairs_needed is None for one in outcome.sink.of(ScanQuality))


def test_error_of_the_head_is_the_scatter_of_its_pairs():
    scan = simulated(RECIPE)
    outcome = run(scan)
    flow, quality = outcome.sink.of(CbfVolume)[-1], outcome.sink.of(ScanQuality)[-1]
    (head,) = quality.regions
    # the mean of n pairs is the running mean; from it follows the flow of each pair by itself
    means = [one.figures["mean_cbf"] for one in outcome.sink.of(ScanQuality)]
    single = np.diff([0, *(n * mean for n, mean in enumerate(means, start=1))])
    # figures come from float32 maps
    assert head.mean == pytest.approx(float(flow.cbf[flow.mask].mean()), rel=1e-4)
    assert head.standard_error == pytest.approx(single.std(ddof=1) / np.sqrt(N_PAIRS), rel=1e-2)
    assert head.n_voxels == np.count_nonzero(flow.mask)
    # 4.2 s from volume to volume
    assert quality.figures["seconds_per_pair"] == pytest.approx(2 * RECIPE.repetition_time, rel=1e-3)


def test_regions_and_tissues(tmp_path):
    scan = simulated(NOISY)
    truth = scan_truth(NOISY)
    grey = truth.grey_matter(0.9)
    labels = np.where(grey, 1 + (np.arange(NOISY.matrix_x) >= NOISY.matrix_x // 2), 0).astype(np.int32)
    regions = RegionLabels(labels, None, {1: "right grey", 2: "left grey"}, (("left grey", "right grey"),))
    white = run(scan).sink.of(CbfVolume)[-1].mask & ~grey
    tissues = TissueMaps(grey.astype(np.float32), white.astype(np.float32), None)
    options = ScanOptions(side=SideData(regions=regions, tissues=tissues))
    outcome = run_messages(scan.messages, options=options)
    quality, flow = outcome.sink.of(ScanQuality)[-1], outcome.sink.of(CbfVolume)[-1]
    right, left = quality.regions
    assert (right.name, right.label, left.name, left.label) == ("right grey", 1, "left grey", 2)
    for region in (right, left):
        values = flow.cbf[labels == region.label]
        # sums in another order
        assert region.mean == pytest.approx(values.mean(dtype=np.float64), rel=1e-5)
        assert region.standard_deviation == pytest.approx(values.std(dtype=np.float64, ddof=1), rel=1e-5)
        assert region.n_voxels == values.size
    assert left.asymmetry_index == pytest.approx(200 * (left.mean - right.mean) / (left.mean + right.mean))
    assert quality.figures["mean_grey_matter"] == pytest.approx(flow.cbf[grey].mean(dtype=np.float64), rel=1e-5)
    assert quality.figures["grey_white_ratio"] > 1.5
    assert 0 < quality.figures["quality_evaluation_index"] < 1
    assert "bright_dark_ratio" not in quality.figures
    # the notice says that nobody knows where the labels lie
    assert any("regions: the file doesn't say where it lies" in text for _, text in outcome.summary.notices)


def test_regions_of_another_grid_are_refused():
    labels = np.ones((NOISY.n_slices, NOISY.matrix_y, NOISY.matrix_x + 1), np.int32)
    options = ScanOptions(side=SideData(regions=RegionLabels(labels, None, {1: "a"})))
    outcome = run_messages(simulated(NOISY).messages, options=options)
    assert outcome.summary.status == "fail"
    assert (
        "regions: expected the grid of the scan (2, 24, 20) (slices, y, x), got (2, 24, 21)" in outcome.summary.reason
    )


def test_files_of_regions_on_the_command_line(tmp_path):
    from click.testing import CliRunner

    from perfline.gadgets.cli.replay import command
    from perfline.gadgets.simulate.write_mrd import write_scan

    write_scan(tmp_path / "scan.h5", NOISY)
    grey = scan_truth(NOISY).grey_matter(0.9)
    labels = np.where(grey, 1 + (np.arange(NOISY.matrix_x) >= NOISY.matrix_x // 2), 0).astype(np.int16)
    nibabel.save(nibabel.Nifti1Image(labels.T, None), tmp_path / "labels.nii")
    (tmp_path / "names.tsv").write_text("index\tname\n1\tright grey\n2\tleft grey\n")
    arguments = [tmp_path / "scan.h5", "--regions", tmp_path / "labels.nii", "--region-names", tmp_path / "names.tsv"]
    arguments += ["--region-pairs", "left grey=right grey", "--out", tmp_path / "out", "--no-montage"]
    result = CliRunner().invoke(command, [str(one) for one in arguments])
    assert result.exit_code == 0, result.output
    assert "Mean blood flow of regions, and its standard error" in result.output
    table = tmp_path / "out/derivatives/perfline/sub-01/perf/sub-01_desc-regions_cbf.tsv"
    rows = [line.split("\t") for line in table.read_text().splitlines()]
    assert rows[0][:4] == ["label", "name", "mean", "standard_error"]
    assert [row[:2] for row in rows[1:]] == [["1", "right grey"], ["2", "left grey"]]
    assert rows[1][-1] == rows[2][-1]
    columns = json.loads(table.with_suffix(".json").read_text())
    assert columns["mean"]["Units"] == "mL/100g/min"
    summary = json.loads((tmp_path / "out/summary.json").read_text())
    assert [one["name"] for one in summary["regions"]] == ["right grey", "left grey"]


def test_head_alone_makes_no_table(tmp_path):
    sinks = output_sinks(tmp_path, "sub-01", OutputOptions(with_montage=False), overwrite=False)
    with serving(make_sinks=lambda number: sinks) as (server, _):
        scan = simulated(NOISY)
        run_client(server.address, ConfigName("pcasl_epi"), scan.header, iter(scan.acquisitions))
    assert (tmp_path / "derivatives/perfline/sub-01/perf/sub-01_cbf.nii.gz").exists()
    assert not list(tmp_path.rglob("*regions*"))
