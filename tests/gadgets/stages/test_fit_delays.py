from dataclasses import replace

import numpy as np
import pytest
from scan_headers import ASL, scan_header
from stage_items import SHAPE, geometry, of_type, volume

from perfline.gadgets.errors import ConfigurationError, ScanHeaderError
from perfline.gadgets.settings import Settings
from perfline.gadgets.stage_data import CbfVolume, DeltaMVolume, M0Volume, Notice, VolumeKey
from perfline.gadgets.stages.average import Average
from perfline.gadgets.stages.average_selected import AverageSelected
from perfline.gadgets.stages.fit_delays import FitDelays
from perfline.recon.asl.fit_status import FitStatus
from perfline.recon.asl.hadamard import hadamard_matrix, sub_bolus_times
from perfline.recon.asl.kinetic_model import tissue_decay_rate, tissue_signal
from perfline.recon.asl.labeling import Labeling
from perfline.recon.asl.look_locker import look_locker_signal
from perfline.recon.parameters import LabelingType, VolumeType

DELAYS = (0.5, 1.0, 1.5, 2.0, 2.5)
DURATION, BLOOD_T1, TISSUE_T1, LAMBDA, ALPHA, M0 = 1.8, 1.65, 1.3, 0.9, 0.85, 1000.0
INSIDE = np.zeros(SHAPE, bool)
INSIDE[:, 1:4, 1:3] = True
CBF = np.where(INSIDE, np.linspace(20, 90, INSIDE.size).reshape(SHAPE), 0)
ATT = np.where(INSIDE, np.linspace(0.6, 1.9, INSIDE.size).reshape(SHAPE), 0)


def header(**asl):
    return scan_header(asl=replace(ASL, **{"post_labeling_delay": DELAYS, **asl}))


def buxton(delay, duration=DURATION, slice_delay=0.0):
    """Difference signal of the general kinetic model for pCASL (Buxton 1998, Eq. 3), written once more."""
    f, t = CBF / 6000, delay + duration + slice_delay
    t1 = 1 / (1 / TISSUE_T1 + f / LAMBDA)
    scale = 2 * ALPHA * M0 / LAMBDA * f * t1 * np.exp(-ATT / BLOOD_T1)
    arriving = 1 - np.exp(-np.maximum(t - ATT, 0) / t1)
    left = np.exp(-np.maximum(t - duration - ATT, 0) / t1) * (1 - np.exp(-duration / t1))
    return np.where(t < ATT, 0, scale * np.where(t < ATT + duration, arriving, left)).astype(np.float32)


def difference(delay, index=0, noise=0.0, duration=DURATION, seed=0):
    rng = np.random.default_rng((seed, index, int(1000 * delay)))
    image = buxton(delay, duration) + noise * rng.standard_normal(SHAPE)
    return DeltaMVolume(image.astype(np.float32), index, geometry(), delay, duration, ())


def m0():
    image = np.where(INSIDE, M0, 0).astype(np.float32)
    return M0Volume(image, geometry(), 1, 1.0, ())


def fitted(items, scan=None, **settings):
    """Differences through the average into the fit."""
    average, stage = Average(), FitDelays(scan or header(), Settings(n_threads=1, **settings))
    results = []
    for item in items:
        for passed in average.process(item):
            results += list(stage.process(passed))
    return results + list(stage.finish())


def fits(results):
    """Fits over all delays, without the look-ups before them."""
    return [flow for flow in of_type(results, CbfVolume) if not (flow.fit.status == FitStatus.LOOKED_UP).any()]


def test_blood_flow_and_transit_time_are_recovered():
    (flow,) = fits(fitted([m0(), *(difference(delay) for delay in DELAYS)]))
    # noise-free data of the same model; float32 images
    np.testing.assert_allclose(flow.cbf[INSIDE], CBF[INSIDE], rtol=1e-3)
    np.testing.assert_allclose(flow.fit.arterial_transit_time[INSIDE], ATT[INSIDE], atol=1e-3)
    assert (flow.fit.status[INSIDE] == FitStatus.CONVERGED).all()
    assert (flow.fit.status[~INSIDE] == FitStatus.OUTSIDE_MASK).all()
    assert (flow.cbf[~INSIDE] == 0).all()
    assert np.isnan(flow.standard_error[INSIDE]).all()
    assert np.isnan(flow.post_labeling_delay)
    assert (flow.n_pairs, flow.unit) == (5, "mL/100g/min")


def test_nothing_is_fitted_before_every_delay_has_come_then_after_every_pair():
    items = [m0(), *(difference(delay) for delay in DELAYS), difference(DELAYS[0], 1), difference(DELAYS[1], 1)]
    assert [flow.n_pairs for flow in fits(fitted(items))] == [5, 6, 7]


