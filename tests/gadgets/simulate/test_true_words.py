from dataclasses import replace

from perfline.gadgets.simulate.recipes import EPI_RECIPES, LABEL_RECIPES
from perfline.gadgets.simulate.true_words import true_words


def test_what_no_map_shows_is_named():
    assert true_words(EPI_RECIPES["clean"]) == {}
    assert true_words(LABEL_RECIPES["multi_delay_dispersed"]) == {
        "DispersionKernel": "gamma",
        "DispersionSharpness": 7.0,
        "DispersionTimeToPeak": 0.1,
    }
    arterial = replace(LABEL_RECIPES["multi_delay_arterial"], arterial_arrival_time=0.3)
    assert true_words(arterial) == {"ArterialArrivalTime": 0.3}
    assert true_words(LABEL_RECIPES["pasl_quipss"]) == {"BolusDuration": 1.9, "SaturationTime": 1.6}
