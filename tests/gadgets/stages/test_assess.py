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
from perfline.gadgets.stages.assess import GREY_MATTER, Assess
from perfline.recon.asl.fit_precision import fit_precision, flow_weights
from perfline.recon.asl.fit_status import FitStatus
from perfline.recon.asl.kinetic_model import tissue_signal
from perfline.recon.asl.labeling import Labeling
from perfline.recon.asl.precision import forecast_pairs, mean_precision, standard_error_bound
from perfline.recon.asl.robust_mean import robust_mean, robust_values
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
    bounds = [standard_error_bound(mean_precision(means[:n])) for n in range(1, 13)]
    # the bound falls from the tenth pair to the eleventh
    target = 0.5 * (bounds[9] + bounds[10])
    assert min(bounds[3:10]) > target > max(bounds[10:])
    results = run(assess(Settings(target_standard_error=target)), items(stack))
    flows, qualities = of_type(results, CbfVolume), of_type(results, ScanQuality)
    assert [one.is_target_reached for one in flows] == [False] * 10 + [True] * 2
    for n, quality in enumerate(qualities, start=1):
        (head,) = quality.regions
        # images are in single precision
        assert head.standard_error_bound == pytest.approx(bounds[n - 1], rel=1e-4, nan_ok=True)
        needed = head.n_pairs_needed
        if n < 4:
            assert needed is None
        else:
            assert needed == forecast_pairs(mean_precision(means[:n]), target).n_pairs
            # no time stamps: two volumes of 8 s
            assert quality.figures["minutes_needed"] == pytest.approx(needed * 16 / 60)
    (notice,) = of_type(results, Notice)
    assert notice.level == "info"
    error = mean_precision(means[:11]).standard_error
    assert notice.text.startswith(
        f"target reached: standard error of the mean blood flow is {error:.2f} mL/100g/min, with 95% confidence below"
        f" {bounds[10]:.2f} (head) after 11 pairs, {11 * 16 / 60:.1f} min of pairs"
    )


def test_a_target_that_is_lost_again_is_said_and_no_longer_flagged():
    # pairs that happen to be alike, then one that is not
    stack = np.full((9, *SHAPE), 10, np.float32) + 0.01 * np.arange(9, dtype=np.float32).reshape(9, 1, 1, 1) % 0.03
    stack[5] += 8
    results = run(assess(Settings(target_standard_error=1.0)), items(stack))
    assert [one.is_target_reached for one in of_type(results, CbfVolume)] == [False] * 3 + [True] * 2 + [False] * 4
    reached, lost = of_type(results, Notice)
    assert (reached.level, lost.level) == ("info", "warning")
    assert reached.text.startswith("target reached: ")
    assert lost.text.startswith("target no longer reached: ")
    assert "after 6 pairs" in lost.text


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


VESSELS = replace(ASL, encoding_matrix=((1, 1, 1), (1, -1, 1), (1, 1, -1), (1, -1, -1)))


def of_two_arteries(first, second):
    """The differences of a block come before its maps."""
    found, both = [], (items(first, artery=1), items(second, artery=2))
    for number in range(len(first)):
        block = [stream[3 * number : 3 * number + 3] for stream in both]
        found += [one for kind in range(3) for one in (block[0][kind], block[1][kind])]
    return found


@pytest.mark.parametrize("settings", [Settings(), Settings(pair_rejection="outliers"), Settings(pair_mean="robust")])
def test_all_arteries_together_come_last_and_are_said_to_be(settings):
    first, second = deltas(5), deltas(5, seed=4) - 12
    results = run(assess(settings, asl=VESSELS), of_two_arteries(first, second))
    qualities = of_type(results, ScanQuality)
    assert [one.figures_of for one in qualities] == ["", "", "all arteries"] * 5
    assert [one.artery for one in of_type(results, CbfVolume)] == [1, 2] * 5
    total = first + second
    flow = total.mean(axis=0) * SCALE
    found = qualities[-1]
    # images are in single precision
    assert found.figures["mean_cbf"] == pytest.approx(flow[MASK].mean(), rel=1e-5)
    assert found.figures["spatial_variation"] == pytest.approx(flow[MASK].std() / flow[MASK].mean(), rel=1e-4)
    assert found.figures["negative_share"] == pytest.approx(np.mean(flow[MASK] < 0))
    worth = [robust_values(one) if settings.pair_mean == "robust" else one for one in (first, second)]
    wanted = mean_precision(pair_means(worth[0] + worth[1]))
    assert [one.name for one in found.regions] == ["head, all arteries", "head, artery 1", "head, artery 2"]
    assert found.precision.standard_error == pytest.approx(wanted.standard_error, rel=1e-4)
    assert found.precision.mean == pytest.approx(flow[MASK].mean(), rel=1e-5)
    if settings.pair_mean == "arithmetic":
        # the arteries of a block share noise: their variances do not just add up
        tsnr = total.mean(axis=0) / total.std(axis=0, ddof=1)
        assert found.figures["median_tsnr"] == pytest.approx(np.median(tsnr[MASK]), rel=1e-4)
        errors = total.std(axis=0, ddof=1) / np.sqrt(5) * SCALE
        assert found.figures["mean_cbf_voxel_standard_error"] == pytest.approx(errors[MASK].mean(), rel=1e-4)
    assert qualities[-2].figures["mean_cbf"] == pytest.approx((second.mean(axis=0) * SCALE)[MASK].mean(), rel=1e-5)


