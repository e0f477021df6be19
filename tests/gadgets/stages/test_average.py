import numpy as np
import pytest
from stage_items import SHAPE, geometry, of_type, run

from perfline.gadgets.stage_data import DeltaMVolume, Dropped, PerfusionAverage
from perfline.gadgets.stages.average import Average


def delta(image, index=0, delay=1.8):
    return DeltaMVolume(np.asarray(image, np.float32), index, geometry(), delay, 1.8, ())


def test_after_every_pair_the_mean_variance_and_tsnr_of_all_so_far():
    rng = np.random.default_rng(3)
    images = (5 + rng.standard_normal((6, *SHAPE))).astype(np.float32)
    averages = of_type(run(Average(), [delta(image, i) for i, image in enumerate(images)]), PerfusionAverage)
    assert [a.n_pairs for a in averages] == [1, 2, 3, 4, 5, 6]
    for n, average in enumerate(averages, start=1):
        part = images[:n].astype(np.float64)
        # float32 of the result
        np.testing.assert_allclose(average.mean, part.mean(0), rtol=1e-6)
        if n > 1:
            np.testing.assert_allclose(average.variance, part.var(0, ddof=1), rtol=1e-6)
            np.testing.assert_allclose(average.tsnr, part.mean(0) / part.std(0, ddof=1), rtol=1e-6)
    assert np.isnan(averages[0].variance).all()


def test_earlier_averages_are_not_changed_by_later_pairs():
    first, second = of_type(run(Average(), [delta(np.ones(SHAPE)), delta(np.zeros(SHAPE))]), PerfusionAverage)
    assert first.mean == pytest.approx(1.0)
    assert second.mean == pytest.approx(0.5)


def test_delays_are_averaged_apart():
    items = [delta(np.full(SHAPE, value), delay=delay) for value, delay in [(1, 1.0), (10, 2.0), (3, 1.0)]]
    averages = of_type(run(Average(), items), PerfusionAverage)
    assert [(a.post_labeling_delay, a.n_pairs, float(a.mean.flat[0])) for a in averages] == [
        (1.0, 1, 1.0),
        (2.0, 1, 10.0),
        (1.0, 2, 2.0),
    ]


def test_dropped_pairs_are_counted():
    items = [delta(np.ones(SHAPE)), Dropped("pair", "why"), Dropped("readout", "why"), delta(np.ones(SHAPE))]
    averages = of_type(run(Average(), items), PerfusionAverage)
    assert [a.n_rejected for a in averages] == [0, 1]
