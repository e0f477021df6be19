"""How the volumes of a simulated scan are labelled: one delay, several delays, time-encoded or vessel-encoded.

A plan knows nothing of the readout: any goes with any. It tells the labelled components (the blood of one delay, of one
sub-bolus, or of one artery), and the volumes of a block, each with the share of each component that it inverts:

    volume = static - sum_j inverted_j dM_j
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from perfline.recon.asl.encoding import make_encoding
from perfline.recon.asl.hadamard import HADAMARD_SIZES, hadamard_matrix, sub_bolus_times
from perfline.recon.checks import check_non_negative, check_positive
from perfline.recon.errors import InputError
from perfline.recon.parameters import VolumeType

__all__ = ["Delays", "LabelComponent", "LabelPlan", "LabelState", "OneDelay", "TimeEncoding", "VesselEncoding"]


@dataclass(frozen=True)
class LabelComponent:
    """Blood that is told apart from other blood.

    ``labeling_duration`` and ``post_labeling_delay`` [s]; ``artery`` is its place in ``Tissue.arteries``, None for all.
    """

    labeling_duration: float
    post_labeling_delay: float
    artery: int | None = None


@dataclass(frozen=True)
class LabelState:
    """One volume of a block.

    ``inverted`` is the share of each component that is inverted: 0 in a control, 1 in a label. ``phase`` and ``set``
    are its counters.
    """

    volume_type: VolumeType
    inverted: tuple[float, ...]
    phase: int = 0
    set: int = 0


class LabelPlan(ABC):
    """What is labelled, and in which volumes."""

    @abstractmethod
    def components(self, labeling_duration: float, post_labeling_delay: float) -> tuple[LabelComponent, ...]:
        """What is labelled; duration and delay of the recipe [s] serve where the plan has none of its own."""

    @abstractmethod
    def block(self, *, label_first: bool) -> tuple[LabelState, ...]:
        """The volumes that repeat, in the order of acquisition."""

    @property
    def matrix(self) -> tuple[tuple[float, ...], ...]:
        """The ``EncodingMatrix``, a row for each volume of a block; empty for control and label."""
        return ()

    @property
    def n_together(self) -> int:
        """Volumes whose shots may alternate: control and label, or all of an encoded block."""
        return len(self.matrix) or 2 * self.n_of_labeling

    @property
    def n_of_labeling(self) -> int:
        """Volumes that are read after one labelling."""
        return 1


@dataclass(frozen=True)
class OneDelay(LabelPlan):
    """Control and label, with the duration and the delay of the recipe."""

    def components(self, labeling_duration: float, post_labeling_delay: float) -> tuple[LabelComponent, ...]:
        """All blood."""
        return (LabelComponent(labeling_duration, post_labeling_delay),)

    def block(self, *, label_first: bool) -> tuple[LabelState, ...]:
        """A pair."""
        return _pair((0.0,), (1.0,), 0, label_first=label_first)


@dataclass(frozen=True)
class Delays(LabelPlan):
    """A control and a label at each of several delays.

    Parameters
    ----------
    post_labeling_delays : tuple of float
        In the order of acquisition; inversion times for PASL [s].
    labeling_durations : tuple of float
        One for each delay [s]; empty: that of the recipe for all.
    look_locker : bool
        All delays are read after one labelling: the control at each of them, then the label at each.

    Raises
    ------
    InputError
        No delay, a negative one, another number of durations, or delays of a Look-Locker scan that don't ascend or have
        durations of their own.

    Examples
    --------
    >>> [(state.volume_type.value, state.phase) for state in Delays((0.5, 1.5)).block(label_first=False)]
    [('control', 0), ('label', 0), ('control', 1), ('label', 1)]
    >>> train = Delays((0.5, 1.5), look_locker=True)
    >>> [(state.volume_type.value, state.phase) for state in train.block(label_first=False)]
    [('control', 0), ('control', 1), ('label', 0), ('label', 1)]
    """

    post_labeling_delays: tuple[float, ...] = (0.5, 1.0, 1.5, 2.0)
    labeling_durations: tuple[float, ...] = ()
    look_locker: bool = False

    def __post_init__(self) -> None:
        if not self.post_labeling_delays:
            raise InputError("post_labeling_delays: expected one or more, got none")
        for delay in self.post_labeling_delays:
            check_non_negative("post_labeling_delays", delay, "s")
        if len(self.labeling_durations) not in (0, len(self.post_labeling_delays)):
            raise InputError(
                f"labeling_durations: expected none, or one for each of {len(self.post_labeling_delays)} delays, got"
                f" {len(self.labeling_durations)}"
            )
        for duration in self.labeling_durations:
            check_positive("labeling_durations", duration, "s")
        if self.look_locker:
            self._check_train()

    def _check_train(self) -> None:
        if self.labeling_durations:
            raise InputError(
                f"labeling_durations: expected none for a Look-Locker scan, got {len(self.labeling_durations)}"
            )
        if not all(one < other for one, other in pairwise(self.post_labeling_delays)):
            raise InputError(
                f"post_labeling_delays: expected ascending ones for a Look-Locker scan, got {self.post_labeling_delays}"
            )

    @property
    def n_of_labeling(self) -> int:
        """All delays of a Look-Locker scan."""
        return len(self.post_labeling_delays) if self.look_locker else 1

    def components(self, labeling_duration: float, post_labeling_delay: float) -> tuple[LabelComponent, ...]:
        """All blood at each delay."""
        n = len(self.post_labeling_delays)
        durations = self.labeling_durations or (labeling_duration,) * n
        return tuple(map(LabelComponent, durations, self.post_labeling_delays))

    def block(self, *, label_first: bool) -> tuple[LabelState, ...]:
        """A pair at each delay."""
        n = len(self.post_labeling_delays)
        states: list[LabelState] = []
        for phase in range(n):
            label = tuple(float(number == phase) for number in range(n))
            states += _pair((0.0,) * n, label, phase, label_first=label_first)
        # the first halves of all pairs, then the second ones
        return (*states[::2], *states[1::2]) if self.look_locker else tuple(states)


@dataclass(frozen=True)
class TimeEncoding(LabelPlan):
    """Hadamard-encoded sub-boli; the delay of the recipe is that after the last one.

    Parameters
    ----------
    size : int
        Cycles of a block, one of `HADAMARD_SIZES` but 2; there is one sub-bolus less.
    order : str
        ``natural`` or ``walsh``, see `hadamard_matrix`.
    sub_bolus_durations : tuple of float
        In order of time [s]; one stands for all.

    Raises
    ------
    InputError
        There is no such matrix, or another number of durations.

    Examples
    --------
    >>> [round(one.post_labeling_delay, 3) for one in TimeEncoding(4, "walsh", (0.6,)).components(1.8, 0.5)]
    [1.7, 1.1, 0.5]
    """

    size: int = 8
    order: str = "natural"
    sub_bolus_durations: tuple[float, ...] = (0.4,)

    def __post_init__(self) -> None:
        if self.size == min(HADAMARD_SIZES):
            raise InputError(f"size: expected several sub-boli, got {self.size} cycles: that is control and label")
        _ = self.matrix
        if len(self.sub_bolus_durations) not in (1, self.size - 1):
            raise InputError(
                f"sub_bolus_durations: expected one, or {self.size - 1}, got {len(self.sub_bolus_durations)}"
            )
        sub_bolus_times(self.sub_bolus_durations, 0.0)

    @property
    def matrix(self) -> tuple[tuple[float, ...], ...]:
        """The Hadamard matrix."""
        if self.order not in ("natural", "walsh"):
            raise InputError(f"order: expected natural or walsh, got {self.order!r}")
        matrix = hadamard_matrix(self.size, "walsh" if self.order == "walsh" else "natural")
        return tuple(tuple(row) for row in matrix.tolist())

    def components(self, labeling_duration: float, post_labeling_delay: float) -> tuple[LabelComponent, ...]:
        """All blood of each sub-bolus."""
        durations = self.sub_bolus_durations
        durations = durations if len(durations) > 1 else durations * (self.size - 1)
        return tuple(map(LabelComponent, *sub_bolus_times(durations, post_labeling_delay)))

    def block(self, *, label_first: bool) -> tuple[LabelState, ...]:
        """The cycles."""
        return _cycles(self.matrix, label_first=label_first)


@dataclass(frozen=True)
class VesselEncoding(LabelPlan):
    """The arteries of the phantom, inverted more or less in each cycle; duration and delay are those of the recipe.

    Parameters
    ----------
    encoding_matrix : tuple of tuples of float
        A row for each cycle, a column of ones for the static tissue and one for each artery: 1 where its blood is left
        as in a control, -1 where it is inverted, between them as measured.

    Raises
    ------
    InputError
        Not such a matrix.
    ConditioningError
        It is singular.
    """

    encoding_matrix: tuple[tuple[float, ...], ...] = (
        (1.0, 1.0, 1.0, 1.0),
        (1.0, -1.0, -1.0, -1.0),
        (1.0, -0.95, 0.9, -0.2),
        (1.0, 0.9, -0.92, 0.1),
        (1.0, 0.85, 0.8, -0.9),
        (1.0, -0.8, -0.85, 0.88),
    )

    def __post_init__(self) -> None:
        make_encoding(np.array(self.encoding_matrix))

    @property
    def matrix(self) -> tuple[tuple[float, ...], ...]:
        """As given."""
        return self.encoding_matrix

    def components(self, labeling_duration: float, post_labeling_delay: float) -> tuple[LabelComponent, ...]:
        """The blood of each artery."""
        n_arteries = len(self.encoding_matrix[0]) - 1
        return tuple(LabelComponent(labeling_duration, post_labeling_delay, artery) for artery in range(n_arteries))

    def block(self, *, label_first: bool) -> tuple[LabelState, ...]:
        """The cycles."""
        return _cycles(self.encoding_matrix, label_first=label_first)


def _pair(
    control: tuple[float, ...], label: tuple[float, ...], phase: int, *, label_first: bool
) -> tuple[LabelState, ...]:
    pair = (LabelState(VolumeType.CONTROL, control, phase, 0), LabelState(VolumeType.LABEL, label, phase, 1))
    return pair[::-1] if label_first else pair


def _cycles(matrix: Sequence[Sequence[float]], *, label_first: bool) -> tuple[LabelState, ...]:
    """From entries of 1 to -1 to what is inverted; a row without inversion is called control."""
    if label_first:
        raise InputError("label_first: expected false for an encoded scan, whose rows are played in order")
    amounts = (1 - make_encoding(matrix).components) / 2
    return tuple(
        LabelState(VolumeType.LABEL if any(row) else VolumeType.CONTROL, tuple(row), 0, number)
        for number, row in enumerate(amounts.tolist())
    )
