from dataclasses import replace

import numpy as np
import pytest
from epi_readouts import band_limited_images, volume_readouts
from scan_headers import scan_header
from stage_items import of_type, run

from perfline.gadgets.errors import ReadoutError
from perfline.gadgets.settings import Settings
from perfline.gadgets.stage_data import Counters, Dropped, KSpaceSlice, Notice, Purpose, Readout, VolumeKey
from perfline.gadgets.stages.accumulate import Accumulate
from perfline.recon.fourier import image_to_kspace

N_SLICES, N_COILS, N_Y, N_X = 2, 3, 6, 8
HEADER = scan_header(n_x=N_X, n_y=N_Y, n_slices=N_SLICES, n_coils=N_COILS)
IMAGES = band_limited_images((N_SLICES, N_COILS, N_Y, N_X))


def stage(**settings):
    return Accumulate(HEADER, Settings(**settings))


def readouts(repetition=0, **kwargs):
    return list(volume_readouts(IMAGES, VolumeKey(repetition), **kwargs))


def noise(seed=1, n_samples=4096, **fields):
    rng = np.random.default_rng(seed)
    white = (rng.standard_normal((N_COILS, n_samples, 2)) @ np.array([1, 1j])).astype(np.complex64)
    mixing = np.array([[2, 0, 0], [1, 1, 0], [0, 1j, 3]], np.complex64)
    return Readout(mixing @ white, Counters(), Purpose.NOISE, **fields)


def test_lines_are_transformed_along_the_readout_whatever_their_polarity():
    slices = of_type(run(stage(), readouts()), KSpaceSlice)
    assert [s.slice for s in slices] == [0, 1]
    for part in slices:
        expected = image_to_kspace(IMAGES[part.slice], axes=(-2,)).transpose(1, 0, 2)
        # the reversed train lacks one end sample, which is 0 in these images; float32
        np.testing.assert_allclose(part.lines, expected, atol=2e-4 * np.abs(expected).max())
        np.testing.assert_array_equal(part.line_numbers, np.arange(N_Y))
        np.testing.assert_array_equal(part.is_reversed, np.arange(N_Y) % 2 == 1)
        assert part.navigators.shape == (3, N_COILS, N_X)
        np.testing.assert_array_equal(part.navigator_is_reversed, [True, False, True])
        assert part.missing_lines == ()
        assert part.position == (0.0, 0.0, 6.0 * part.slice)


def test_a_slice_leaves_with_its_last_line_and_needs_no_flag():
    items = [replace(r, is_last_in_slice=False) for r in readouts()]
    accumulate = stage()
    counts = [len(of_type(run(accumulate, [item], finish=False), KSpaceSlice)) for item in items]
    assert [i for i, n in enumerate(counts) if n] == [3 + N_Y - 1, 2 * (3 + N_Y) - 1]


def test_noise_whitens_coils():
    accumulate = stage()
    items = readouts()
    results = run(accumulate, [noise(sample_time=1e-5), *(replace(r, sample_time=1e-5) for r in items)])
    assert not [n for n in of_type(results, Notice) if "whitening" in n.text]
    plain = of_type(run(stage(), items), KSpaceSlice)[0].lines
    whitened = of_type(results, KSpaceSlice)[0].lines
    # one matrix for all lines and pixels
    matrix, *_ = np.linalg.lstsq(
        plain.transpose(0, 2, 1).reshape(-1, N_COILS), whitened.transpose(0, 2, 1).reshape(-1, N_COILS)
    )
    covariance = noise(seed=9).samples @ noise(seed=9).samples.conj().T / 4096
    after = matrix.T @ covariance @ matrix.T.conj().T
    np.testing.assert_allclose(after / after[0, 0].real, np.eye(N_COILS), atol=0.1)  # 4096 noise samples


def test_no_noise_scan_is_said():
    assert any("no noise scan" in n.text for n in of_type(run(stage(), readouts()), Notice))


def test_an_impossible_noise_bandwidth_is_said():
    accumulate = Accumulate(replace(HEADER, relative_noise_bandwidth=62.5), Settings())
    items = [noise(sample_time=1e-5), *(replace(r, sample_time=1e-5) for r in readouts())]
    assert any(
        "relativeReceiverNoiseBandwidth: expected at most 1, got 62.5" in n.text
        for n in of_type(run(accumulate, items), Notice)
    )


