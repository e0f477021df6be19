"""Which delays a scan has, by its header: this decides whether one formula or a fit over all gives the blood flow."""

from perfline.gadgets.stage_data import AslParameters
from perfline.recon.asl.cbf import total_labeling_efficiency
from perfline.recon.asl.hadamard import sub_bolus_times
from perfline.recon.asl.labeling import Labeling
from perfline.recon.parameters import VolumeType

__all__ = ["delay_groups", "kinetic_labeling"]


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
    durations, delays = asl.labeling_duration, asl.post_labeling_delay
    n_components = len(asl.encoding_matrix[0]) - 1 if asl.encoding_matrix else 0
    if n_components > 1 and len(durations) == n_components:
        if len(delays) == 1:
            durations, delays = sub_bolus_times(durations, delays[0])
        return tuple(sorted(zip(delays, durations, strict=True)))
    n = max(len(durations), len(delays))
    durations = durations if len(durations) == n else durations * n
    delays = delays if len(delays) == n else delays * n
    # one value for each volume: those of M0 volumes mean nothing
    is_label = [kind is VolumeType.LABEL for kind in asl.volume_types] if len(asl.volume_types) == n else [True] * n
    return tuple(
        sorted({times for times, used in zip(zip(delays, durations, strict=True), is_label, strict=True) if used})
    )


def kinetic_labeling(asl: AslParameters) -> Labeling:
    """Labelling of a scan with several delays, in the order of `delay_groups`, for the kinetic model.

    Parameters
    ----------
    asl : AslParameters

    Returns
    -------
    Labeling
    """
    groups = delay_groups(asl)
    return Labeling(
        labeling_type=asl.labeling_type,
        post_labeling_delay=[delay for delay, _ in groups],
        labeling_duration=[duration for _, duration in groups],
        labeling_efficiency=total_labeling_efficiency(asl.labeling_efficiency, asl.background_suppression_pulses),
        blood_t1=asl.blood_t1,
        partition_coefficient=asl.partition_coefficient,
    )
