"""The brain phantom with late arrival of the label, for scans of several delays."""

from dataclasses import replace
from types import MappingProxyType
from typing import Final

from perfline.recon.phantom.brain import Phantom, brain_phantom

__all__ = ["slow_brain_phantom"]

_SLOW_ARRIVAL: Final = MappingProxyType(
    {
        "gm_left_focus": 0.5,
        "gm_frontal": 0.8,
        "gm_left": 1.0,
        "wm_left_frontal": 1.5,
        "gm_right": 1.7,
        "wm_left_parietal": 2.0,
        "gm_occipital": 2.1,
        "wm_right": 2.4,
        "gm_right_deep": 2.5,
    }
)
"""Transit times of `slow_brain_phantom` [s]."""


def slow_brain_phantom() -> Phantom:
    """The brain with transit times from 0.5 to 2.5 s, as in stenosis or old age, for scans of several delays.

    Returns
    -------
    Phantom
        Shapes, flow and relaxation times as of `brain_phantom`.

    Examples
    --------
    >>> att = slow_brain_phantom().values("att")
    >>> att[att > 0].min(), att.max()
    (np.float64(0.5), np.float64(2.5))
    """
    return Phantom(
        tuple(
            replace(region, tissue=replace(region.tissue, att=_SLOW_ARRIVAL.get(region.name, region.tissue.att)))
            for region in brain_phantom().regions
        )
    )
