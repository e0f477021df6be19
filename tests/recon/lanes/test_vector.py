"""Each operation of the vector against numpy."""

import numpy as np
import pytest
from numba import njit

from perfline.recon.lanes.vector import (
    CELL,
    aligned_zeros,
    constant,
    fma,
    lanes_available,
    load,
    splat,
    store,
    sum_lanes,
)

pytestmark = pytest.mark.skipif(not lanes_available(), reason="no wide registers")


@njit
def arithmetic(a, b, c, out):
    x, y, z = load(a, 3), load(b, 5), constant(c, 2)
    store(out, 0, x + y)
    store(out, 16, x - y)
    store(out, 32, x * y)
    store(out, 48, fma(x, y, z))
    store(out, 64, splat(np.float32(2.5)))
    out[80] = sum_lanes(x)


def test_arithmetic():
    rng = np.random.default_rng(1)
    a, b, c = (rng.standard_normal(24).astype(np.float32) for _ in range(3))
    out = np.zeros(81, np.float32)
    arithmetic(a, b, c, out)
    x, y = a[3:19], b[5:21]
    np.testing.assert_array_equal(out[:16], x + y)
    np.testing.assert_array_equal(out[16:32], x - y)
    np.testing.assert_array_equal(out[32:48], x * y)
    # rounded once: double precision rounded to single
    np.testing.assert_array_equal(out[48:64], (x.astype(float) * y + c[2]).astype(np.float32))
    np.testing.assert_array_equal(out[64:80], 2.5)
    # the order of the sum is free
    assert out[80] == pytest.approx(x.sum(), rel=1e-5, abs=1e-5)


def test_nan_and_infinity_keep_their_meaning():
    a, b, c = np.zeros((3, 24), np.float32)
    a[3], a[4] = np.nan, np.inf
    out = np.zeros(81, np.float32)
    arithmetic(a, b, c, out)
    assert np.isnan(out[0])
    assert out[1] == np.inf
    assert np.isnan(out[33])
    assert np.isfinite(out[2:16]).all()


def test_arrays_begin_at_a_cache_line():
    for shape in ((3,), (5, CELL), (2, 3, 7)):
        array = aligned_zeros(*shape)
        assert array.shape == shape
        assert array.ctypes.data % 64 == 0
        assert not array.any()


def test_features_named_to_the_compiler_decide(monkeypatch):
    monkeypatch.setattr("numba.config.CPU_FEATURES", "+sse4.2,-avx2")
    assert not lanes_available()
    monkeypatch.setattr("numba.config.CPU_FEATURES", "+avx2")
    assert lanes_available()
    monkeypatch.setattr("numba.config.DISABLE_JIT", 1)
    assert not lanes_available()
