import re
from dataclasses import replace

import numpy as np
import pytest
from spiral_scans import GaussianScan, feed
from stage_items import of_type

from perfline.gadgets.errors import ConfigurationError, ReadoutError, ScanHeaderError
from perfline.gadgets.settings import Settings
from perfline.gadgets.stage_data import Counters, Dropped, Limits, Notice, Purpose, Readout, VolumeKey
from perfline.gadgets.stages.accumulate_spiral import AccumulateSpiral
from perfline.gadgets.stages.coil_images import CoilImages, SpiralLayout
from perfline.recon.errors import ConditioningError, InputError

SCAN = GaussianScan(n_slices=2)
STACK = GaussianScan(n_slices=9, n_partitions=12)
WAY = np.linspace(-0.4, 0.4, SCAN.n_samples, dtype=np.float32)[:, None]


def stage(scan=SCAN, **settings):
    return AccumulateSpiral(scan.header, Settings(**settings))


def images_of(results):
    return [(item.key, item.slice) for item in of_type(results, CoilImages)]


def relative(one, other):
    return np.linalg.norm(one - other) / np.linalg.norm(other)


def test_a_slice_leaves_with_its_last_interleaf():
    accumulate = stage()
    counts = [len(of_type(feed([accumulate], [item], finish=False), CoilImages)) for item in SCAN.volume(VolumeKey(0))]
    assert counts == [0, 0, 1, 1]


def test_coil_images_are_in_place_and_to_scale():
    for item in of_type(feed([stage()], SCAN.volume(VolumeKey(0))), CoilImages):
        assert item.layout is SpiralLayout.SLICES
        assert item.is_complete
        # what the density weights leave of the point-spread function on a small matrix
        assert relative(item.images, SCAN.coil_images()[item.slice]) < 0.015


def test_interleaves_may_come_in_any_order():
    readouts = list(SCAN.volume(VolumeKey(0)))
    accumulate = stage()
    one = of_type(feed([accumulate], readouts, finish=False), CoilImages)
    # now the plan is there, and the other slice comes first
    again = [replace(r, counters=replace(r.counters, repetition=1)) for r in reversed(readouts)]
    other = of_type(feed([accumulate], again, finish=False), CoilImages)
    assert [item.slice for item in other] == [1, 0]
    for first, second in zip(one, reversed(other), strict=True):
        # the same sums in another order, float32
        assert relative(second.images, first.images) < 1e-6


def test_control_and_label_are_kept_apart():
    control, label = (list(SCAN.volume(VolumeKey(0, state), scale=1 + state)) for state in (0, 1))
    # interleaf by interleaf, as a segmented scan takes them
    mixed = [item for shot in (0, 1) for part in (control, label) for item in part[2 * shot : 2 * shot + 2]]
    results = feed([stage()], mixed)
    assert of_type(results, Dropped) == []
    assert images_of(results) == [
        (VolumeKey(0, 0), 0),
        (VolumeKey(0, 0), 1),
        (VolumeKey(0, 1), 0),
        (VolumeKey(0, 1), 1),
    ]
    by_state = of_type(results, CoilImages)
    assert relative(by_state[2].images, 2 * by_state[0].images) < 1e-6


def test_samples_to_discard_are_not_used():
    n_pre, n_post = 3, 5
    readouts = []
    for readout in SCAN.volume(VolumeKey(0)):
        n_coils = readout.samples.shape[0]
        bad = [np.full((n_coils, n), 1e6, np.complex64) for n in (n_pre, n_post)]
        nowhere = [np.full((n, 2), 0.1, np.float32) for n in (n_pre, n_post)]
        readouts.append(
            replace(
                readout,
                samples=np.concatenate([bad[0], readout.samples, bad[1]], axis=1),
                trajectory=np.concatenate([nowhere[0], readout.trajectory, nowhere[1]]),
                discard_pre=n_pre,
                discard_post=n_post,
            )
        )
    plain = of_type(feed([stage()], SCAN.volume(VolumeKey(0))), CoilImages)
    cut = of_type(feed([stage()], readouts), CoilImages)
    np.testing.assert_array_equal(cut[1].images, plain[1].images)


