from dataclasses import replace

import numpy as np
import pytest
from reference.multi_delay_fit import fit_voxel

from perfline.gadgets.simulate.ideal_flow import has_several_delays, ideal_flow, is_quantified, limited_ratios
from perfline.gadgets.simulate.label_plan import Delays
from perfline.gadgets.simulate.raw_data import scan_truth
from perfline.gadgets.simulate.recipes import EPI_RECIPES, LABEL_RECIPES, SPIRAL_RECIPES
from perfline.recon.asl.labeling import Labeling
from perfline.recon.errors import InputError


def test_one_delay_is_the_consensus_formula():
    recipe = replace(EPI_RECIPES["clean"], n_slices=2)
    truth = scan_truth(recipe)
    assert not has_several_delays(recipe)
    ideal = ideal_flow(recipe, truth)
    assert ideal.att is None
    # float32
    np.testing.assert_allclose(ideal.cbf, truth.cbf_limited[np.newaxis], rtol=1e-6, atol=1e-4)


@pytest.mark.parametrize("name", ["multi_delay", "hadamard"])
def test_several_delays_are_the_least_squares_of_another_fitter(name):
    recipe = replace(LABEL_RECIPES[name], n_slices=2, slice_duration=0.06)
    truth = scan_truth(recipe)
    ideal, ratios = ideal_flow(recipe, truth), limited_ratios(recipe, truth)
    scheme = recipe.series.scheme
    for slice_, y, x in np.argwhere(truth.grey_matter())[::110]:
        delays = [one.post_labeling_delay + recipe.slice_timing[slice_] for one in recipe.components]
        labeling = Labeling(
            recipe.labeling_type,
            delays,
            [one.labeling_duration for one in recipe.components],
            scheme.labeling_efficiency,
            scheme.blood_t1,
            scheme.partition_coefficient,
        )
        (cbf, att), _ = fit_voxel(labeling, ratios[:, slice_, y, x], np.full(len(delays), 1e-4), 1.3)
        # two fitters stop where the sum of squares is flat
        assert ideal.cbf[0, slice_, y, x] == pytest.approx(cbf, rel=1e-3)
        assert ideal.att is not None
        assert ideal.att[slice_, y, x] == pytest.approx(att, abs=1e-3)


def test_arteries_add_up_to_the_whole_flow():
    recipe = replace(LABEL_RECIPES["vessel_encoded"], n_slices=1)
    truth = scan_truth(recipe)
    ideal = ideal_flow(recipe, truth)
    assert ideal.cbf.shape == (3, 1, 40, 36)
    np.testing.assert_allclose(ideal.cbf.sum(axis=0), truth.cbf_limited, rtol=1e-5, atol=1e-3)


def test_spirals_are_limited_to_their_disc():
    recipe = replace(SPIRAL_RECIPES["spiral"], n_slices=1, labels=LABEL_RECIPES["vessel_encoded"].labels)
    truth = scan_truth(recipe)
    np.testing.assert_allclose(ideal_flow(recipe, truth).cbf.sum(axis=0), truth.cbf_limited, rtol=1e-5, atol=1e-3)


@pytest.mark.parametrize("name", ["pasl_look_locker", "multi_delay_arterial"])
def test_the_fit_knows_of_trains_and_arteries(name):
    recipe = replace(LABEL_RECIPES[name], n_slices=2)
    truth = scan_truth(recipe)
    ideal = ideal_flow(recipe, truth)
    inside = truth.fractions[truth.region_names.index("gm_left")] >= 0.999
    assert inside.sum() > 20
    assert ideal.att is not None
    # the middle of a large region: edges ring over M0 and the difference alike
    assert np.median(ideal.att[inside]) == pytest.approx(1.0, abs=0.005)
    assert np.median(ideal.cbf[0][inside]) == pytest.approx(60, rel=0.08)
    if recipe.arterial_blood_volume:
        assert ideal.abv is not None
        assert np.median(ideal.abv[inside]) == pytest.approx(0.02 * 60 / 110, rel=0.08)
    else:
        assert ideal.abv is None


def test_quipss_is_not_fitted():
    single = LABEL_RECIPES["pasl_quipss"]
    several = replace(single, labels=Delays((1.8, 2.1, 2.4)))
    assert is_quantified(single)
    assert not is_quantified(several)
    with pytest.raises(InputError, match="QUIPSS is not fitted"):
        ideal_flow(several, scan_truth(several))
