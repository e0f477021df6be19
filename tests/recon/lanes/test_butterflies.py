"""The straight-line transforms on plain numbers, against numpy."""

import numpy as np
import pytest

from perfline.recon.lanes.butterflies import butterfly


@pytest.mark.parametrize(
    "n", [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 14, 15, 16, 18, 20, 21, 22, 24, 25, 30, 33, 35, 60]
)
def test_equals_the_transform_of_numpy(n):
    rng = np.random.default_rng(n)
    x = rng.standard_normal(n) + 1j * rng.standard_normal(n)
    # double precision
    np.testing.assert_allclose(butterfly(list(x), -1), np.fft.fft(x), rtol=0, atol=1e-13 * n)
    np.testing.assert_allclose(butterfly(list(x), 1), np.fft.ifft(x) * n, rtol=0, atol=1e-13 * n)


class Counted:
    """A number that counts what is done to it."""

    additions = 0

    def __add__(self, other):
        Counted.additions += 1
        return self

    __sub__ = __add__

    def __mul__(self, factor):
        return self


def test_takes_no_more_additions_than_the_split_promises():
    Counted.additions = 0
    butterfly([Counted()] * 16, 1)
    # 16 = 4 x 4: eight transforms of length 4 with eight additions each
    assert Counted.additions == 64
