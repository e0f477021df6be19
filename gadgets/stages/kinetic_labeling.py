"""The labelling of a scan as the kinetic model knows it, from what the header declares."""

from collections.abc import Sequence

from perfline.gadgets.stage_data import AslParameters
from perfline.recon.asl.cbf import total_labeling_efficiency
from perfline.recon.asl.labeling import BolusCutOffTechnique, Labeling

__all__ = ["kinetic_labeling"]


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
        Of QUIPSS with the saturation of its slab, which makes another signal than a bolus that is cut off.
    """
    saturation = 0.0
    if asl.bolus_cut_off_technique == BolusCutOffTechnique.QUIPSS:
        saturation = asl.bolus_cut_off_delay_time or 0.0
    return Labeling(
        labeling_type=asl.labeling_type,
        post_labeling_delay=[delay for delay, _ in groups],
        labeling_duration=[duration for _, duration in groups],
        labeling_efficiency=total_labeling_efficiency(
            asl.labeling_efficiency, asl.background_suppression_pulses, asl.background_suppression_efficiency
        ),
        blood_t1=asl.blood_t1,
        partition_coefficient=asl.partition_coefficient,
        saturation_time=saturation,
    )
