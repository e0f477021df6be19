"""T1 of arterial blood by haematocrit."""

from perfline.recon.asl.blood_t1 import nominal_field_strength
from perfline.recon.constants import BLOOD_T1_HAEMATOCRIT_RANGE, BLOOD_T1_RATE_BY_HAEMATOCRIT
from perfline.recon.errors import InputError

__all__ = ["blood_t1_of_haematocrit"]


def blood_t1_of_haematocrit(haematocrit: float, field_strength: float) -> float:
    """T1 of arterial blood at 3 T for a measured haematocrit.

    Parameters
    ----------
    haematocrit : float
        Volume of red cells as a fraction of that of blood, 0.2 to 0.7.
    field_strength : float
        [T]; within 5 % of 3 T.

    Returns
    -------
    float
        ``1 / (0.38 + 0.52 Hct)`` [s].

    Raises
    ------
    InputError
        Another field strength, or a haematocrit out of range (such as one in per cent).

    References
    ----------
    Lu et al. 2004, Magn Reson Med 52:679, measured from 0.38 to 0.46; outside it is the same straight line.

    Examples
    --------
    >>> round(blood_t1_of_haematocrit(0.42, 2.89), 4)
    1.6711
    """
    if nominal_field_strength(field_strength) != 3.0:
        raise InputError(
            f"MagneticFieldStrength: expected within 5% of 3 T for a blood T1 by haematocrit, got {field_strength:g} T"
        )
    low, high = BLOOD_T1_HAEMATOCRIT_RANGE
    if not low <= haematocrit <= high:
        raise InputError(f"haematocrit: expected a fraction from {low:g} to {high:g}, got {haematocrit:g}")
    intercept, slope = BLOOD_T1_RATE_BY_HAEMATOCRIT
    return 1 / (intercept + slope * haematocrit)