def test_noise_of_unknown_sample_time_is_said():
    results = run(stage(), [noise(), *readouts()])
    assert any("sample_time_us" in n.text for n in of_type(results, Notice))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"samples": np.zeros((2, N_X), np.complex64)}, "active_channels: expected 3 as before, got 2"),
        ({"samples": np.zeros((3, N_X + 1), np.complex64)}, "number_of_samples: expected 8 as before, got 9"),
        ({"samples": np.full((3, N_X), np.nan, np.complex64)}, "samples: expected finite values, got 24"),
        ({"counters": Counters(line=N_Y)}, "kspace_encode_step_1: expected 0 to 5 .*, got 6"),
        ({"counters": Counters(slice=N_SLICES)}, "idx.slice: expected 0 to 1 .*, got 2"),
        ({"counters": Counters(line=1)}, "slice 0: line 1 came twice"),
    ],
)
def test_a_bad_readout_is_refused_by_name(change, message):
    accumulate = stage()
    items = readouts()
    run(accumulate, items[:5], finish=False)
    with pytest.raises(ReadoutError, match=message):
        run(accumulate, [replace(items[5], **change)], finish=False)
    # and the slice can still be completed
    assert len(of_type(run(accumulate, items[5:], finish=False), KSpaceSlice)) == N_SLICES


@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan, 1j * np.inf])
def test_a_single_bad_sample_is_found(value):
    item = readouts()[4]
    item.samples[1, 2] = value
    with pytest.raises(ReadoutError, match="samples: expected finite values, got 1 that are NaN or infinite"):
        run(stage(), [item])


def test_samples_are_used_as_large_as_their_squares_allow():
    items = [replace(r, samples=1e12 * r.samples) for r in readouts()]
    large, plain = (of_type(run(stage(), each), KSpaceSlice) for each in (items, readouts()))
    assert len(large) == N_SLICES
    # float32
    np.testing.assert_allclose(large[1].lines / 1e12, plain[1].lines, rtol=1e-5, atol=1e-6)
    # beyond, ghost and coils would overflow float32, and end the scan with their readout
    with pytest.raises(ReadoutError, match="samples: expected an energy below"):
        run(stage(), [replace(r, samples=1e25 * r.samples) for r in readouts()])


def test_lines_are_kept_as_they_came():
    items = readouts()
    (part, _) = of_type(run(stage(), items), KSpaceSlice)
    np.testing.assert_array_equal(part.raw, [r.samples for r in items[3 : 3 + N_Y]])
    assert part.raw.flags.c_contiguous


def test_the_polarities_may_discard_samples_at_either_end():
    items = [replace(r, discard_pre=0 if r.is_reversed else 1, discard_post=int(r.is_reversed)) for r in readouts()]
    mixed = of_type(run(stage(), items), KSpaceSlice)[1]
    for is_reversed, discarded in ((False, {"discard_pre": 1}), (True, {"discard_post": 1})):
        alike = of_type(run(stage(), [replace(r, **discarded) for r in readouts()]), KSpaceSlice)[1]
        chosen = mixed.is_reversed == is_reversed
        np.testing.assert_array_equal(mixed.lines[chosen], alike.lines[chosen])
        assert np.abs(mixed.lines[~chosen] - alike.lines[~chosen]).max() > 0


def test_lines_of_one_polarity_that_discard_other_samples_are_refused():
    accumulate = stage()
    items = readouts()
    run(accumulate, items[:5], finish=False)
    with pytest.raises(ReadoutError, match=r"discard_pre, discard_post: expected 0, 0 as in the slice's .*, got 1, 0"):
        run(accumulate, [replace(items[5], discard_pre=1)], finish=False)


def test_a_first_line_of_odd_size_does_not_stay_in_its_slice():
    items = readouts(n_navigators=0)
    odd = replace(items[0], samples=np.zeros((N_COILS, N_X - 1), np.complex64))
    accumulate = stage()
    run(accumulate, [odd], finish=False)
    with pytest.raises(ReadoutError, match="number_of_samples: expected 7 as before, got 8"):
        run(accumulate, [items[1]], finish=False)
    results = run(accumulate, [*items[2:], *readouts(1)])
    (drop,) = of_type(results, Dropped)
    assert drop.reason == "readouts missing: slice 0 lacks lines 0, 1"
    assert [part.key.repetition for part in of_type(results, KSpaceSlice)] == [0, 1, 1]


