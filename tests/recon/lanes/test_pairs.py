import numpy as np
import pytest
from numba import njit

from perfline.recon.lanes.pairs import load_imag, load_real, store_pairs, stream_pairs
from perfline.recon.lanes.vector import LANES, aligned_zeros, lanes_available, load, store

pytestmark = pytest.mark.skipif(not lanes_available(), reason="no wide registers")


@njit
def _split(source, at, target):
    store(target, 0, load_real(source, at))
    store(target, LANES, load_imag(source, at))


@njit
def _join(source, target, at):
    store_pairs(target, at, load(source, 0), load(source, LANES))


@njit
def _stream(source, target, at):
    stream_pairs(target, at, load(source, 0), load(source, LANES))


def test_splits_neighbours_into_real_and_imaginary_parts():
    source, target = np.arange(40, dtype=np.float32), np.zeros(32, np.float32)
    _split(source, 5, target)
    np.testing.assert_array_equal(target[:16], np.arange(5, 37, 2))
    np.testing.assert_array_equal(target[16:], np.arange(6, 37, 2))


@pytest.mark.parametrize(("join", "at"), [(_join, 3), (_stream, 16)])
def test_joins_them_again_and_touches_no_other(join, at):
    source, target = np.arange(1, 33, dtype=np.float32), aligned_zeros(64)
    join(source, target, at)
    expected = np.zeros(64)
    expected[at : at + 32 : 2], expected[at + 1 : at + 33 : 2] = source[:16], source[16:]
    np.testing.assert_array_equal(target, expected)
