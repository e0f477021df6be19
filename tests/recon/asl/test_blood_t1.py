import numpy as np
import pytest

from perfline.recon.asl.blood_t1 import blood_t1_at, nominal_field_strength
from perfline.recon.errors import InputError


@pytest.mark.parametrize(
    ("field_strength", "nominal"),
    [(1.425, 1.5), (1.575, 1.5), (2.89362, 3.0), (6.98, 7.0), (1.42, None), (2.8, None), (3.16, None), (7.4, None)],
)
def test_nominal_field(field_strength: float, nominal: float | None) -> None:
    assert nominal_field_strength(field_strength) == nominal


@pytest.mark.parametrize(
    ("field_strength", "blood_t1"),
    [(1.5, 1.35), (1.494, 1.35), (3.0, 1.65), (2.89362, 1.65), (2.85, 1.65), (3.15, 1.65), (7.0, 2.09), (6.98, 2.09)],
)
def test_blood_t1_of_real_fields(field_strength: float, blood_t1: float) -> None:
    assert blood_t1_at(field_strength) == blood_t1


@pytest.mark.parametrize("field_strength", [0.55, 2.8, 3.2, 4.7, 9.4, 30000.0])
def test_unknown_field_is_not_guessed(field_strength: float) -> None:
    with pytest.raises(InputError, match=r"MagneticFieldStrength: .* got .* BloodT1 must be given"):
        blood_t1_at(field_strength)


@pytest.mark.parametrize("field_strength", [0.0, -3.0, np.nan])
def test_field_must_be_a_field(field_strength: float) -> None:
    with pytest.raises(InputError, match="MagneticFieldStrength: expected a positive number"):
        blood_t1_at(field_strength)