def test_errors_are_those_of_the_noise():
    noise, n = 2.0, 6
    items = [m0()] + [difference(delay, index, noise) for index in range(n) for delay in DELAYS]
    last = fits(fitted(items))[-1]
    scatter = []
    for seed in range(1, 30):
        again = [m0()] + [difference(delay, index, noise, seed=seed) for index in range(n) for delay in DELAYS]
        scatter.append(fits(fitted(again))[-1])
    inside = INSIDE & (ATT < 1.6)
    spread = np.std([flow.cbf[inside] for flow in scatter], axis=0)
    told = np.mean([flow.standard_error[inside] for flow in scatter], axis=0)
    # 29 draws in each of about 14 voxels know the mean ratio to 4 %
    assert np.mean(told / spread) == pytest.approx(1, abs=0.12)
    assert np.nanmedian(last.fit.reduced_chi_square[INSIDE]) == pytest.approx(1, abs=0.7)


def test_slice_timing_is_part_of_the_time():
    timing = (0.0, 0.1, 0.2)
    late = np.array(timing).reshape(-1, 1, 1)
    images = [DeltaMVolume(buxton(delay, slice_delay=late), 0, geometry(), delay, DURATION, ()) for delay in DELAYS]
    (flow,) = fits(fitted([m0(), *images], header(slice_timing=timing)))
    np.testing.assert_allclose(flow.cbf[INSIDE], CBF[INSIDE], rtol=1e-3)


def test_sub_boli_of_a_block_are_fitted_together():
    durations, delays = sub_bolus_times((1.0, 0.7, 0.5, 0.4, 0.3, 0.3, 0.3), 0.3)
    asl = {
        "encoding_matrix": tuple(map(tuple, hadamard_matrix(8))),
        "labeling_duration": durations,
        "post_labeling_delay": (0.3,),
    }
    items = [
        difference(delay, index, duration=duration)
        for index in range(2)
        for delay, duration in zip(delays, durations, strict=True)
    ]
    flows = fits(fitted([m0(), *items], header(**asl)))
    assert [flow.n_pairs for flow in flows] == [7, 14]
    np.testing.assert_allclose(flows[0].cbf[INSIDE], CBF[INSIDE], rtol=1e-3)


def test_a_verdict_on_blocks_never_mixes_them_in_a_fit():
    durations, delays = sub_bolus_times((1.0, 0.7, 0.5, 0.4, 0.3, 0.3, 0.3), 0.3)
    scan = header(
        encoding_matrix=tuple(map(tuple, hadamard_matrix(8))), labeling_duration=durations, post_labeling_delay=(0.3,)
    )
    settings = Settings(n_threads=1, pair_rejection="outliers", rejection_limit=15.0)
    average, stage = AverageSelected(scan, settings), FitDelays(scan, settings)
    results = list(stage.process(m0()))
    for index in range(6):
        for delay, duration in zip(delays, durations, strict=True):
            one = difference(delay, index, noise=0.01, duration=duration)
            image = one.image + np.float32(20 * (index == 5))
            one = replace(one, image=image, source=(VolumeKey(index),))
            for passed in average.process(one):
                results += list(stage.process(passed))
    # one fit after each block, also where the last one is left out and the numbers stay
    flows = of_type(results, CbfVolume)
    assert [flow.n_pairs for flow in flows] == [7, 14, 21, 28, 35, 35]
    assert flows[-1].source == (VolumeKey(5),)
    np.testing.assert_allclose(flows[-1].cbf[INSIDE], flows[-2].cbf[INSIDE], rtol=1e-3)


def test_an_arterial_component_is_fitted_where_its_arrival_is_given():
    arrival, volume_share = 0.7, 0.02
    scale = 2 * ALPHA * M0 / LAMBDA
    images = []
    for delay in (*DELAYS, 0.2, 0.35):
        t = delay + DURATION
        passing = (t >= arrival) & (t < arrival + DURATION)
        arterial = scale * volume_share * np.exp(-arrival / BLOOD_T1) * passing
        image = buxton(delay) + np.where(INSIDE, arterial, 0)
        images.append(DeltaMVolume(image.astype(np.float32), 0, geometry(), delay, DURATION, ()))
    scan = header(post_labeling_delay=(*DELAYS, 0.2, 0.35))
    flow = fits(fitted([m0(), *images], scan, arterial_arrival_time=arrival))[-1]
    good = INSIDE & (flow.fit.status == FitStatus.CONVERGED)
    # where the bolus has arrived by the first delays, blood in arteries looks like more flow
    assert good.sum() > 0.6 * INSIDE.sum()
    # the same model without noise; float32 images
    np.testing.assert_allclose(flow.fit.arterial_blood_volume[good], volume_share, rtol=0.01)
    np.testing.assert_allclose(flow.cbf[good], CBF[good], rtol=2e-3)
    assert fits(fitted([m0(), *images], scan))[-1].fit.arterial_blood_volume is None


