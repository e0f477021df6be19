"""A small simulated pCASL scan, made once for each test session that needs it."""

from dataclasses import replace
from functools import cache

import numpy as np

from perfline.gadgets.mrd.messages import Acquisition, Message
from perfline.gadgets.simulate.raw_data import scan_blocks
from perfline.gadgets.simulate.recipes import RECIPES, SimulationRecipe
from perfline.gadgets.simulate.write_mrd import simulate_scan

RECIPE = replace(RECIPES["clean"], n_slices=2, n_coils=3, n_pairs=2)


@cache
def scan_messages(recipe: SimulationRecipe = RECIPE) -> tuple[bytes, tuple[Message, ...]]:
    """MRD header and acquisitions of a recipe."""
    header, _, _ = simulate_scan(recipe)
    messages = [
        Acquisition(head.tobytes(), np.empty((data.shape[-1], 0), np.float32), np.ascontiguousarray(data))
        for heads, samples in scan_blocks(recipe)
        for head, data in zip(heads, samples, strict=True)
    ]
    return header, tuple(messages)