def test_noise_whitens_coils():
    noise = np.random.default_rng(3).standard_normal((SCAN.n_coils, 4096, 2)) @ np.array([1, 1j])
    noise[1] *= 5
    item = Readout(noise.astype(np.complex64), Counters(), Purpose.NOISE, sample_time=SCAN.sample_time)
    results = feed([stage()], [item, *SCAN.volume(VolumeKey(0))])
    assert not any("whitening" in n.text for n in of_type(results, Notice))
    plain, whitened = (of_type(r, CoilImages)[0].images for r in (feed([stage()], SCAN.volume(VolumeKey(0))), results))
    # one matrix for all pixels
    matrix, *_ = np.linalg.lstsq(plain.reshape(SCAN.n_coils, -1).T, whitened.reshape(SCAN.n_coils, -1).T)
    after = matrix.T @ (noise @ noise.conj().T) @ matrix.conj()
    # the same noise samples: rounding alone
    np.testing.assert_allclose(after / after[0, 0].real, np.eye(SCAN.n_coils), atol=1e-3)


def test_a_stack_leaves_with_its_last_readout():
    accumulate = stage(STACK)
    *most, last = STACK.volume(VolumeKey(0))
    assert of_type(feed([accumulate], most, finish=False), CoilImages) == []
    (item,) = of_type(feed([accumulate], [last], finish=False), CoilImages)
    assert item.layout is SpiralLayout.STACK
    assert item.images.shape == (12, SCAN.n_coils, SCAN.n_y, SCAN.n_x)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"samples": np.zeros((2, SCAN.n_samples), np.complex64)}, "active_channels: expected 4 as before, got 2"),
        ({"samples": np.zeros((4, 9), np.complex64)}, "number_of_samples: expected 560 as before, got 9"),
        ({"samples": np.full((4, SCAN.n_samples), np.nan, np.complex64)}, "samples: expected finite values, got 2240"),
        ({"counters": Counters(line=2)}, r"idx.kspace_encode_step_1: expected 0 to 1 \(encodingLimits\), got 2"),
        ({"counters": Counters(slice=5)}, r"idx.slice: expected 0 to 1 \(encodingLimits\), got 5"),
        ({"counters": Counters(partition=1)}, r"idx.kspace_encode_step_2: expected 0 to 0 \(encodingLimits\), got 1"),
        ({"counters": Counters()}, "repetition 0: slice 0: interleaf 0 came twice"),
        ({"trajectory": np.concatenate([WAY, WAY + 0.3], axis=1)}, "declared normalized, expected -0.5 ... 0.5"),
        ({"trajectory": np.full((SCAN.n_samples, 2), np.nan, np.float32)}, "trajectory: expected finite values"),
        ({"trajectory": WAY}, "trajectory_dimensions: expected 2 or 3, got 1"),
        (
            {"trajectory": np.concatenate([WAY, WAY], axis=1)[:9]},
            "trajectory: expected 560 samples as in the data, got 9",
        ),
        ({"trajectory": None}, "trajectory: expected one in the readout as in those before, got none"),
        (
            {"trajectory": np.full_like(WAY, 0.1)},
            "trajectory: expected a way through k-space, got one place for all 560",
        ),
        ({"discard_pre": 7}, "slice 0: discard_pre, discard_post: expected 560 samples .* got 553"),
    ],
)
def test_a_bad_readout_is_refused_by_name(change, message):
    accumulate = stage()
    items = list(SCAN.volume(VolumeKey(0)))
    feed([accumulate], items[:2], finish=False)
    with pytest.raises(ReadoutError, match=message):
        feed([accumulate], [replace(items[2], **change)], finish=False)
    # and the slice can still be completed
    assert len(images_of(feed([accumulate], items[2:], finish=False))) == 2


def test_an_interleaf_of_another_set_is_refused():
    accumulate = stage()
    items = list(SCAN.volume(VolumeKey(0)))
    feed([accumulate], items, finish=False)
    items = [replace(r, counters=replace(r.counters, repetition=1)) for r in items]
    feed([accumulate], items[:2], finish=False)
    turned = replace(items[2], trajectory=np.ascontiguousarray(-items[2].trajectory))
    with pytest.raises(ReadoutError, match="slice 0: the trajectory of interleaf 1 is none of the set"):
        feed([accumulate], [turned], finish=False)
    assert len(images_of(feed([accumulate], items[2:], finish=False))) == 2


def test_a_readout_of_a_volume_that_has_ended_is_refused():
    accumulate = stage()
    items = list(SCAN.volume(VolumeKey(0)))
    feed([accumulate], items, finish=False)
    with pytest.raises(ReadoutError, match="repetition 0: readout after its volume had ended"):
        feed([accumulate], items[:1])