def test_neighbours_can_be_held_together():
    noise, n = 6.0, 3
    items = [m0()] + [difference(delay, index, noise) for index in range(n) for delay in DELAYS]
    alone = fits(fitted(items))[-1]
    together = fits(fitted(items, transit_time_difference=0.1))[-1]

    def roughness(flow):
        return np.nansum(np.diff(np.where(INSIDE, flow.fit.arterial_transit_time, np.nan), axis=1) ** 2)

    assert roughness(together) < 0.5 * roughness(alone)


def test_a_prior_tells_where_the_data_do_not():
    noise, n = 6.0, 3
    items = [m0()] + [difference(delay, index, noise) for index in range(n) for delay in DELAYS]
    alone = fits(fitted(items))[-1]
    told = fits(fitted(items, transit_time_prior=1.2, transit_time_prior_sd=0.3))[-1]

    def n_converged(flow):
        return np.count_nonzero(flow.fit.status[INSIDE] == FitStatus.CONVERGED)

    assert n_converged(told) >= n_converged(alone)
    spread = np.nanstd(told.fit.arterial_transit_time[INSIDE])
    assert spread < np.nanstd(alone.fit.arterial_transit_time[INSIDE])
    with pytest.raises(ConfigurationError, match="transit_time_prior, transit_time_difference: expected one of them"):
        fitted(items, transit_time_prior=1.2, transit_time_difference=0.1)


def test_a_look_locker_train_loses_label_with_each_readout():
    times, angle = np.arange(0.3, 2.8, 0.3), np.deg2rad(25)
    labeling = Labeling(LabelingType.PASL, tuple(times), 0.8, 0.98, BLOOD_T1, LAMBDA)
    rate = tissue_decay_rate(CBF, TISSUE_T1, LAMBDA)
    att = np.where(INSIDE, 0.4 + 0.3 * (ATT - 0.6), 1.0)
    signal = look_locker_signal(tissue_signal(labeling, CBF, att, TISSUE_T1), times[:, None, None, None], rate, angle)
    images = [
        DeltaMVolume((M0 * one).astype(np.float32), 0, geometry(), float(time), 0.8, ())
        for one, time in zip(signal, times, strict=True)
    ]
    asl = {
        "labeling_type": LabelingType.PASL,
        "post_labeling_delay": tuple(map(float, times)),
        "labeling_duration": (0.8,),
        "labeling_efficiency": 0.98,
    }
    (flow,) = fits(fitted([m0(), *images], header(**asl, look_locker_flip_angle=angle)))
    # the same model without noise; float32 images
    np.testing.assert_allclose(flow.cbf[INSIDE], CBF[INSIDE], rtol=2e-3)
    np.testing.assert_allclose(flow.fit.arterial_transit_time[INSIDE], att[INSIDE], atol=2e-3)
    (plain,) = fits(fitted([m0(), *images], header(**asl)))
    assert np.median(plain.cbf[INSIDE] / CBF[INSIDE]) < 0.9


def test_an_m0_estimate_takes_the_mask_of_a_control():
    control = volume(np.where(INSIDE, 900.0, 0.0), VolumeType.CONTROL, 0)
    estimate = replace(m0(), image=np.full(SHAPE, M0, np.float32), n_volumes=0)
    items = [estimate, control, *(difference(delay) for delay in DELAYS)]
    (flow,) = fits(fitted(items, header(m0_type="Estimate", m0_estimate=M0)))
    np.testing.assert_array_equal(flow.mask, INSIDE)


def test_a_delay_that_never_came_is_an_error_at_the_end():
    results = fitted([m0(), *(difference(delay) for delay in DELAYS[:-1])])
    assert fits(results) == []
    (notice,) = of_type(results, Notice)
    assert notice.level == "error"
    assert "no complete pair at the delays 2.5 s" in notice.text
    assert "the maps are a look-up of the delays that came" in notice.text
    assert "look-up" not in of_type(fitted([m0(), difference(DELAYS[0])]), Notice)[-1].text


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"post_labeling_delay": (1.8,)}, "PostLabelingDelay: expected several delays for a fit, got 1"),
        ({"m0_type": "Absent"}, "M0Type is Absent: a fit of blood flow and transit time needs M0"),
        ({"bolus_cut_off_technique": "QUIPSS"}, "BolusCutOffTechnique is QUIPSS: expected QUIPSSII or Q2TIPS with sev"),
    ],
)
def test_what_cannot_be_fitted_is_refused(changes, message):
    with pytest.raises(ScanHeaderError, match=message):
        FitDelays(header(**changes), Settings())


