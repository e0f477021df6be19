"""What the header says of a trajectory that is not Cartesian: its unit, its design, and what the gradients make of it.

Names in ``trajectoryDescription``:

- ``units`` (text): of the trajectories in the readouts; ``normalized`` where it is left out.
- of the identifier ``HargreavesVDS2000``, as Gadgetron reads them: ``interleaves``, ``SamplingTime_ns``,
  ``MaxGradient_G_per_cm``, ``MaxSlewRate_G_per_cm_per_s``, ``krmax_per_cm``, ``FOVCoeff_1_cm``, and ``FOVCoeff_2_cm``
  and so on where ``fov_coefficients`` says that there are more than one.
- ``gradient_delay_read_us``, ``gradient_delay_phase_us``, ``gradient_delay_slice_us``: gradients that come late.

Names in ``userParameters``: ``GIRF_kernel`` with ``GIRF_sampling_time_us``.
"""

import re
from collections.abc import Mapping
from typing import Any, Final, get_args

import numpy as np
from numpy.typing import NDArray

from perfline.gadgets.errors import ScanHeaderError
from perfline.gadgets.mrd.convert import seconds_from_microseconds, seconds_from_nanoseconds
from perfline.gadgets.mrd.mrd_header import MrdHeader
from perfline.gadgets.mrd.parameter_values import choice, count, number, positive
from perfline.gadgets.stage_data import GradientResponse, HargreavesParameters, SpiralParameters
from perfline.recon.parameters import TrajectoryUnits

__all__ = ["read_spiral", "read_units"]

_DESIGN: Final = "HargreavesVDS2000"
_ORIGIN: Final = "header trajectoryDescription"
_COILS: Final = "XYZ"

_UPRIGHT: Final = ("HFS", "HFP", "FFS", "FFP")
"""Patient positions in which left-right, front-back and feet-head lie along the gradient coils X, Y, Z."""

_KERNEL: Final = re.compile(r"\[\s*{0}\s*,\s*{0}\s*,\s*{0}\s*\]".format(r"\[([^\[\]]+)\]"))
_NUMBER: Final = r"[-+]?\s*(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
_COMPLEX: Final = re.compile(rf"\(?\s*(?:({_NUMBER})(?:(?:\s+|(?=[-+]))({_NUMBER})[ij])?|({_NUMBER})[ij])\s*\)?")
"""A real part, an imaginary one with a sign or a space before it, or both."""

_SHOWN = 40
"""Characters of a text that are quoted."""


def read_spiral(mrd: MrdHeader) -> SpiralParameters:
    """Read what concerns the trajectory.

    Parameters
    ----------
    mrd : MrdHeader
        Its ``warnings`` take what is odd.

    Returns
    -------
    SpiralParameters

    Raises
    ------
    ScanHeaderError
        A parameter is missing or can't be used; the text names it.
    """
    given = mrd.trajectory_parameters
    identifier = mrd.text("encoding/trajectoryDescription/identifier")
    if identifier not in (None, _DESIGN) and "units" not in given:
        mrd.warnings.append(f"trajectoryDescription.identifier {identifier} is unknown: not used")
    return SpiralParameters(
        units=read_units(mrd),
        design=_design(given) if identifier == _DESIGN else None,
        gradient_delays=(_delay(given, "read"), _delay(given, "phase"), _delay(given, "slice")),
        gradient_response=_gradient_response(mrd),
    )


def read_units(mrd: MrdHeader) -> str:
    """Read the unit of the trajectories in the readouts.

    Raises
    ------
    ScanHeaderError
        It isn't one of `TrajectoryUnits`.
    """
    return choice(*get_args(TrajectoryUnits))("units", mrd.trajectory_parameters.get("units", "normalized"), _ORIGIN)


