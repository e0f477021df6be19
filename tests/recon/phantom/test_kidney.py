import numpy as np
import pytest

from perfline.recon.parameters import LabelingType
from perfline.recon.phantom.brain import TissueClass, region_index_map
from perfline.recon.phantom.kidney import kidney_phantom

Y, X = np.arange(-150.0, 150.0, 2.0), np.arange(-174.0, 176.0, 2.0)


def index_map(z):
    return region_index_map(kidney_phantom().cut(z), Y[:, None], X[None, :])


@pytest.mark.parametrize(
    ("labeling_type", "of_cortex", "of_medulla"),
    [(LabelingType.PCASL, (201, 0.71), (84, 0.86)), (LabelingType.PASL, (362, 0.47), (140, 0.70))],
)
def test_kidneys_have_the_flow_and_the_times_they_promise(labeling_type, of_cortex, of_medulla):
    phantom = kidney_phantom(labeling_type)
    assert phantom.reference is TissueClass.CORTEX
    for tissue, (flow, time), t1 in ((TissueClass.CORTEX, of_cortex, 1.15), (TissueClass.MEDULLA, of_medulla, 1.55)):
        mine = phantom.is_class(tissue)
        assert {(r.tissue.cbf, r.tissue.att, r.tissue.t1) for r in np.array(phantom.regions, object)[mine]} == {
            (flow, time, t1)
        }
    others = ~(phantom.is_class(TissueClass.CORTEX) | phantom.is_class(TissueClass.MEDULLA))
    assert not phantom.values("cbf")[others].any()
    assert phantom.n_arteries == 0


def test_cortex_is_around_the_medulla_in_the_slices_of_a_scan():
    names = kidney_phantom().names
    for z in (-8.0, 0.0, 8.0):
        index = index_map(z)
        for side in ("left", "right"):
            cortex = np.isin(index, [names.index(f"cortex_{side}")])
            medulla = np.isin(index, [names.index(f"medulla_{side}_{half}") for half in ("upper", "lower")])
            # of healthy kidneys about two thirds are cortex
            assert 0.15 < medulla.sum() / (medulla.sum() + cortex.sum()) < 0.4


def test_no_flip_maps_the_trunk_onto_itself():
    image = np.stack([index_map(z) for z in np.arange(-40.0, 41.0, 8.0)])
    for axis in range(3):
        differs = image[:, :, 1:] != np.flip(image[:, :, 1:], axis)
        # far above the pixels of a rounded edge for the plane; the kidneys are a little off the middle slice
        assert differs.mean() > (0.003 if axis == 0 else 0.03), axis
