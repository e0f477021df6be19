from dataclasses import replace

import numpy as np
import pytest
from scan_headers import ASL, scan_header
from stage_items import SHAPE, geometry, of_type, run, volume

from perfline.gadgets.errors import ScanHeaderError
from perfline.gadgets.settings import Settings
from perfline.gadgets.stage_data import (
    CbfVolume,
    DeltaMVolume,
    KineticFit,
    M0Volume,
    Notice,
    PerfusionAverage,
    RegionLabels,
    ScanQuality,
    SideData,
    TissueMaps,
    VolumeKey,
)
from perfline.gadgets.stages.assess import Assess
from perfline.recon.asl.fit_precision import fit_precision, flow_weights
from perfline.recon.asl.kinetic_model import tissue_signal
from perfline.recon.asl.labeling import Labeling
from perfline.recon.asl.precision import forecast_pairs, mean_precision
from perfline.recon.parameters import LabelingType, VolumeType

MASK = np.ones(SHAPE, bool)
MASK[:, 0] = False
SCALE = np.where(MASK, np.random.default_rng(1).uniform(4, 6, SHAPE), 0).astype(np.float32)
LABELS = np.where(MASK, 1 + (np.arange(SHAPE[2]) >= 2), 0).astype(np.int32)
REGIONS = RegionLabels(LABELS, None, {1: "right", 2: "left"}, (("left", "right"),))


def deltas(n, seed=2):
    rng = np.random.default_rng(seed)
    # noise that all voxels of a pair share is what counts for a region
    return (10 + rng.standard_normal((n, 1, 1, 1)) + rng.standard_normal((n, *SHAPE))).astype(np.float32)


def items(stack, *, rejected=(), artery=None, unit="mL/100g/min"):
    """What the stages before yield: difference, average, map, for each pair."""
    found = []
    out = {pair for pair, _ in rejected}
    for number, image in enumerate(stack):
        used = [one for place, one in enumerate(stack[: number + 1]) if place not in out]
        mean = np.mean(used, axis=0).astype(np.float32)
        key = (VolumeKey(number),)
        found.append(DeltaMVolume(image, number, geometry(), 1.8, 1.8, key, artery))
        common = (len(used), len(out), geometry(), 1.8, 1.8, key)
        found.append(PerfusionAverage(mean, mean, mean, *common, artery=artery, rejected=tuple(rejected)))
        cbf = (mean * SCALE).astype(np.float32)
        found.append(CbfVolume(cbf, cbf, MASK, unit, *common, artery=artery, scale=SCALE))
    return found


def assess(settings=None, side=None, asl=ASL):
    return Assess(scan_header(asl=asl), settings or Settings(), side or SideData())


def pair_means(stack, where=MASK):
    return np.array([(image * SCALE)[where].mean() for image in stack.astype(np.float64)])


def test_a_quality_follows_each_map():
    results = run(assess(), items(deltas(3)))
    kinds = [type(one) for one in results]
    # the difference images end here
    assert kinds == [PerfusionAverage, CbfVolume, ScanQuality] * 3
    assert [one.n_pairs for one in of_type(results, ScanQuality)] == [1, 2, 3]


def test_error_of_the_head_is_that_of_its_pairs():
    stack = deltas(7)
    results = run(assess(), items(stack))
    wanted = mean_precision(pair_means(stack))
    (head,) = of_type(results, ScanQuality)[-1].regions
    assert (head.name, head.label, head.n_pairs, head.n_voxels) == ("head", 0, 7, np.count_nonzero(MASK))
    # images are in single precision
    assert head.mean == pytest.approx(wanted.mean, rel=1e-6)
    assert head.standard_error == pytest.approx(wanted.standard_error, rel=1e-5)
    assert of_type(results, CbfVolume)[-1].precision == head
    first = of_type(results, ScanQuality)[0].regions[0]
    assert np.isnan(first.standard_error)
    assert of_type(results, CbfVolume)[0].precision is None


def test_rejected_pairs_do_not_count():
    stack = deltas(7)
    stack[4] += 100
    rejected = ((4, "because"),)
    quality = of_type(run(assess(), items(stack, rejected=rejected)), ScanQuality)[-1]
    assert quality.rejected == rejected
    wanted = mean_precision(np.delete(pair_means(stack), 4))
    assert quality.regions[0].standard_error == pytest.approx(wanted.standard_error, rel=1e-5)
    assert quality.regions[0].n_pairs == 6


