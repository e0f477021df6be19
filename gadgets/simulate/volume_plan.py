"""The volumes of a simulated scan, in the order of acquisition."""

from dataclasses import dataclass

from perfline.gadgets.simulate.recipes import SimulationRecipe, VolumeOrder
from perfline.recon.parameters import VolumeType

__all__ = ["PlannedVolume", "planned_volumes"]


@dataclass(frozen=True)
class PlannedVolume:
    """One volume in the order of acquisition; `start` [s] is that of its repetition (the first shot's)."""

    volume_type: VolumeType
    repetition: int
    set: int
    start: float


def planned_volumes(recipe: SimulationRecipe) -> tuple[PlannedVolume, ...]:
    """List the volumes of a scan in the order of acquisition.

    Parameters
    ----------
    recipe : SimulationRecipe

    Returns
    -------
    tuple of PlannedVolume
        M0 volumes lead. Where ``idx.set`` tells control (0) from label (1), ``repetition`` is the pair, or the number
        of the M0 volume (flag USER1 keeps these apart); else it is the number of the volume and ``set`` stays 0.

    Examples
    --------
    >>> [str(volume.volume_type) for volume in planned_volumes(SimulationRecipe(n_pairs=1, label_first=True))]
    ['m0scan', 'label', 'control']
    """
    pair = [VolumeType.LABEL, VolumeType.CONTROL] if recipe.label_first else [VolumeType.CONTROL, VolumeType.LABEL]
    types = [VolumeType.M0SCAN] * recipe.n_m0 + pair * recipe.n_pairs
    counts_volumes = recipe.volume_order in (VolumeOrder.ASLCONTEXT, VolumeOrder.CYCLE)
    volumes, start = [], 0.0
    for number, kind in enumerate(types):
        is_m0 = kind is VolumeType.M0SCAN
        repetition = number if is_m0 or counts_volumes else (number - recipe.n_m0) // 2
        label_state = int(kind is VolumeType.LABEL and not counts_volumes)
        volumes.append(PlannedVolume(kind, repetition, label_state, start))
        start += recipe.n_shots * (recipe.m0_repetition_time if is_m0 else recipe.repetition_time)
    return tuple(volumes)