def test_a_volume_with_missing_interleaves_is_dropped_with_what_is_missing():
    first, *others = (list(SCAN.volume(VolumeKey(number))) for number in range(4))
    del first[3], first[1]
    accumulate = stage()
    results = feed([accumulate], [*first, *others[0]], finish=False)
    # two may be open: control and label of a segmented scan
    assert of_type(results, Dropped) == []
    results += feed([accumulate], [*others[1], *others[2]])
    (drop,) = of_type(results, Dropped)
    assert drop.key == VolumeKey(0)
    assert drop.reason == "readouts missing: slice 1 has no readouts"


def test_missing_interleaves_are_named():
    items = list(GaussianScan(n_slices=2, n_shots=6).volume(VolumeKey(0)))
    (drop,) = of_type(feed([stage(GaussianScan(n_slices=2, n_shots=6))], items[:2] + items[4:5]), Dropped)
    assert drop.reason == (
        "readouts missing: slice 0 lacks interleaves 1, 3, 4, 5; slice 1 lacks interleaves 1, 2, 3, 4 and 1 more"
    )


def test_of_a_single_shot_scan_only_one_volume_is_open():
    scan = GaussianScan(n_slices=2, n_shots=1, n_samples=1100)
    first, second = (list(scan.volume(VolumeKey(number))) for number in (0, 1))
    results = feed([stage(scan)], [first[0], second[0]], finish=False)
    (drop,) = of_type(results, Dropped)
    assert (drop.key, drop.reason) == (VolumeKey(0), "readouts missing: slice 1 has no readouts")


@pytest.mark.parametrize(("states", "delays", "n_open"), [(2, 1, 2), (1, 1, 2), (2, 3, 6), (3, 1, 3)])
def test_the_number_of_open_volumes_is_bounded(states, delays, n_open):
    limits = {**SCAN.header.limits, "set": Limits(0, states - 1), "phase": Limits(0, delays - 1)}
    accumulate = AccumulateSpiral(replace(SCAN.header, limits=limits), Settings())
    begun = [item for number in range(n_open + 2) for item in list(SCAN.volume(VolumeKey(number)))[:2]]
    drops = of_type(feed([accumulate], begun, finish=False), Dropped)
    # the oldest first
    assert [drop.key.repetition for drop in drops] == [0, 1]


def test_one_readout_of_wrong_counters_ends_nothing():
    items = list(SCAN.volume(VolumeKey(0)))
    astray = [replace(items[0], counters=replace(items[0].counters, repetition=number)) for number in (7, 8)]
    results = feed([stage()], [*items[:2], *astray, *items[2:]])
    assert [item.order for item in of_type(results, CoilImages)] == [0, 0]
    assert [drop.key.repetition for drop in of_type(results, Dropped)] == [7, 8]


def test_zero_fill_uses_what_is_there_with_weights_of_its_own():
    scan = GaussianScan(n_slices=2, n_shots=8, n_samples=300)
    items = [item for item in scan.volume(VolumeKey(0)) if (item.counters.line, item.counters.slice) != (3, 1)]
    results = feed([stage(scan, incomplete_volumes="zero_fill")], items)
    assert of_type(results, Dropped) == []
    assert any("slice 1 lacks interleaf 3; used with what is there" in n.text for n in of_type(results, Notice))
    whole, part = of_type(results, CoilImages)
    assert (whole.is_complete, part.is_complete) == (True, False)
    assert part.planned.weights.shape[0] == 7
    # one interleaf in eight is missing: the rest takes over some of its area, and what folds in is small
    assert 0.02 < relative(part.images, scan.coil_images()[1]) < 0.25


def test_zero_fill_can_not_invent_a_slice():
    results = feed([stage(incomplete_volumes="zero_fill")], list(SCAN.volume(VolumeKey(0)))[:1])
    assert "slice 1 has no readouts" in of_type(results, Dropped)[0].reason


def test_zero_fill_of_a_stack_leaves_a_partition_empty():
    items = [item for item in STACK.volume(VolumeKey(0)) if item.counters.partition != 2]
    (item,) = of_type(feed([stage(STACK, incomplete_volumes="zero_fill")], items), CoilImages)
    assert not item.images[2].any()
    assert item.images[3].any()


