"""A small simulated pCASL scan, made once for each test session that needs it."""

from dataclasses import replace
from functools import cache

from perfline.gadgets.mrd.messages import Acquisition
from perfline.gadgets.simulate.messages import simulated_messages
from perfline.gadgets.simulate.recipes import EPI_RECIPES
from perfline.gadgets.simulate.scan_recipe import SimulationRecipe

RECIPE = replace(EPI_RECIPES["clean"], n_slices=2, n_coils=3, n_pairs=2)


@cache
def scan_messages(recipe: SimulationRecipe = RECIPE) -> tuple[bytes, tuple[Acquisition, ...]]:
    """MRD header and acquisitions of a recipe."""
    header, *acquisitions = simulated_messages(recipe)
    return header.xml, tuple(acquisitions)
