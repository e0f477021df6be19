from dataclasses import replace

import numpy as np
import pytest
from scan_headers import ASL, scan_header
from stage_items import SHAPE, geometry, of_type, run, volume

from perfline.gadgets.settings import Settings
from perfline.gadgets.stage_data import DeltaMVolume, Dropped, Notice, PerfusionAverage, VolumeKey
from perfline.gadgets.stages.average import Average
from perfline.gadgets.stages.average_selected import AverageSelected
from perfline.recon.asl.robust_mean import robust_mean
from perfline.recon.parameters import VolumeType

SELECTIVE = Settings(pair_rejection="outliers", rejection_limit=12.0)
"""What a handful of pairs scatters by chance stays far below."""
ENCODED = replace(ASL, encoding_matrix=((1, 1, 1), (1, -1, 1), (1, 1, -1), (1, -1, -1)))


def images(n, *, spoiled=(), seed=3):
    found = (5 + np.random.default_rng(seed).standard_normal((n, *SHAPE))).astype(np.float32)
    for place in spoiled:
        found[place] += 10
    return found


def pairs(stack, *, delay=1.8, artery=None, first=0):
    return [
        DeltaMVolume(image, first + number, geometry(), delay, 1.8, (VolumeKey(first + number),), artery)
        for number, image in enumerate(stack)
    ]


def averages(stage, items):
    return of_type(run(stage, items), PerfusionAverage)


def selected(items, settings=SELECTIVE, asl=ASL):
    return averages(AverageSelected(scan_header(asl=asl), settings), items)


def test_without_outliers_the_bits_are_those_of_the_plain_average():
    items = pairs(images(8))
    for one, other in zip(averages(Average(), items), selected(items), strict=True):
        for name in ("mean", "variance", "tsnr"):
            assert getattr(one, name).tobytes() == getattr(other, name).tobytes()
        assert (one.n_pairs, one.source) == (other.n_pairs, other.source)


def test_an_outlier_leaves_and_the_rest_is_averaged():
    stack = images(9, spoiled=[2])
    found = selected(pairs(stack))
    # four pairs are too few to judge
    assert [len(one.rejected) for one in found] == [0, 0, 0, 0, 1, 1, 1, 1, 1]
    last = found[-1]
    assert (last.n_pairs, last.n_rejected) == (8, 1)
    assert last.rejected[0][0] == 2
    assert "deviations away from the median" in last.rejected[0][1]
    rest = np.delete(stack, 2, axis=0).astype(np.float64)
    np.testing.assert_allclose(last.mean, rest.mean(0), rtol=1e-6)  # float32 of the result
    np.testing.assert_allclose(last.variance, rest.var(0, ddof=1), rtol=1e-5)


def test_a_pair_comes_back_when_later_ones_are_like_it():
    # a distance that is large beside the scatter of the first five, and not beside that of the later ones
    levels = [5.0, 5.01, 4.99, 5.02, 4.98, 5.3, 6.0, 4.0, 5.6, 4.4, 5.9, 4.2]
    stack = np.array(levels, np.float32).reshape(-1, 1, 1, 1) * np.ones(SHAPE, np.float32)
    found = selected(pairs(stack))
    assert [pair for pair, _ in found[5].rejected] == [5]
    assert found[-1].rejected == ()
    assert found[-1].n_pairs == 12
    np.testing.assert_allclose(found[-1].mean, np.mean(levels), rtol=1e-6)


def test_lost_pairs_are_counted_with_those_left_out():
    found = selected([*pairs(images(6, spoiled=[1])), Dropped("pair", "why"), *pairs(images(1, seed=9), first=6)])
    assert found[-2].n_rejected == 1
    assert found[-1].n_rejected == 2
    assert len(found[-1].rejected) == 1


def test_delays_are_judged_apart():
    # the signal of the two delays differs by far more than their noise
    items = [
        one
        for two in zip(pairs(images(7)), pairs(images(7, spoiled=[4]) * 3, delay=2.5, first=100), strict=True)
        for one in two
    ]
    found = selected(items)
    assert [pair for pair, _ in found[-1].rejected] == [104]
    assert {one.n_pairs for one in found[-2:]} == {7, 6}


def test_a_block_leaves_as_a_whole():
    components = [images(7, seed=1), images(7, seed=2, spoiled=[3])]
    items = [
        one
        for block in zip(*(pairs(stack, artery=number + 1) for number, stack in enumerate(components)), strict=True)
        for one in block
    ]
    found = selected(items, asl=ENCODED)
    assert [one.artery for one in found] == [1, 2] * 7
    # both of a block come together, and know the same
    assert [one.n_pairs for one in found[-2:]] == [6, 6]
    assert found[-1].rejected == found[-2].rejected
    assert found[-1].source == found[-2].source
    np.testing.assert_allclose(found[-2].mean, np.delete(components[0], 3, axis=0).mean(0), rtol=1e-6)


def test_robust_mean_keeps_all_pairs():
    stack = images(9, spoiled=[2])
    found = selected(pairs(stack), Settings(pair_mean="robust"))
    assert found[-1].n_pairs == 9
    mean, variance = robust_mean(stack)
    np.testing.assert_array_equal(found[-1].mean, mean)
    # of a single pair: over n it is that of the mean
    np.testing.assert_allclose(found[-1].variance / 9, variance, rtol=1e-6)
    np.testing.assert_allclose(found[-1].tsnr, mean / np.sqrt(9 * variance), rtol=1e-5)
    np.testing.assert_allclose(found[1].mean, stack[:2].mean(0), rtol=1e-6)


def test_the_mask_is_that_of_the_first_labelled_volume():
    m0 = np.full(SHAPE, 0.1)
    m0[1, 1:4, 1:3] = 1000
    stack = images(6)
    stack[2][m0 < 1] += 50  # outside of the head
    stack[4][m0 > 1] += 50
    found = selected([volume(m0, VolumeType.M0SCAN, None), *pairs(stack)])
    assert [pair for pair, _ in found[-1].rejected] == [4]


def test_displaced_volumes_take_their_pair_with_them():
    rng = np.random.default_rng(5)
    organ = rng.uniform(100, 200, SHAPE)
    items, stack = [volume(organ, VolumeType.M0SCAN, None)], images(6)
    for number, one in enumerate(pairs(stack)):
        both = []
        for kind in (VolumeType.CONTROL, VolumeType.LABEL):
            is_displaced = number == 3 and kind is VolumeType.LABEL
            image = np.roll(organ, 1, axis=1) if is_displaced else organ + rng.standard_normal(SHAPE)
            both.append(volume(image, kind, number, number))
        items += [*both, replace(one, source=tuple(half.key for half in both))]
    found = selected(items, Settings(least_likeness=0.95))
    assert [pair for pair, _ in found[-1].rejected] == [3]
    assert "its volumes are like the others by" in found[-1].rejected[0][1]
    assert selected(items, Settings(pair_mean="robust"))[-1].rejected == ()


def test_everything_travels_on_and_an_empty_scan_is_told():
    stage = AverageSelected(scan_header(), SELECTIVE)
    item = pairs(images(1))[0]
    assert list(stage.process("else")) == ["else"]
    first, second = stage.process(item)
    assert first is item
    assert isinstance(second, PerfusionAverage)
    (notice,) = of_type(run(AverageSelected(scan_header(), SELECTIVE), []), Notice)
    assert (notice.level, notice.text[:11]) == ("error", "no complete")


def test_not_without_labelling():
    with pytest.raises(Exception, match="declares no arterial spin labelling"):
        AverageSelected(scan_header(asl=None), SELECTIVE)