def test_a_delay_that_was_not_declared_is_refused():
    with pytest.raises(ScanHeaderError, match=r"\(0.7, 1.8\) s are none of"):
        fitted([difference(0.7)])


def test_pairs_without_scatter_say_nothing_of_noise():
    # simulated without noise: as one pair, not a variance of zero for all voxels
    items = [m0(), *(difference(delay, index) for index in (0, 1) for delay in DELAYS)]
    flow = fits(fitted(items))[-1]
    np.testing.assert_allclose(flow.cbf[INSIDE], CBF[INSIDE], rtol=1e-3)
    assert (flow.fit.status[INSIDE] == FitStatus.CONVERGED).all()
    assert np.isnan(flow.standard_error[INSIDE]).all()


@pytest.mark.parametrize("scale", [1e-4, 1e4])
def test_scale_of_the_images_does_not_matter_to_the_status(scale):
    items = [m0(), *(difference(delay) for delay in DELAYS)]
    scaled = [replace(item, image=(scale * item.image).astype(np.float32)) for item in items]
    (flow,), (other,) = (fits(fitted(one)) for one in (items, scaled))
    np.testing.assert_array_equal(flow.fit.status, other.fit.status)
    np.testing.assert_allclose(other.cbf[INSIDE], CBF[INSIDE], rtol=1e-3)


def test_a_fit_without_flow_says_so():
    items = [m0(), *(difference(delay) for delay in DELAYS)]
    swapped = [item if isinstance(item, M0Volume) else replace(item, image=-item.image) for item in items]
    (notice,) = of_type(fitted(swapped), Notice)
    assert notice.level == "warning"
    assert "sound in 0 of 18 voxels (0.0%); no perfusion signal (blood flow 0) in 18" in notice.text
    assert "no blood flow in 100% of the head: if it was perfused, control and label are swapped" in notice.text
    # where all is sound there is nothing to say
    assert not of_type(fitted(items), Notice)


def test_late_voxels_are_counted_once_at_the_end():
    late = replace(header().asl, post_labeling_delay=DELAYS[:3])
    items = [m0(), *(difference(delay, index) for index in (0, 1) for delay in DELAYS[:3])]
    results = fitted(items, scan_header(asl=late))
    flow, (notice,) = of_type(results, CbfVolume)[-1], of_type(results, Notice)
    n_late = np.count_nonzero(flow.fit.status == FitStatus.LATE)
    assert 0 < n_late < INSIDE.sum()
    assert f"after the last delay or within an error of it in {n_late}" in notice.text
    # ATT is told all the same: without noise it is right
    is_late = flow.fit.status == FitStatus.LATE
    np.testing.assert_allclose(flow.fit.arterial_transit_time[is_late], ATT[is_late], atol=1e-3)


def test_a_wrong_scale_of_m0_is_not_clipped_at_healthy_flow():
    items = [m0(), *(difference(delay) for delay in DELAYS)]
    items[0] = replace(items[0], image=items[0].image / 8)
    flow = fits(fitted(items))[-1]
    assert (flow.cbf[INSIDE] > 6 * CBF[INSIDE]).all()
    assert (flow.cbf[INSIDE] > 300).any()


def test_before_all_delays_have_come_transit_times_are_looked_up():
    results = fitted([m0(), *(difference(delay) for delay in DELAYS)])
    flows = of_type(results, CbfVolume)
    assert [len(flow.fit.post_labeling_delays) for flow in flows] == [2, 3, 4, 5]
    assert flows[-1].fit.post_labeling_delays == DELAYS
    for flow in flows[:-1]:
        last = flow.fit.post_labeling_delays[-1]
        known = flow.fit.status == FitStatus.LOOKED_UP
        np.testing.assert_array_equal(known, INSIDE & (last - 1e-3 > ATT))
        # the table takes a flow of 60 for how fast label is lost
        np.testing.assert_allclose(flow.fit.arterial_transit_time[known], ATT[known], atol=0.03)
        np.testing.assert_allclose(flow.cbf[known], CBF[known], rtol=0.02)
        # nothing is told of label that may not have come yet
        assert np.isnan(flow.cbf[INSIDE & ~known]).all()
        assert (flow.cbf[~INSIDE] == 0).all()
        assert np.isnan(flow.standard_error[INSIDE]).all()
    assert known.sum() == INSIDE.sum()
    assert [flow.n_pairs for flow in flows] == [2, 3, 4, 5]


def test_a_scan_of_other_durations_has_no_look_up():
    durations = (1.0, 1.4, 1.8, 1.8, 1.8)
    items = [m0(), *(difference(*one) for one in zip(DELAYS, (0,) * 5, (0.0,) * 5, durations, strict=True))]
    flows = of_type(fitted(items, header(labeling_duration=durations)), CbfVolume)
    assert [flow.n_pairs for flow in flows] == [5]
