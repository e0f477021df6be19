import pytest

from perfline.gadgets.errors import ConfigurationError
from perfline.gadgets.simulate.change_recipe import change_recipe, describe_recipe
from perfline.gadgets.simulate.epi_recipe import EpiRecipe
from perfline.gadgets.simulate.label_plan import TimeEncoding
from perfline.gadgets.simulate.scan_recipe import VolumeOrder
from perfline.recon.errors import InputError

RECIPE = EpiRecipe()


def test_options_are_read_as_their_kind():
    changed = change_recipe(
        RECIPE, ["n_pairs=7", "noise_sd=1", "label_first=True", "volume_order=cycle", "rotation=(0.1, 0.0, 0.2)"]
    )
    assert (changed.n_pairs, changed.noise_sd, changed.label_first) == (7, 1.0, True)
    assert changed.volume_order is VolumeOrder.CYCLE
    assert changed.rotation == (0.1, 0.0, 0.2)
    assert type(changed.noise_sd) is float


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("n_pairs", "expected KEY=VALUE, got 'n_pairs'"),
        ("pairs=3", "unknown option 'pairs' of a recipe; known: n_coils"),
        ("n_pairs=3.5", "n_pairs: expected int, got '3.5'"),
        ("n_pairs=True", "n_pairs: expected int, got 'True'"),
        ("label_first=1", "label_first: expected bool, got '1'"),
        ("rotation=1", "rotation: expected tuple, got '1'"),
        ("volume_order=random", "volume_order: expected set or aslcontext or cycle or both, got 'random'"),
        ("n_pairs=__import__('os')", "n_pairs: expected int"),
    ],
)
def test_a_wrong_change_is_refused_by_name(change, message):
    with pytest.raises(ConfigurationError, match=message):
        change_recipe(RECIPE, [change])


def test_the_recipe_still_checks_itself():
    with pytest.raises(InputError, match="n_slices"):
        change_recipe(RECIPE, ["n_slices=0"])


def test_every_option_is_described():
    text = describe_recipe(RECIPE)
    assert "  volume_order=both" in text.splitlines()
    assert len(text.splitlines()) == len(vars(RECIPE))


def test_options_of_the_labels_have_names_of_their_own():
    recipe = EpiRecipe(labels=TimeEncoding(), repetition_time=6.0)
    changed = change_recipe(recipe, ["labels.size=4", "labels.order=walsh", "n_pairs=3"])
    assert (changed.labels, changed.n_pairs) == (TimeEncoding(4, "walsh", (0.4,)), 3)
    assert "  labels=TimeEncoding\n  labels.size=8\n  labels.order=natural\n" in describe_recipe(recipe)
    with pytest.raises(ConfigurationError, match=r"unknown option 'labels\.size'"):
        change_recipe(RECIPE, ["labels.size=4"])
    with pytest.raises(InputError, match="size: expected one of"):
        change_recipe(recipe, ["labels.size=5"])
