"""The volumes of a simulated scan and their shots, in the order of acquisition."""

from dataclasses import dataclass

from perfline.gadgets.simulate.scan_recipe import SimulationRecipe, VolumeOrder
from perfline.recon.parameters import VolumeType

__all__ = ["PlannedShot", "PlannedVolume", "planned_shots", "planned_volumes"]


@dataclass(frozen=True)
class PlannedVolume:
    """One volume, with the counters that tell it from the others; volumes are numbered from 0.

    ``kind`` is its row of `kind_signals`: 0 for M0, then the place in the block.
    """

    volume_type: VolumeType
    number: int
    repetition: int
    set: int
    phase: int
    kind: int


@dataclass(frozen=True)
class PlannedShot:
    """One shot of a volume; `start` [s] is that of its repetition."""

    volume: PlannedVolume
    shot: int
    start: float


def planned_volumes(recipe: SimulationRecipe) -> tuple[PlannedVolume, ...]:
    """List the volumes of a scan in the order of acquisition.

    Parameters
    ----------
    recipe : SimulationRecipe

    Returns
    -------
    tuple of PlannedVolume
        M0 volumes lead. Where ``idx.set`` tells control (0) from label (1), or the cycle of an encoded scan, and
        ``phase`` the delay, ``repetition`` is the pair or block, or the number of the M0 volume (flag USER1 keeps these
        apart); else it is the number of the volume, and ``set`` and ``phase`` stay 0.

    Examples
    --------
    >>> from perfline.gadgets.simulate.epi_recipe import EpiRecipe
    >>> [str(volume.volume_type) for volume in planned_volumes(EpiRecipe(n_pairs=1, label_first=True))]
    ['m0scan', 'label', 'control']
    """
    counts_volumes = recipe.volume_order in (VolumeOrder.ASLCONTEXT, VolumeOrder.CYCLE)
    volumes = [PlannedVolume(VolumeType.M0SCAN, number, number, 0, 0, 0) for number in range(recipe.n_m0)]
    for repetition in range(recipe.n_pairs):
        for place, state in enumerate(recipe.block):
            number = len(volumes)
            counters = (number, 0, 0) if counts_volumes else (repetition, state.set, state.phase)
            volumes.append(PlannedVolume(state.volume_type, number, *counters, kind=1 + place))
    return tuple(volumes)


def planned_shots(recipe: SimulationRecipe, start: float = 0.0) -> tuple[PlannedShot, ...]:
    """List the shots of a scan in the order of acquisition.

    Parameters
    ----------
    recipe : SimulationRecipe
    start : float
        Of the first repetition [s].

    Returns
    -------
    tuple of PlannedShot
        Each takes a repetition time, that of M0 or that of control and label; the volumes that are read after one
        labelling share one.

    Examples
    --------
    >>> from perfline.gadgets.simulate.epi_recipe import EpiRecipe
    >>> recipe = EpiRecipe(n_m0=0, n_pairs=1, n_shots=2, interleaved_shots=True)
    >>> [(str(plan.volume.volume_type), plan.shot) for plan in planned_shots(recipe)]
    [('control', 0), ('label', 0), ('control', 1), ('label', 1)]
    """
    volumes = planned_volumes(recipe)
    leading, rest = volumes[: recipe.n_m0], volumes[recipe.n_m0 :]
    n_of_labeling = recipe.labels.n_of_labeling
    n_together = recipe.labels.n_together if recipe.interleaved_shots else n_of_labeling
    groups: list[tuple[PlannedVolume, ...]] = [(volume,) for volume in leading]
    groups += [rest[first : first + n_together] for first in range(0, len(rest), n_together)]
    shots = []
    for group in groups:
        for shot in range(recipe.n_shots):
            for number, volume in enumerate(group, start=1):
                shots.append(PlannedShot(volume, shot, start))
                is_m0 = volume.volume_type is VolumeType.M0SCAN
                if is_m0 or number % n_of_labeling == 0:
                    start += recipe.m0_repetition_time if is_m0 else recipe.repetition_time
    return tuple(shots)
