"""What was put into a simulated scan beside the maps: how the label travels, and how it is seen."""

from typing import Any

from perfline.gadgets.simulate.scan_recipe import SimulationRecipe

__all__ = ["true_words"]


def true_words(recipe: SimulationRecipe) -> dict[str, Any]:
    """Name what no map of the truth shows.

    Parameters
    ----------
    recipe : SimulationRecipe

    Returns
    -------
    dict
        ``DispersionKernel``, ``DispersionSharpness`` [1/s] and ``DispersionTimeToPeak`` [s] where transit times spread;
        ``ArterialArrivalTime`` [s] where there is blood in arteries; ``BolusDuration`` and ``SaturationTime`` [s] with
        QUIPSS; empty otherwise. None of these names is of BIDS.

    Examples
    --------
    >>> from perfline.gadgets.simulate.recipes import RECIPES
    >>> true_words(RECIPES["multi_delay_arterial"])
    {'ArterialArrivalTime': 0.45}
    """
    words: dict[str, Any] = {}
    if recipe.dispersion is not None:
        words |= {
            "DispersionKernel": "gamma",
            "DispersionSharpness": recipe.dispersion.sharpness,
            "DispersionTimeToPeak": recipe.dispersion.time_to_peak,
        }
    if recipe.arterial_blood_volume:
        words["ArterialArrivalTime"] = recipe.arterial_arrival_time
    if recipe.saturation_time:
        words |= {"BolusDuration": recipe.labeling_duration, "SaturationTime": recipe.saturation_time}
    return words
