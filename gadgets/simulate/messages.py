"""A simulated scan as the messages of a stream, without a file in between."""

from collections.abc import Iterator

import numpy as np

from perfline.gadgets.mrd.messages import Acquisition, HeaderXml
from perfline.gadgets.simulate.header import scan_header_xml
from perfline.gadgets.simulate.raw_data import scan_blocks
from perfline.gadgets.simulate.scan_recipe import SimulationRecipe

__all__ = ["simulated_messages"]


def simulated_messages(recipe: SimulationRecipe) -> Iterator[HeaderXml | Acquisition]:
    """Play a recipe as the messages of a stream, made as they are asked for: the header first, then the readouts."""
    yield HeaderXml(scan_header_xml(recipe))
    for heads, samples, trajectories in scan_blocks(recipe):
        for head, trajectory, data in zip(heads, trajectories, np.ascontiguousarray(samples), strict=True):
            yield Acquisition(head.tobytes(), trajectory, data)
