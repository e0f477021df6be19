import pytest

from perfline.recon.asl.haematocrit import blood_t1_of_haematocrit
from perfline.recon.errors import InputError


def test_published_value() -> None:
    # Lu 2004: 1664 +- 14 ms at 0.42
    assert blood_t1_of_haematocrit(0.42, 3.0) == pytest.approx(1.664, abs=0.014)


def test_more_cells_relax_faster() -> None:
    # by hand: 1 / 0.562 and 1 / 0.614
    assert blood_t1_of_haematocrit(0.35, 2.9) == pytest.approx(1.779359, abs=1e-6)
    assert blood_t1_of_haematocrit(0.45, 2.9) == pytest.approx(1.628664, abs=1e-6)


def test_bad_input() -> None:
    with pytest.raises(InputError, match=r"expected within 5% of 3 T for a blood T1 by haematocrit, got 1\.5 T"):
        blood_t1_of_haematocrit(0.42, 1.5)
    with pytest.raises(InputError, match=r"haematocrit: expected a fraction from 0\.2 to 0\.7, got 42"):
        blood_t1_of_haematocrit(42, 3.0)