def test_a_changed_trajectory_is_planned_once_and_said():
    accumulate = stage()
    turned = np.ascontiguousarray(SCAN.trajectory[..., ::-1] * np.array([SCAN.n_y / SCAN.n_x, SCAN.n_x / SCAN.n_y]))
    results = feed([accumulate], SCAN.volume(VolumeKey(0)), finish=False)
    assert not any("trajectory" in n.text for n in of_type(results, Notice))
    for repetition in (1, 2):
        results = feed([accumulate], SCAN.volume(VolumeKey(repetition), trajectory=turned), finish=False)
        assert any("the trajectory of an interleaf changes" in n.text for n in of_type(results, Notice))
        for item in of_type(results, CoilImages):
            assert relative(item.images, SCAN.coil_images()[item.slice]) < 0.015
    planned = {id(item.planned) for item in of_type(results, CoilImages)}
    results = feed([accumulate], SCAN.volume(VolumeKey(3)), finish=False)
    assert planned.isdisjoint(id(item.planned) for item in of_type(results, CoilImages))


def test_a_foreign_readout_of_one_sample_is_ignored_and_counted():
    foreign = Readout(np.zeros((1, 1), np.complex64), Counters(), Purpose.OTHER)
    results = feed([stage()], [foreign, *SCAN.volume(VolumeKey(0)), foreign])
    assert len(images_of(results)) == 2
    assert any(n.text.startswith("2 readouts were neither imaging nor noise") for n in of_type(results, Notice))


def foreign(n_samples, place, **fields):
    """A readout without a flag that does not move."""
    samples = np.ones((SCAN.n_coils, n_samples), np.complex64)
    trajectory = None if place is None else np.full((n_samples, 2), place, np.float32)
    return Readout(samples, Counters(), Purpose.IMAGING, sample_time=5e-6, trajectory=trajectory, **fields)


@pytest.mark.parametrize("at", [0, 1, 2, 5, -1])
@pytest.mark.parametrize(
    "odd",
    [foreign(1, 0.0), foreign(1, 0.3), foreign(1, None), foreign(40, 0.0), foreign(9, 0.2, discard_pre=8)],
    ids=["one sample", "elsewhere", "no trajectory", "does not move", "one is kept"],
)
def test_a_foreign_readout_without_a_flag_spoils_nothing_wherever_it_comes(odd, at):
    # with a noise scan: 0 is before it, 1 before the first readout of the image
    noise = np.random.default_rng(3).standard_normal((SCAN.n_coils, 4096, 2)) @ np.array([1, 1j])
    first = Readout(noise.astype(np.complex64), Counters(), Purpose.NOISE, sample_time=SCAN.sample_time)
    items = [first, *SCAN.volume(VolumeKey(0)), *SCAN.volume(VolumeKey(0, 1))]
    accumulate, plain = stage(), feed([stage()], items)
    before, after = (items, []) if at < 0 else (items[:at], items[at:])
    results = feed([accumulate], before, finish=False)
    with pytest.raises(ReadoutError, match="expected a way through k-space, got one"):
        feed([accumulate], [odd], finish=False)
    results += feed([accumulate], after)
    assert of_type(results, Notice) == of_type(plain, Notice)
    for one, other in zip(of_type(results, CoilImages), of_type(plain, CoilImages), strict=True):
        assert (one.key, one.slice, one.order) == (other.key, other.slice, other.order)
        np.testing.assert_array_equal(one.images, other.images)


def coverage_notices(trajectory, scan=SCAN):
    results = feed([stage(scan)], [r for n in (0, 1) for r in scan.volume(VolumeKey(n), trajectory=trajectory)])
    return [n for n in of_type(results, Notice) if n.text.startswith("coverage of k-space")]


def test_gaps_between_the_interleaves_are_said_once():
    scan = GaussianScan(n_slices=2, n_shots=4, n_samples=400)
    even = scan.trajectory
    assert coverage_notices(even, scan) == []
    (notice,) = coverage_notices(even[[0, 1, 2, 0]], scan)
    assert notice.level == "warning"
    # turns 0.8 apart, one of four missing
    assert re.search(
        r"interleaves 0, 3 have the same trajectory; 4 interleaves leave gaps of up to 1\.[67]", notice.text
    )
    assert re.search(r"more than (5|6)\d% of the field of view is aliased", notice.text)


