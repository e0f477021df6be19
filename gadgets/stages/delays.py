"""Which delays a scan has, by its header: this decides whether one formula or a fit over all gives the blood flow."""

from perfline.gadgets.stage_data import AslParameters
from perfline.recon.asl.hadamard import sub_bolus_times
from perfline.recon.parameters import VolumeType

__all__ = ["blocks_of", "delay_groups", "is_fitted", "pairs_of_block", "sub_boli"]


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


def blocks_of(asl: AslParameters, n_pairs: int, *, of_average: bool = False) -> int | None:
    """Blocks of cycles behind a number of pairs.

    Parameters
    ----------
    asl : AslParameters
    n_pairs : int
        Of a map of blood flow. A fit counts the differences of all sub-boli, so that each block gives several.
    of_average : bool
        The number is that of an average, to which each block gives one difference.

    Returns
    -------
    int or None
        None where the scan is not encoded.
    """
    of_block = pairs_of_block(asl)
    if of_block is None:
        return None
    return n_pairs if of_average else n_pairs // of_block


def pairs_of_block(asl: AslParameters) -> int | None:
    """How many pairs each block of cycles adds to those of a map of blood flow; None where the scan is not encoded."""
    if not asl.encoding_matrix:
        return None
    return len(asl.encoding_matrix[0]) - 1 if is_fitted(asl) else 1
