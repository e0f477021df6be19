"""The declared order of the volumes: BIDS ``aslcontext``, as a list or as a prefix and a cycle."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from perfline.gadgets.errors import ScanHeaderError
from perfline.gadgets.stage_data import Limits
from perfline.recon.parameters import VolumeType

__all__ = ["IndexRule", "find_index_rule", "unroll_cycle", "volume_types"]

_WORDS = tuple(volume_type.value for volume_type in VolumeType)
# an old converter wrote it so, and many data sets have it
_ALIASES = {"moscan": VolumeType.M0SCAN}


@dataclass(frozen=True)
class IndexRule:
    """How a volume finds its place in the context.

    ``by_repetition``: by its repetition counter, else by its order of arrival. ``m0_counted``: M0 volumes take part in
    that counting; else they have counters of their own, and are known by their flag.
    """

    by_repetition: bool
    m0_counted: bool


def volume_types(name: str, value: Any, origin: str) -> tuple[VolumeType, ...]:
    """Volume types from words.

    Parameters
    ----------
    name, origin : str
        For error messages.
    value : sequence of str

    Returns
    -------
    tuple of VolumeType

    Raises
    ------
    ScanHeaderError
        Not a list, or a word that isn't a volume type.

    Examples
    --------
    >>> [kind.value for kind in volume_types("aslcontext", ["m0scan", "control"], "sidecar")]
    ['m0scan', 'control']
    """
    if isinstance(value, str) or not isinstance(value, Sequence):
        raise ScanHeaderError(f"{name} ({origin}): expected a list of volume types, got {value!r}")
    types = []
    for position, word in enumerate(value):
        if word in _ALIASES:
            types.append(_ALIASES[word])
        elif word in _WORDS:
            types.append(VolumeType(word))
        else:
            raise ScanHeaderError(
                f"{name} ({origin}): unknown volume type {word!r} at volume {position}, expected one of"
                f" {', '.join(_WORDS)}"
            )
    return tuple(types)


def unroll_cycle(
    prefix: Sequence[VolumeType], cycle: Sequence[VolumeType], limits: Mapping[str, Limits]
) -> tuple[VolumeType, ...]:
    """Repeat a cycle until the scan is full.

    Parameters
    ----------
    prefix, cycle : sequence of VolumeType
    limits : mapping
        Encoding limits by counter.

    Raises
    ------
    ScanHeaderError
        The limits don't tell the number of volumes, or whole cycles don't fill them.
    """
    counted = limits["repetition"].count * limits["set"].count * limits["phase"].count
    if counted == 1:
        raise ScanHeaderError(
            "aslcontext_cycle: the number of volumes is unknown, encodingLimits.repetition has a maximum of 0"
        )
    n_m0 = sum(kind is VolumeType.M0SCAN for kind in prefix)
    # the prefix counts among the repetitions, or it is M0 volumes with counters of their own
    for n_left in (counted - len(prefix), counted if n_m0 == len(prefix) else -1):
        if n_left >= 0 and n_left % len(cycle) == 0:
            return (*prefix, *(tuple(cycle) * (n_left // len(cycle))))
    raise ScanHeaderError(
        f"aslcontext: {len(prefix)} volumes and whole cycles of {len(cycle)} don't fill the {counted} volumes of the"
        " encodingLimits"
    )


def find_index_rule(types: Sequence[VolumeType], limits: Mapping[str, Limits]) -> IndexRule:
    """Decide how volumes are counted, and check the length of the context against the header.

    Parameters
    ----------
    types : sequence of VolumeType
        The whole context.
    limits : mapping
        Encoding limits by counter.

    Raises
    ------
    ScanHeaderError
        The length fits no count of volumes that the limits allow.

    Notes
    -----
    The limit of ``average`` may or may not count volumes: a Siemens EPI header has 2 averages, because of a navigator.
    """
    n_volumes = len(types)
    n_m0 = sum(kind is VolumeType.M0SCAN for kind in types)
    n_repetitions, n_averages = limits["repetition"].count, limits["average"].count
    states = limits["set"].count * limits["phase"].count
    is_undeclared = states == n_repetitions == 1 and n_volumes != n_averages
    if is_undeclared or (states == 1 and n_volumes == n_repetitions):
        return IndexRule(by_repetition=True, m0_counted=True)
    if states == 1 and n_volumes - n_m0 == n_repetitions:
        return IndexRule(by_repetition=True, m0_counted=False)
    counts = (n_repetitions * states, n_repetitions * states * n_averages)
    if n_volumes in counts:
        return IndexRule(by_repetition=False, m0_counted=True)
    # M0 volumes may stand outside the counters; in order of arrival they count all the same
    if n_volumes - n_m0 in counts:
        return IndexRule(by_repetition=False, m0_counted=True)
    raise ScanHeaderError(
        f"aslcontext: expected {counts[0]} volumes (repetition {n_repetitions} x set {limits['set'].count} x phase"
        f" {limits['phase'].count} of the encodingLimits, M0 volumes aside or not), got {n_volumes}"
    )
