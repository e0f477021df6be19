"""Which delays a scan has, by its header: this decides whether one formula or a fit over all gives the blood flow."""

from collections.abc import Sequence

from perfline.gadgets.stage_data import AslParameters
from perfline.recon.asl.cbf import total_labeling_efficiency
from perfline.recon.asl.hadamard import sub_bolus_times
from perfline.recon.asl.labeling import Labeling
from perfline.recon.parameters import VolumeType

__all__ = ["delay_groups", "is_fitted", "kinetic_labeling", "sub_boli"]


def sub_boli(asl: AslParameters) -> tuple[tuple[float, ...], tuple[float, ...]] | None:
    """Durations and delays of the sub-boli of a time-encoded scan [s]; None for any other.

    A scan is time-encoded where each column of its matrix but the static one has a labelling duration of its own.
    """
    durations, delays = asl.labeling_duration, asl.post_labeling_delay
    n_components = len(asl.encoding_matrix[0]) - 1 if asl.encoding_matrix else 0
    if not len(durations) == n_components > 1:
        return None
    return sub_bolus_times(durations, delays[0]) if len(delays) == 1 else (durations, delays)


def delay_groups(asl: AslParameters) -> tuple[tuple[float, float], ...]:
    """Delay and duration of each group of differences that the scan will give.

    Parameters
    ----------
    asl : AslParameters

    Returns
    -------
    tuple of (float, float)
        Post-labelling delay and labelling duration [s], each pair once, ascending. Of a time-encoded scan those of its
        sub-boli.
    """
    if (encoded := sub_boli(asl)) is not None:
        return tuple(sorted(zip(encoded[1], encoded[0], strict=True)))
    durations, delays = asl.labeling_duration, asl.post_labeling_delay
    n = max(len(durations), len(delays))
    durations = durations if len(durations) == n else durations * n
    delays = delays if len(delays) == n else delays * n
    # one value for each volume: those of M0 volumes mean nothing
    is_label = [kind is VolumeType.LABEL for kind in asl.volume_types] if len(asl.volume_types) == n else [True] * n
    return tuple(
        sorted({times for times, used in zip(zip(delays, durations, strict=True), is_label, strict=True) if used})
    )


def is_fitted(asl: AslParameters) -> bool:
    """Whether blood flow comes from a fit over several delays: without M0 there is none."""
    return len(delay_groups(asl)) > 1 and asl.m0_type != "Absent"


def kinetic_labeling(asl: AslParameters, groups: Sequence[tuple[float, float]]) -> Labeling:
    """Labelling of some delays, for the kinetic model.

    Parameters
    ----------
    asl : AslParameters
    groups : sequence of (float, float)
        Post-labelling delay and labelling duration [s], such as `delay_groups`.

    Returns
    -------
    Labeling
    """
    return Labeling(
        labeling_type=asl.labeling_type,
        post_labeling_delay=[delay for delay, _ in groups],
        labeling_duration=[duration for _, duration in groups],
        labeling_efficiency=total_labeling_efficiency(asl.labeling_efficiency, asl.background_suppression_pulses),
        blood_t1=asl.blood_t1,
        partition_coefficient=asl.partition_coefficient,
    )