def test_a_readout_of_a_slice_that_has_ended_is_refused():
    accumulate = stage()
    items = readouts()
    run(accumulate, items[: 3 + N_Y], finish=False)
    with pytest.raises(ReadoutError, match="slice 0: readout after its slice had ended"):
        run(accumulate, [items[4]], finish=False)
    run(accumulate, items[3 + N_Y :], finish=False)
    with pytest.raises(ReadoutError, match="repetition 0: readout after its volume had ended"):
        run(accumulate, [items[4]], finish=False)


def test_a_volume_with_missing_lines_is_dropped_with_what_is_missing():
    first, second = readouts(0), readouts(1)
    del first[5], first[-3:]
    results = run(stage(), first + second)
    (drop,) = of_type(results, Dropped)
    assert drop.key == VolumeKey(0)
    assert drop.reason == "readouts missing: slice 0 lacks line 2; slice 1 lacks lines 3, 4, 5"
    assert [s.key.repetition for s in of_type(results, KSpaceSlice)] == [1, 1]


def test_an_incomplete_last_volume_is_reported_at_the_end():
    results = run(stage(), readouts()[: 3 + N_Y])
    (drop,) = of_type(results, Dropped)
    assert drop.reason == "readouts missing: slice 1 has no lines"


def test_zero_fill_keeps_a_volume_with_missing_lines():
    first = readouts(0)
    del first[5]
    results = run(stage(incomplete_volumes="zero_fill"), first + readouts(1))
    assert of_type(results, Dropped) == []
    assert [(s.key.repetition, s.slice, s.missing_lines) for s in of_type(results, KSpaceSlice)] == [
        (0, 0, (2,)),
        (0, 1, ()),
        (1, 0, ()),
        (1, 1, ()),
    ]
    assert any("slice 0: line 2 missing, filled with zeros" in n.text for n in of_type(results, Notice))


def test_zero_fill_can_not_invent_a_slice():
    results = run(stage(incomplete_volumes="zero_fill"), readouts(0)[: 3 + N_Y])
    assert "slice 1 has no lines" in of_type(results, Dropped)[0].reason


def test_siemens_navigators_with_polarity_in_segment_and_average_belong_to_their_volume():
    items = []
    for readout in readouts():
        if readout.purpose is Purpose.NAVIGATOR:
            at = replace(readout.counters, segment=int(readout.is_reversed), average=len(items) % 2)
            readout = replace(readout, counters=at)
        items.append(readout)
    results = run(stage(), items)
    assert of_type(results, Dropped) == []
    assert [s.navigators.shape[0] for s in of_type(results, KSpaceSlice)] == [3, 3]


def test_navigators_before_each_shot_are_told_apart():
    lines = [r for r in readouts(n_navigators=0) if r.counters.slice == 0]
    navigators = [r for r in readouts() if r.purpose is Purpose.NAVIGATOR and r.counters.slice == 0]
    part = of_type(run(stage(), [*navigators, *lines[0::2], *navigators, *lines[1::2]]), KSpaceSlice)[0]
    np.testing.assert_array_equal(part.line_numbers, [0, 2, 4, 1, 3, 5])
    np.testing.assert_array_equal(part.shots, [0, 0, 0, 1, 1, 1])
    np.testing.assert_array_equal(part.navigator_shots, [0, 0, 0, 1, 1, 1])


def test_other_readouts_are_ignored_and_counted():
    dummy = Readout(np.zeros((1, 3), np.complex64), Counters(), Purpose.OTHER)
    results = run(stage(), [dummy, dummy, *readouts()])
    assert any(n.text.startswith("2 readouts were neither") for n in of_type(results, Notice))


def test_two_echoes_may_be_open_at_once():
    echoes = [list(volume_readouts(IMAGES, VolumeKey(0, contrast=c))) for c in (0, 1)]
    results = run(stage(), [r for both in zip(*echoes, strict=True) for r in both])
    assert of_type(results, Dropped) == []
    assert len(of_type(results, KSpaceSlice)) == 2 * N_SLICES
