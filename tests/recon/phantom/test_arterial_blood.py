import numpy as np
import pytest

from perfline.recon.errors import InputError
from perfline.recon.phantom.arterial_blood import with_arterial_blood
from perfline.recon.phantom.brain import Phantom, Region, Tissue, TissueClass, brain_phantom
from perfline.recon.phantom.ellipsoids import Ellipsoid


def test_blood_volume_follows_the_flow():
    phantom = with_arterial_blood(brain_phantom(), 0.02, 0.6)
    # the focus has 110 ml/100 g/min
    np.testing.assert_allclose(phantom.values("abv"), 0.02 * phantom.values("cbf") / 110, rtol=1e-12)
    assert set(phantom.values("arterial_arrival_time")) == {0.6}
    for name in ("cbf", "att", "t1", "m0", "t2_star"):
        np.testing.assert_array_equal(phantom.values(name), brain_phantom().values(name))
    np.testing.assert_array_equal(phantom.artery_shares(1), brain_phantom().artery_shares(1))


@pytest.mark.parametrize(("abv", "arrival", "match"), [(-0.1, 0.5, "abv"), (1.1, 0.5, "abv"), (0.1, -0.5, "arrival")])
def test_impossible_blood_is_refused(abv, arrival, match):
    with pytest.raises(InputError, match=match):
        with_arterial_blood(brain_phantom(), abv, arrival)


def test_without_flow_there_is_nothing_to_follow():
    water = Tissue(TissueClass.OTHER, m0=100.0, t1=3.0, t2_star=1.0)
    with pytest.raises(InputError, match="most flow of a tissue"):
        with_arterial_blood(Phantom((Region("bottle", Ellipsoid(0, 0, 0, 9, 8, 7, 0.0), water),)), 0.01, 0.5)