def test_gaps_of_an_accelerated_or_incomplete_set_are_meant_or_named_already():
    scan = GaussianScan(n_slices=2, n_shots=4, n_samples=400)
    items = list(scan.volume(VolumeKey(0), shots=(0, 1, 2)))
    results = feed([stage(scan, incomplete_volumes="zero_fill")], items)
    assert len(images_of(results)) == 2
    fast = replace(scan, acceleration=2)
    calibration = list(fast.volume(VolumeKey(0), purpose=Purpose.CALIBRATION))
    results += feed([stage(fast)], [*calibration, *fast.volume(VolumeKey(0), shots=(0, 2))])
    assert not any(n.text.startswith("coverage") for n in of_type(results, Notice))


def test_a_trajectory_without_the_centre_is_refused():
    k = SCAN.trajectory
    radius = np.maximum(np.linalg.norm(k, axis=-1, keepdims=True), 1e-3)
    with pytest.raises(InputError, match=r"centre of k-space not covered: expected a sample within 0.5, got 2"):
        feed([stage()], SCAN.volume(VolumeKey(0), trajectory=np.where(radius < 2, [0, 2.0], k)))


def test_singular_density_is_refused():
    with pytest.raises(ConditioningError, match=r"weights: expected at least 0.01 of k-space"):
        feed([stage()], SCAN.volume(VolumeKey(0), trajectory=1e-3 * SCAN.trajectory))


def test_an_accelerated_scan_needs_calibration_before_its_images():
    scan = GaussianScan(n_slices=2, n_shots=4, acceleration=2)
    calibration = list(scan.volume(VolumeKey(0), purpose=Purpose.CALIBRATION))
    imaging = list(scan.volume(VolumeKey(0), shots=(1, 3)))
    with pytest.raises(ScanHeaderError, match=r"accelerationFactor is 2: .* PARALLEL_CALIBRATION \(20\).* none came"):
        feed([stage(scan)], imaging)
    with pytest.raises(ScanHeaderError, match="before the first image; missing: slice 1 lacks interleaf 3"):
        feed([stage(scan)], calibration[:-1] + imaging)
    results = of_type(feed([stage(scan)], calibration + imaging), CoilImages)
    assert [(item.is_calibration, item.slice) for item in results] == [(True, 0), (True, 1), (False, 0), (False, 1)]
    assert [item.planned.shots for item in results[1:3]] == [((0, 0), (1, 0), (2, 0), (3, 0)), ((1, 0), (3, 0))]
    # without acceleration calibration has no use
    plain = feed([stage(replace(scan, acceleration=1))], calibration)
    assert images_of(plain) == []
    assert any(n.text.startswith("8 readouts were neither") for n in of_type(plain, Notice))


def test_an_interleaf_of_the_other_offset_is_refused():
    scan = GaussianScan(n_slices=2, n_shots=4, acceleration=2)
    accumulate = stage(scan)
    feed([accumulate], scan.volume(VolumeKey(0), purpose=Purpose.CALIBRATION), finish=False)
    feed([accumulate], [scan.readout(VolumeKey(0), 0, 1)], finish=False)
    with pytest.raises(ReadoutError, match="interleaf 2 is none of the set that began with interleaf 1"):
        feed([accumulate], [scan.readout(VolumeKey(0), 0, 2)], finish=False)


def test_a_shift_that_would_do_nothing_is_refused():
    with pytest.raises(ScanHeaderError, match="phase_shift_mm: expected 0 for a trajectory of spiral"):
        stage(phase_shift_mm=3.0)


def test_a_field_map_that_is_demanded_must_be_given():
    with pytest.raises(ConfigurationError, match=r"expected a file with the map \(--field-map\), got none"):
        feed([stage(off_resonance="field_map")], SCAN.volume(VolumeKey(0)))


def test_two_echoes_must_be_announced():
    with pytest.raises(ScanHeaderError, match=r"dual_echo: expected two echoes in encodingLimits.contrast, got 1"):
        stage(off_resonance="dual_echo")
    header = replace(SCAN.header, limits={**SCAN.header.limits, "contrast": Limits(0, 1)}, echo_times=(0.014,))
    with pytest.raises(ScanHeaderError, match=r"two ascending echo times in sequenceParameters.TE, got 14"):
        AccumulateSpiral(header, Settings(off_resonance="dual_echo"))


def test_other_items_pass():
    notice = Notice("info", "x")
    assert feed([stage()], [notice]) == [notice]
