"""What a simulated scan says of its labelling, in the words and units of BIDS."""

from typing import Any

import numpy as np

from perfline.gadgets.simulate.anatomy import Anatomy
from perfline.gadgets.simulate.label_plan import TimeEncoding
from perfline.gadgets.simulate.scan_recipe import SimulationRecipe, VolumeOrder
from perfline.gadgets.simulate.volume_plan import PlannedVolume, planned_volumes
from perfline.recon.asl.labeling import BolusCutOffTechnique
from perfline.recon.parameters import LabelingType

__all__ = ["asl_words"]

_SATURATION_TRAIN = 0.3
"""From the first to the last saturation pulse of Q2TIPS [s]; the first one ends the bolus."""


def asl_words(recipe: SimulationRecipe) -> dict[str, Any]:
    """Describe labelling, order of volumes, M0 and timing.

    Parameters
    ----------
    recipe : SimulationRecipe

    Returns
    -------
    dict
        Names of BIDS, and ours where BIDS has none (``aslcontext``, ``EncodingMatrix``, ``Organ``,
        ``M0RepetitionTime``). Lists have one value for each delay, sub-bolus or slice, or one for each volume where the
        volumes are counted.

    Examples
    --------
    >>> from perfline.gadgets.simulate.epi_recipe import EpiRecipe
    >>> from perfline.gadgets.simulate.label_plan import Delays
    >>> asl_words(EpiRecipe(labels=Delays((0.5, 1.0))))["PostLabelingDelay"]
    [0.5, 1.0]
    """
    pulses = recipe.background_suppression_pulses
    words: dict[str, Any] = {
        **_times(recipe),
        "LabelingEfficiency": recipe.labeling_efficiency,
        "MagneticFieldStrength": recipe.field_strength,
        "EchoTime": recipe.echo_time,
        "FlipAngle": float(np.rad2deg(recipe.flip_angle)),
        "BackgroundSuppressionNumberPulses": float(pulses),
        "ArterialSpinLabelingType": str(recipe.labeling_type),
        "M0Type": "Included" if recipe.n_m0 else "Absent",
        "MRAcquisitionType": "2D" if recipe.partition_axis is None else "3D",
        "BackgroundSuppression": bool(pulses),
    }
    if recipe.partition_axis is None:
        words["SliceTiming"] = list(recipe.slice_timing)
    if recipe.labeling_type is LabelingType.PASL:
        words |= _bolus(recipe)
    if recipe.anatomy is Anatomy.KIDNEY:
        words["Organ"] = "kidney"
    if recipe.labels.n_of_labeling > 1:
        words["LookLocker"] = True
    if recipe.labels.matrix:
        words["EncodingMatrix"] = [list(row) for row in recipe.labels.matrix]
    return words | _volume_order(recipe) | _repetition_times(recipe)


def _bolus(recipe: SimulationRecipe) -> dict[str, Any]:
    times = [recipe.saturation_time or recipe.labeling_duration]
    if recipe.bolus_cut_off_technique is BolusCutOffTechnique.Q2TIPS:
        times.append(round(recipe.labeling_duration + _SATURATION_TRAIN, 9))
    return {
        "BolusCutOffDelayTime": _one_or_list(times),
        "BolusCutOffFlag": True,
        "BolusCutOffTechnique": str(recipe.bolus_cut_off_technique),
    }


def _times(recipe: SimulationRecipe) -> dict[str, Any]:
    """Duration and delay: one, or lists."""
    components = recipe.components
    durations = [one.labeling_duration for one in components]
    delays = [one.post_labeling_delay for one in components]
    if isinstance(recipe.labels, TimeEncoding):
        # the delays of the other sub-boli follow from the durations
        return {"LabelingDuration": durations, "PostLabelingDelay": delays[-1]}
    if _counts_volumes(recipe):
        # the delay of a volume is that of its place in the block, M0 has none
        order = [recipe.block[volume.kind - 1].phase if volume.kind else None for volume in planned_volumes(recipe)]
        durations = _unless_all_alike(durations, [0.0 if one is None else durations[one] for one in order])
        delays = _unless_all_alike(delays, [0.0 if one is None else delays[one] for one in order])
    return {"LabelingDuration": _one_or_list(durations), "PostLabelingDelay": _one_or_list(delays)}


def _unless_all_alike(values: list[float], of_volumes: list[float]) -> list[float]:
    return values if len(set(values)) == 1 else of_volumes


def _one_or_list(values: list[float]) -> float | list[float]:
    return values[0] if len(set(values)) == 1 else values


def _counts_volumes(recipe: SimulationRecipe) -> bool:
    """Whether the counters say nothing but the number of the volume."""
    return recipe.volume_order in (VolumeOrder.ASLCONTEXT, VolumeOrder.CYCLE)


def _volume_order(recipe: SimulationRecipe) -> dict[str, Any]:
    """The declared order of volumes, as the recipe wants it declared."""
    types = [str(volume.volume_type) for volume in planned_volumes(recipe)]
    if recipe.volume_order is VolumeOrder.SET:
        return {}
    if recipe.volume_order is VolumeOrder.CYCLE:
        cycle = [str(state.volume_type) for state in recipe.block]
        return {"aslcontext": types[: recipe.n_m0], "aslcontext_cycle": cycle}
    return {"aslcontext": types}


def _repetition_times(recipe: SimulationRecipe) -> dict[str, Any]:
    if recipe.volume_order is VolumeOrder.SET:
        # without an order of volumes there is no list that could follow it
        times: dict[str, Any] = {"RepetitionTimePreparation": recipe.repetition_time}
        return times | ({"M0RepetitionTime": recipe.m0_repetition_time} if recipe.n_m0 else {})
    return {"RepetitionTimePreparation": [_repetition_time(recipe, volume) for volume in planned_volumes(recipe)]}


def _repetition_time(recipe: SimulationRecipe, volume: PlannedVolume) -> float:
    return recipe.repetition_time if volume.kind else recipe.m0_repetition_time
