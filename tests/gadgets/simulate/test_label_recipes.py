import numpy as np
import pytest

from perfline.gadgets.mrd.scan_header import parse_scan_header
from perfline.gadgets.simulate.header import scan_header_xml
from perfline.gadgets.simulate.recipes import LABEL_RECIPES
from perfline.gadgets.stages.delays import delay_groups


@pytest.mark.parametrize("name", LABEL_RECIPES)
def test_header_is_read_as_it_was_meant(name):
    recipe = LABEL_RECIPES[name]
    header = parse_scan_header(scan_header_xml(recipe))
    asl = header.asl
    assert asl is not None
    # of QUIPSS the header knows the saturation alone, not how long the bolus is
    components = {
        (one.post_labeling_delay, recipe.saturation_time or one.labeling_duration) for one in recipe.components
    }
    assert set(delay_groups(asl)) == components
    np.testing.assert_array_equal(asl.encoding_matrix, recipe.labels.matrix)
    assert asl.organ == ("kidney" if name.startswith("kidney") else "brain")
    assert (asl.labeling_type, asl.blood_t1) == (recipe.labeling_type, recipe.blood_t1)
    if recipe.labels.n_of_labeling > 1:
        assert asl.look_locker_flip_angle == pytest.approx(recipe.flip_angle)
    else:
        assert asl.look_locker_flip_angle is None


def test_recipes_for_fits_have_times_from_half_a_second_to_two_and_a_half():
    for name in ("multi_delay", "multi_delay_durations", "hadamard"):
        recipe = LABEL_RECIPES[name]
        times = recipe.phantom.values("att")[recipe.phantom.values("cbf") > 0]
        assert (times.min(), times.max()) == (0.5, 2.5)
        ends = [one.post_labeling_delay + one.labeling_duration for one in recipe.components]
        # at least two readings while label is there, for two unknowns
        assert sum(end > times.max() for end in ends) >= 2
