"""What each volume of a labelled scan is: control, label or M0, its pair, its delay.

The type comes from the declared ``aslcontext``, else from the counter ``set`` (0 control, 1 label); the flag USER1
marks M0 volumes. Nothing is inferred from intensities.
"""

from collections import Counter
from collections.abc import Sequence

from perfline.gadgets.errors import MissingParameterError, ScanHeaderError
from perfline.gadgets.stage_data import Notice, ScanHeader, VolumeKey, VolumeLabel
from perfline.gadgets.stages.aslcontext import find_index_rule
from perfline.recon.parameters import VolumeType

__all__ = ["VolumeOrder"]

_PAIRED = (VolumeType.CONTROL, VolumeType.LABEL)


class VolumeOrder:
    """Describes volumes by their counters.

    Parameters
    ----------
    header : ScanHeader
        With ``asl`` resolved.

    Raises
    ------
    MissingParameterError
        Neither an aslcontext nor a ``set`` counter tells the order of the volumes.
    ScanHeaderError
        Not an ASL scan, or a list of delays or durations has a length that fits nothing.

    Notes
    -----
    Index of a volume in the aslcontext: its repetition, where ``set``, ``phase`` and ``average`` are unused, so that a
    lost volume shifts nothing; else its order of arrival. Pair: with ``set`` as the label state, the repetition (with
    several delays or averages, one number for each); with an aslcontext, the k-th control with the k-th label of the
    same delay.
    """

    def __init__(self, header: ScanHeader) -> None:
        if header.asl is None:
            raise ScanHeaderError("volume order: the header says nothing about labelling (no ArterialSpinLabelingType)")
        self._limits = header.limits
        self._types = header.asl.volume_types
        self._n_delays = header.limits["phase"].count
        self._notices: list[Notice] = []
        self._noted: set[str] = set()
        self._seen: Counter[tuple[VolumeType, int]] = Counter()
        self._n_m0_seen = 0
        if self._types:
            self._rule = find_index_rule(self._types, self._limits)
        else:
            self._check_label_states()
        self._delays = self._checked_list("PostLabelingDelay", header.asl.post_labeling_delay)
        self._durations = self._checked_list("LabelingDuration", header.asl.labeling_duration)
        self._pairs = _pairs_of_context(self._types, self._delays)
        self._check_durations()

    @property
    def n_volumes(self) -> int | None:
        """Volumes of the scan, or None where no aslcontext tells."""
        return len(self._types) or None

    def describe(self, key: VolumeKey, arrival: int) -> VolumeLabel:
        """Say what a volume is; to be asked once for each volume, in order of arrival.

        Parameters
        ----------
        key : VolumeKey
            Counters of the volume.
        arrival : int
            Its number in the scan, from 0; lost volumes count.

        Returns
        -------
        VolumeLabel
            Pair, delay and duration are None for a volume that is neither control nor label. For PASL the delay is
            the inversion time and the duration the bolus cut-off time.

        Raises
        ------
        ScanHeaderError
            More volumes came than the aslcontext has, ``set`` is neither control nor label, or the aslcontext counts M0
            volumes that the limits don't, and none is flagged.
        """
        if self._types:
            index = self._index(key, arrival)
            kind = self._types[index]
            self._check_against_counters(kind, key)
        else:
            index = arrival
            kind = VolumeType.M0SCAN if key.is_m0 else self._type_of_set(key)
        if kind not in _PAIRED:
            return VolumeLabel(kind, index, None, None, None)
        return VolumeLabel(
            volume_type=kind,
            index=index,
            pair=self._pair(kind, index, key),
            post_labeling_delay=self._value_at(self._delays, index, key),
            labeling_duration=self._value_at(self._durations, index, key),
        )

    def take_notices(self) -> list[Notice]:
        """Contradictions found since the last call, each kind reported once."""
        notices, self._notices = self._notices, []
        return notices

    def _check_label_states(self) -> None:
        n_states = self._limits["set"].count
        if n_states == 1:
            raise MissingParameterError(
                "unknown volume order: no aslcontext is given and encodingLimits.set has a maximum of 0; put aslcontext"
                " into *_aslcontext.tsv beside the sidecar, the protocol file, or the userParameters of the MRD header"
            )
        if n_states != 2:
            raise ScanHeaderError(
                f"unknown volume order: encodingLimits.set has {n_states} states, expected 2 (control, label)"
                " or an aslcontext"
            )

    def _checked_list(self, name: str, values: Sequence[float]) -> tuple[float, ...]:
        """One value, one for each delay, or one for each volume of the aslcontext."""
        lengths = {1: "one value"}
        if self._types:
            lengths[len(self._types)] = f"one for each of the {len(self._types)} volumes of aslcontext"
        if self._n_delays > 1:
            lengths[self._n_delays] = f"one for each of the {self._n_delays} delays of encodingLimits.phase"
        if len(values) not in lengths:
            raise ScanHeaderError(f"{name}: expected {' or '.join(lengths.values())}, got {len(values)} values")
        return tuple(values)

    def _check_durations(self) -> None:
        per_volume = len(self._durations) == len(self._types) > 1 and len(self._durations) != self._n_delays
        kinds = self._types if per_volume else (VolumeType.LABEL,) * len(self._durations)
        for i, (duration, kind) in enumerate(zip(self._durations, kinds, strict=True)):
            if kind is VolumeType.LABEL and duration <= 0:
                raise ScanHeaderError(f"LabelingDuration: expected a positive time for each label, got 0 at {i}")

    def _value_at(self, values: tuple[float, ...], index: int, key: VolumeKey) -> float:
        if len(values) == 1:
            return values[0]
        if len(values) == self._n_delays:
            return values[self._delay_of(key)]
        return values[index]

    def _delay_of(self, key: VolumeKey) -> int:
        delay = key.phase - self._limits["phase"].minimum
        if not 0 <= delay < self._n_delays:
            raise ScanHeaderError(f"phase: expected less than {self._n_delays} delays, got {key.phase} ({key})")
        return delay

    def _index(self, key: VolumeKey, arrival: int) -> int:
        index = arrival
        if self._rule.by_repetition:
            index = key.repetition - self._limits["repetition"].minimum
            if not self._rule.m0_counted:
                index = self._index_among_alike(key, index)
        if not 0 <= index < len(self._types):
            raise ScanHeaderError(f"aslcontext: it has {len(self._types)} volumes, but volume {index} came ({key})")
        return index

    def _index_among_alike(self, key: VolumeKey, position: int) -> int:
        """Place in the context, where M0 volumes and the others are counted each for themselves."""
        alike = [i for i, kind in enumerate(self._types) if (kind is VolumeType.M0SCAN) == key.is_m0]
        if key.is_m0:
            position = self._n_m0_seen
            self._n_m0_seen += 1
        index = alike[position] if 0 <= position < len(alike) else len(self._types)
        if not key.is_m0 and self._n_m0_seen == 0 and VolumeType.M0SCAN in self._types[:index]:
            raise ScanHeaderError(
                f"aslcontext: it has {len(self._types)} volumes, encodingLimits.repetition"
                f" {self._limits['repetition'].count}, and no volume before {key} has the flag USER1: which are the M0"
                " volumes can't be known"
            )
        return index

    def _type_of_set(self, key: VolumeKey) -> VolumeType:
        state = key.set - self._limits["set"].minimum
        if state not in (0, 1):
            raise ScanHeaderError(f"set: expected 0 (control) or 1 (label), got {key.set} ({key})")
        return _PAIRED[state]

    def _check_against_counters(self, kind: VolumeType, key: VolumeKey) -> None:
        if key.is_m0 and kind is not VolumeType.M0SCAN:
            self._note(f"aslcontext says {kind}, the flag USER1 says m0scan: the first is used", key)
        elif self._limits["set"].count == 2 and kind in _PAIRED and self._type_of_set(key) is not kind:
            self._note(f"aslcontext says {kind}, the counter set says {self._type_of_set(key)}: the first is used", key)

    def _note(self, text: str, key: VolumeKey) -> None:
        if text not in self._noted:
            self._noted.add(text)
            self._notices.append(Notice("warning", f"{text} (first at {key})"))

    def _pair(self, kind: VolumeType, index: int, key: VolumeKey) -> int:
        delay = self._delay_of(key)
        if not self._types:
            repetition = key.repetition - self._limits["repetition"].minimum
            average = key.average - self._limits["average"].minimum
            # averages last: a header may declare more of them than there are
            return (average * self._limits["repetition"].count + repetition) * self._n_delays + delay
        if self._n_delays == 1:
            return self._pairs[index]
        self._seen[kind, delay] += 1
        return (self._seen[kind, delay] - 1) * self._n_delays + delay


def _pairs_of_context(types: Sequence[VolumeType], delays: Sequence[float]) -> dict[int, int]:
    """Volume index to pair: the k-th control belongs to the k-th label of the same delay."""
    delay_of_volume = delays if len(delays) == len(types) else (delays[0],) * len(types)
    groups: dict[float, int] = {}
    seen: Counter[tuple[VolumeType, float]] = Counter()
    order: dict[int, tuple[int, int]] = {}
    for index, (kind, delay) in enumerate(zip(types, delay_of_volume, strict=True)):
        if kind in _PAIRED:
            group = groups.setdefault(delay, len(groups))
            order[index] = (seen[kind, delay], group)
            seen[kind, delay] += 1
    return {index: rank * len(groups) + group for index, (rank, group) in order.items()}