def test_regions_by_name_with_their_asymmetry():
    stack = deltas(5)
    quality = of_type(run(assess(side=SideData(regions=REGIONS)), items(stack)), ScanQuality)[-1]
    right, left = quality.regions
    assert (right.name, left.name) == ("right", "left")
    flow = stack.mean(axis=0) * SCALE
    for region, number in ((right, 1), (left, 2)):
        wanted = mean_precision(pair_means(stack, number == LABELS))
        assert region.standard_error == pytest.approx(wanted.standard_error, rel=1e-5)
        assert region.standard_deviation == pytest.approx(flow[number == LABELS].std(ddof=1), rel=1e-4)
    index = 200 * (left.mean - right.mean) / (left.mean + right.mean)
    assert left.asymmetry_index == right.asymmetry_index == pytest.approx(index)


def test_an_empty_region_is_nan_and_holds_nothing_up():
    labels = np.where(MASK, 1, 2).astype(np.int32)
    side = SideData(regions=RegionLabels(labels, None, {}))
    results = run(assess(Settings(target_standard_error=100.0), side), items(deltas(6)))
    first, empty = of_type(results, ScanQuality)[-1].regions
    assert (first.name, empty.name, empty.n_voxels) == ("region 1", "region 2", 0)
    assert np.isnan([empty.mean, empty.standard_error]).all()
    assert first.is_target_reached
    assert of_type(results, CbfVolume)[-1].is_target_reached


def test_forecast_and_one_message_when_the_target_is_reached():
    stack = deltas(12)
    means = pair_means(stack)
    errors = [mean_precision(means[:n]).standard_error if n > 1 else np.inf for n in range(1, 13)]
    target = 0.5 * (errors[7] + errors[8])
    results = run(assess(Settings(target_standard_error=target)), items(stack))
    flows, qualities = of_type(results, CbfVolume), of_type(results, ScanQuality)
    first = next(n for n, error in enumerate(errors) if error <= target and n >= 3)
    assert [one.is_target_reached for one in flows] == [False] * first + [True] * (12 - first)
    for n, quality in enumerate(qualities, start=1):
        needed = quality.regions[0].n_pairs_needed
        if n < 4:
            assert needed is None
        else:
            assert needed == forecast_pairs(mean_precision(means[:n]), target).n_pairs
            # no time stamps: two volumes of 8 s
            assert quality.figures["minutes_needed"] == pytest.approx(needed * 16 / 60)
    (notice,) = of_type(results, Notice)
    assert notice.level == "info"
    assert notice.text.startswith(f"target reached: standard error of the mean blood flow is {errors[first]:.2f} ")
    assert f"(head) after {first + 1} pairs, {(first + 1) * 16 / 60:.1f} min of pairs" in notice.text


def test_no_target_for_relative_flow():
    results = run(assess(Settings(target_standard_error=100.0)), items(deltas(6), unit="relative"))
    assert not any(one.is_target_reached for one in of_type(results, CbfVolume))
    assert [one.text[:21] for one in of_type(results, Notice)] == ["target_standard_error"]


def test_arteries_are_told_apart():
    both = [
        one
        for two in zip(items(deltas(5), artery=1), items(3 * deltas(5, seed=4), artery=2), strict=True)
        for one in two
    ]
    regions = of_type(run(assess(), both), ScanQuality)[-1].regions
    assert [one.name for one in regions] == ["head, artery 1", "head, artery 2"]
    wanted = mean_precision(pair_means(3 * deltas(5, seed=4)))
    assert regions[1].standard_error == pytest.approx(wanted.standard_error, rel=1e-5)


def test_differences_wait_for_m0():
    # as where M0 comes last: maps begin with the fourth pair
    stack = deltas(4)
    found = items(stack)
    late = [one for one in found[:-3] if not isinstance(one, CbfVolume)] + found[-3:]
    (quality,) = of_type(run(assess(), late), ScanQuality)
    wanted = mean_precision(pair_means(stack))
    assert quality.regions[0].standard_error == pytest.approx(wanted.standard_error, rel=1e-5)


def test_figures():
    rng = np.random.default_rng(6)
    m0 = np.where(MASK, 1000 + 200 * rng.random(SHAPE), 2).astype(np.float32)
    controls = [volume(m0 * (1 + 0.001 * number), VolumeType.CONTROL, number, 4 * number) for number in range(5)]
    pairs = items(deltas(5))
    stream = [M0Volume(m0, geometry(), 1, 1.0, ())]
    for number, control in enumerate(controls):
        stream += [control, *pairs[3 * number : 3 * number + 3]]
    quality = of_type(run(assess(), stream), ScanQuality)[-1]
    figures = quality.figures
    flow = of_type(pairs, CbfVolume)[-1].cbf
    assert figures["mean_cbf"] == pytest.approx(flow[MASK].mean(dtype=np.float64))
    assert figures["negative_share"] == 0
    assert figures["ghost_level"] == pytest.approx(0.01)
    # 0.1 % in 0.4 s, of the signal in the middle
    assert figures["control_drift_percent_per_minute"] == pytest.approx(100 * 0.001 / 1.002 / 0.4 * 60, rel=1e-4)
    assert 0.5 < figures["bright_dark_ratio"] < 2
    assert "quality_evaluation_index" not in figures


