from pathlib import Path

import numpy as np
import pytest

from perfline.gadgets.bench.soak import growth, measure


@pytest.mark.slow
def test_a_scan_of_many_volumes():
    reports = []
    figures = {one.figure: one for one in measure(rounds=2, is_small=True, data=Path(), report=reports.append)}
    # the M0 has a series of its own
    assert figures["volumes"].value == 200
    assert {name: one.value for name, one in figures.items() if one.met is False} == {}
    # 46 readouts of 2 coils and 36 samples a volume
    assert 201 * 46 * 576 < 1e6 * figures["spool"].value < 2 * 201 * 46 * 576
    assert 50 < figures["memory after the warm-up"].value <= figures["memory at the end"].value < 1000
    assert figures["growth for 1,000 volumes"].aim is None


def test_what_grows_is_seen():
    # volumes, bytes, descriptors, threads, seconds; the first fifth, in which buffers grow, doesn't count
    volumes = np.arange(100, 1001, 100.0)
    memory = 2e8 + 2e3 * volumes + np.where(volumes < 200, 5e7, 0)
    samples = np.column_stack((volumes, memory, 9 + (volumes > 700), np.full(10, 4), 1e-3 * volumes))
    figures = {one.figure: one for one in growth(samples, with_aim=True)}
    assert figures["growth for 1,000 volumes"].value == pytest.approx(2.0)
    assert figures["growth for 1,000 volumes"].met is False
    assert figures["change of open descriptors"].value == 1
    assert figures["change of open descriptors"].met is False
    assert figures["change of threads"].met is True
    assert figures["memory at the end"].value == pytest.approx(202.0)
    assert figures["processor time a volume, second half"].value == pytest.approx(1.0)