def _design(given: Mapping[str, Any]) -> HargreavesParameters:
    n_coefficients = count("fov_coefficients", given.get("fov_coefficients", 1), _ORIGIN)
    if n_coefficients < 1:
        raise ScanHeaderError(f"fov_coefficients ({_ORIGIN}): expected 1 or more, got {n_coefficients}")
    n_interleaves = count("interleaves", _required(given, "interleaves"), _ORIGIN)
    if n_interleaves < 1:
        raise ScanHeaderError(f"interleaves ({_ORIGIN}): expected 1 or more, got {n_interleaves}")
    higher = [f"FOVCoeff_{order}_cm" for order in range(2, n_coefficients + 1)]
    return HargreavesParameters(
        n_interleaves=n_interleaves,
        fov_coefficients_cm=(
            _positive(given, "FOVCoeff_1_cm"),
            *(number(name, _required(given, name), _ORIGIN) for name in higher),
        ),
        max_gradient_g_per_cm=_positive(given, "MaxGradient_G_per_cm"),
        max_slew_rate_g_per_cm_per_s=_positive(given, "MaxSlewRate_G_per_cm_per_s"),
        sampling_time=seconds_from_nanoseconds(_positive(given, "SamplingTime_ns")),
        krmax_per_cm=_positive(given, "krmax_per_cm"),
    )


def _required(given: Mapping[str, Any], name: str) -> Any:
    if name not in given:
        raise ScanHeaderError(f"encoding.trajectoryDescription.{name} is missing: {_DESIGN} needs it")
    return given[name]


def _positive(given: Mapping[str, Any], name: str) -> float:
    return positive(name, _required(given, name), _ORIGIN)


def _delay(given: Mapping[str, Any], axis: str) -> float:
    name = f"gradient_delay_{axis}_us"
    return seconds_from_microseconds(number(name, given.get(name, 0.0), _ORIGIN))


def _gradient_response(mrd: MrdHeader) -> GradientResponse | None:
    """Gadgetron's GIRF: the response of the coils, here taken as that along the patient's axes."""
    given = mrd.user_parameters
    if "GIRF_kernel" not in given:
        return None
    if "GIRF_sampling_time_us" not in given:
        raise ScanHeaderError("userParameters.GIRF_sampling_time_us is missing: GIRF_kernel needs it")
    time_us = positive("GIRF_sampling_time_us", given["GIRF_sampling_time_us"], "header userParameters")
    # a response has no sign, so that head or feet first, on the back or the belly is all the same
    position = mrd.text("measurementInformation/patientPosition")
    if position is None:
        mrd.warnings.append("measurementInformation.patientPosition is missing: GIRF_kernel is used as for HFS")
    elif position not in _UPRIGHT:
        raise ScanHeaderError(
            f"measurementInformation.patientPosition: expected {', '.join(_UPRIGHT)} where a GIRF_kernel is given,"
            f" got {position}"
        )
    return GradientResponse(_kernel(given["GIRF_kernel"]), seconds_from_microseconds(time_us))


def _kernel(text: Any) -> NDArray[np.complex128]:
    """Read Gadgetron's text ``[[x, ...], [y, ...], [z, ...]]`` with complex numbers such as ``(0.9-0.1j)``."""
    found = _KERNEL.fullmatch(text.strip()) if isinstance(text, str) else None
    if found is None:
        raise ScanHeaderError(
            f"GIRF_kernel (header userParameters): expected [[...], [...], [...]] of the coils X, Y, Z,"
            f" got {str(text)[:_SHOWN]!r}"
        )
    rows = [[_complex(part) for part in row.split(",")] for row in found.groups()]
    lengths = [len(row) for row in rows]
    if len(set(lengths)) > 1 or lengths[0] < 2:
        raise ScanHeaderError(
            "GIRF_kernel (header userParameters): expected as many frequencies for each coil, two or more, got"
            f" {', '.join(f'{n} of {coil}' for n, coil in zip(lengths, _COILS, strict=True))}"
        )
    kernel = np.array(rows, np.complex128).T.copy()
    if not np.all(np.isfinite(kernel)):
        raise ScanHeaderError("GIRF_kernel (header userParameters): expected finite numbers")
    return kernel


def _complex(text: str) -> complex:
    found = _COMPLEX.fullmatch(text.strip())
    if found is None:
        raise ScanHeaderError(
            f"GIRF_kernel (header userParameters): expected complex numbers, got {text.strip()[:_SHOWN]!r}"
        )
    real, imaginary = ((part or "0").replace(" ", "") for part in (found[1], found[2] or found[3]))
    return complex(float(real), float(imaginary))