def test_tissue_maps_give_their_own_figures():
    grey = ((np.arange(SHAPE[2]) % 2 == 0) & MASK).astype(np.float32)
    tissues = TissueMaps(grey, MASK - grey, None)
    figures = of_type(run(assess(side=SideData(tissues=tissues)), items(deltas(3))), ScanQuality)[-1].figures
    flow = of_type(items(deltas(3)), CbfVolume)[-1].cbf.astype(np.float64)
    wanted = flow[grey > 0].mean() / flow[MASK & (grey == 0)].mean()
    assert figures["grey_white_ratio"] == pytest.approx(wanted)
    assert figures["mean_grey_matter"] / figures["mean_white_matter"] == pytest.approx(wanted)
    assert 0 <= figures["quality_evaluation_index"] <= 1
    assert "bright_dark_ratio" not in figures


def test_tissue_maps_without_pure_voxels_are_said_once():
    half = np.full(SHAPE, 0.5, np.float32)
    results = run(assess(side=SideData(tissues=TissueMaps(half, half, None))), items(deltas(3)))
    (notice,) = of_type(results, Notice)
    assert "fewer than 2 voxels of at least 0.9 grey or white matter" in notice.text
    assert "grey_white_ratio" not in of_type(results, ScanQuality)[-1].figures


def test_other_grids_are_refused():
    stage = assess(side=SideData(regions=RegionLabels(LABELS[:, :, :-1], None, {})))
    with pytest.raises(ScanHeaderError, match=r"regions: expected the grid of the scan \(3, 5, 4\)"):
        list(stage.process(volume(1, VolumeType.CONTROL, 0)))
    stage = assess(side=SideData(tissues=TissueMaps(SCALE[:1], SCALE[:1], None)))
    with pytest.raises(ScanHeaderError, match="tissue maps: expected the grid"):
        list(stage.process(volume(1, VolumeType.CONTROL, 0)))


def test_error_of_a_fit_over_delays():
    delays, flow, att, m0 = (0.5, 1.0, 1.5, 2.0), 55.0, 1.1, 1000.0
    asl = replace(ASL, post_labeling_delay=delays, labeling_duration=(1.8,) * 4)
    labeling = Labeling(LabelingType.PCASL, delays, 1.8, 0.85, 1.65, 0.9)
    signal = m0 * tissue_signal(labeling, flow, att, 1.3)
    rng = np.random.default_rng(7)
    scale = (MASK / m0).astype(np.float32)
    stage, stream, values = assess(asl=asl), [], [[] for _ in delays]
    for number in range(3):
        for place, delay in enumerate(delays):
            image = (signal[place] + rng.standard_normal() + rng.standard_normal(SHAPE)).astype(np.float32)
            stream.append(DeltaMVolume(image, number, geometry(), delay, 1.8, ()))
            values[place].append(float((image * scale)[MASK].mean(dtype=np.float64)))
    maps = [np.where(MASK, one, 0).astype(np.float32) for one in (flow, att)]
    fit = KineticFit(maps[1], maps[1], None, None, maps[1], np.zeros(SHAPE, np.uint8), delays, (1.8,) * 4)
    nan = float("nan")
    stream.append(
        CbfVolume(maps[0], maps[0], MASK, "mL/100g/min", 12, 0, geometry(), nan, nan, (), fit=fit, scale=scale)
    )
    (head,) = of_type(run(stage, stream), ScanQuality)[-1].regions
    weights = flow_weights(labeling, flow, att, 1.3, [3, 3, 3, 3])
    wanted = fit_precision(flow, [np.array(one) for one in values], weights)
    assert head.mean == pytest.approx(flow)
    assert head.standard_error == pytest.approx(wanted.standard_error, rel=1e-4)
    assert head.n_pairs == 12


def test_not_without_labelling():
    with pytest.raises(ScanHeaderError, match="assess: the scan declares no arterial spin labelling"):
        assess(asl=None)


def test_an_m0_of_short_repetition_time_shows_no_tissues():
    m0 = np.where(MASK, 1000 + 200 * np.random.default_rng(6).random(SHAPE), 2).astype(np.float32)
    for correction, is_told in ((1.0, True), (1.4, False)):
        stream = [M0Volume(m0, geometry(), 1, correction, ()), *items(deltas(2))]
        figures = of_type(run(assess(), stream), ScanQuality)[-1].figures
        assert ("bright_dark_ratio" in figures) is is_told
