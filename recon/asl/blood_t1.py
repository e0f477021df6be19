"""T1 of arterial blood by field strength."""

from perfline.recon.checks import check_positive
from perfline.recon.constants import BLOOD_T1, FIELD_STRENGTH_TOLERANCE
from perfline.recon.errors import InputError

__all__ = ["blood_t1_at", "nominal_field_strength"]


def nominal_field_strength(field_strength: float) -> float | None:
    """Nominal field strength of a magnet for which the T1 of blood is known.

    Parameters
    ----------
    field_strength : float
        [T]

    Returns
    -------
    float or None
        1.5, 3 or 7 [T], the one that is no more than 5 % away; None where there is none.

    Raises
    ------
    InputError
        Not a positive number.

    Examples
    --------
    >>> nominal_field_strength(2.89362), nominal_field_strength(4.7)
    (3.0, None)
    """
    check_positive("MagneticFieldStrength", field_strength, "T")
    for nominal in BLOOD_T1:
        if abs(field_strength - nominal) <= FIELD_STRENGTH_TOLERANCE * nominal:
            return nominal
    return None


def blood_t1_at(field_strength: float) -> float:
    """T1 of human arterial blood at a field strength.

    Parameters
    ----------
    field_strength : float
        [T]; within 5 % of 1.5, 3 or 7 T (1.425-1.575, 2.85-3.15, 6.65-7.35).

    Returns
    -------
    float
        [s]

    Raises
    ------
    InputError
        Another field strength: nothing is interpolated.

    References
    ----------
    Those of `perfline.recon.constants.BLOOD_T1`.

    Examples
    --------
    >>> blood_t1_at(2.89362)
    1.65
    """
    nominal = nominal_field_strength(field_strength)
    if nominal is None:
        known = ", ".join(f"{one:g}" for one in BLOOD_T1)
        raise InputError(
            f"MagneticFieldStrength: expected within {FIELD_STRENGTH_TOLERANCE:.0%} of {known} T,"
            f" got {field_strength:g} T; at other fields BloodT1 must be given"
        )
    return BLOOD_T1[nominal]