def test_a_block_that_is_left_out_is_in_no_sum():
    first, second = deltas(5), deltas(5, seed=4)
    first[3] += 50
    rejected = ((3, "because"),)
    streams = items(first, artery=1, rejected=rejected), items(second, artery=2, rejected=rejected)
    stream = [one for two in zip(*streams, strict=True) for one in two]
    found = of_type(run(assess(Settings(pair_rejection="outliers"), asl=VESSELS), stream), ScanQuality)[-1]
    total = np.delete(first + second, 3, axis=0)
    assert found.figures["mean_cbf"] == pytest.approx((total.mean(axis=0) * SCALE)[MASK].mean(), rel=1e-5)
    tsnr = total.mean(axis=0) / total.std(axis=0, ddof=1)
    assert found.figures["median_tsnr"] == pytest.approx(np.median(tsnr[MASK]), rel=1e-4)


def test_robust_maps_have_their_own_mean_and_error():
    stack = deltas(9)
    stack[2] += 300
    robust = [robust_mean(stack)[0] if n == 9 else stack[:n].mean(axis=0) for n in range(1, 10)]
    stream = items(stack)
    for place, mean in enumerate(robust):
        stream[3 * place + 2] = replace(stream[3 * place + 2], cbf=(mean * SCALE).astype(np.float32))
    quality = of_type(run(assess(Settings(pair_mean="robust")), stream), ScanQuality)[-1]
    (head,) = quality.regions
    # one head mean in a scan
    assert head.mean == pytest.approx(quality.figures["mean_cbf"], rel=1e-6)
    # its error is that of the map, which the scatter of the plain means is far above
    wanted = mean_precision(pair_means(robust_values(stack)))
    assert head.standard_error == pytest.approx(wanted.standard_error, rel=1e-4)
    assert head.standard_error < 0.1 * mean_precision(pair_means(stack)).standard_error


def test_voxels_whose_fit_failed_are_in_the_map_and_in_no_figure():
    delays = (1.0, 2.0)
    asl = replace(ASL, post_labeling_delay=delays)
    status = np.full(SHAPE, FitStatus.OUTSIDE_MASK, np.uint8)
    status[MASK] = FitStatus.CONVERGED
    cbf = np.where(MASK, 50, 0).astype(np.float32)
    kinds = (FitStatus.AT_BOUND, FitStatus.NOT_CONVERGED, FitStatus.ATT_UNDETERMINED)
    for place, kind in enumerate(kinds):
        status[1, 1, place], cbf[1, 1, place] = kind, 900
    # no flow at all, late arrival and the flow of an arrival at 0 s are results
    ones = np.ones(SHAPE, np.float32)
    times = ones.copy()
    status[2, 1, :3], cbf[2, 1, :3] = (FitStatus.NO_SIGNAL, FitStatus.LATE, FitStatus.AT_BOUND), (0, 60, 80)
    times[2, 1, 2] = 0
    fit = KineticFit(times, ones, None, None, ones, status, delays, (1.8, 1.8))
    nan, scale = float("nan"), (MASK / 1000).astype(np.float32)
    stream = []
    for number, image in enumerate(deltas(3) - 10):
        for delay in delays:
            stream.append(DeltaMVolume(image, number, geometry(), delay, 1.8, ()))
            tsnr = np.full(SHAPE, delay, np.float32)
            tsnr[0, 1] = np.nan if delay == 2 else 1
            average = (image, image, tsnr, number + 1, 0, geometry(), delay, 1.8, ())
            stream.append(PerfusionAverage(*average))
    flow = CbfVolume(cbf, ones, MASK, "mL/100g/min", 6, 0, geometry(), nan, nan, (), fit=fit, scale=scale)
    results = run(assess(asl=asl), [*stream, flow])
    (sent,), (quality,) = of_type(results, CbfVolume), of_type(results, ScanQuality)
    assert sent.cbf is cbf
    (head,) = quality.regions
    n = np.count_nonzero(MASK)
    assert (head.n_voxels, head.n_voxels_left_out) == (n - 3, 3)
    mean = (50 * (n - 6) + 0 + 60 + 80) / (n - 3)
    assert head.mean == quality.figures["mean_cbf"] == pytest.approx(mean, rel=1e-6)
    # a fit is never negative: the share is that of the difference, noise around 0 here
    assert quality.figures["negative_share"] == pytest.approx(np.mean(average[0][MASK] < 0))
    assert quality.figures["negative_share"] > 0.1
    # of the delays that have one, and most voxels have both
    assert quality.figures["median_tsnr"] == pytest.approx(1.5)


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


def test_with_tissue_maps_alone_error_and_forecast_are_those_of_grey_matter():
    grey = ((np.arange(SHAPE[2]) % 2 == 0) & MASK).astype(np.float32)
    tissues = TissueMaps(grey, MASK - grey, None)
    regions = RegionLabels((grey > 0).astype(np.int32), None, {1: GREY_MATTER})
    found, wanted = (
        of_type(run(assess(side=side), items(deltas(4))), CbfVolume)[-1].precision
        for side in (SideData(tissues=tissues), SideData(regions=regions))
    )
    assert found == wanted
    assert found.name == "grey matter"
    assert found.standard_error > 0
    # what the user calls a region comes first
    both = SideData(tissues=tissues, regions=RegionLabels(LABELS, None, {1: "one"}))
    assert of_type(run(assess(side=both), items(deltas(4))), CbfVolume)[-1].precision.name != GREY_MATTER


def test_tissue_maps_without_pure_voxels_are_said_once():
    half = np.full(SHAPE, 0.5, np.float32)
    results = run(assess(side=SideData(tissues=TissueMaps(half, half, None))), items(deltas(3)))
    (notice,) = of_type(results, Notice)
    assert "fewer than 2 voxels of at least 0.9 grey or white matter" in notice.text
    assert of_type(results, CbfVolume)[-1].precision.name == "head"
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
