"""What the pixels of a DICOM series stand for: unit, name, and the fixed scale of its 16-bit integers.

Pixels are signed 16-bit integers, ``value = slope * pixel``; the slope belongs to the quantity, never to the image:

==============================  ==============  ==================  ==================================================
quantity                        slope           range               unit (UCUM)
==============================  ==============  ==================  ==================================================
cerebral blood flow             0.05            -1638 to 1638       ``mL/(100.g.min)``
renal blood flow                0.1             -3276 to 3276       ``mL/(100.g.min)``
arterial transit time           0.001           -32.7 to 32.7       ``s``
control minus label             from signal     - top to top        ``[arb'U]``
blood flow without M0           0.05 signal     -1638 to 1638 of    ``[arb'U]``
                                                the signal
==============================  ==============  ==================  ==================================================

Raw data have no unit. There the slope comes from the signal that the scan started with: the largest value of M0, or,
where there is no M0, of the first control image. ``top`` is a quarter of M0, of which perfusion takes a few hundredths;
or the whole of a control image, whose background may be suppressed. The slope is rounded up to 1, 2 or 5 times a power
of ten, and stated in the file. A voxel without a value (NaN, infinite) is ``PADDING``; a value beyond the range takes
its end, and is counted.
"""

import math
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from perfline.gadgets.writers.display_windows import FLOW_WINDOWS, TRANSIT_TIME_WINDOW
from perfline.recon.checks import check_positive
from perfline.recon.errors import InputError

__all__ = ["LARGEST_PIXEL", "PADDING", "Quantity", "delta_m_quantity", "flow_quantity", "stored_pixels", "transit_time"]

PADDING: Final = -32768
"""Pixel of a voxel without a value."""

LARGEST_PIXEL: Final = 32767
"""The smallest one that stands for a value is its negative."""

_FLOW_UNIT: Final = ("mL/(100.g.min)", "milliliter per 100 gram per minute")
_ARBITRARY: Final = ("[arb'U]", "arbitrary unit")
_SECOND: Final = ("s", "second")


@dataclass(frozen=True)
class Quantity:
    """A quantity and how it is stored.

    ``contrast`` is value 4 of the image type. ``unit`` is code and meaning (UCUM), ``definition`` code and meaning
    (DCM). ``window`` is what a viewer shows at first, in the unit, None where nothing can be said beforehand.
    """

    name: str
    meaning: str
    contrast: str
    unit: tuple[str, str]
    definition: tuple[str, str]
    slope: float
    window: tuple[float, float] | None


_FLOWS: Final = {
    "CBF": Quantity(
        "CBF",
        "Cerebral blood flow",
        "RCBF",
        _FLOW_UNIT,
        ("113055", "Regional Cerebral Blood Flow"),
        0.05,
        FLOW_WINDOWS["CBF"],
    ),
    "RBF": Quantity(
        "RBF",
        "Renal blood flow",
        "RBF",
        _FLOW_UNIT,
        ("126390", "Absolute Regional Blood Flow"),
        0.1,
        FLOW_WINDOWS["RBF"],
    ),
}


def flow_quantity(name: str, signal: float | None = None) -> Quantity:
    """Blood flow.

    Parameters
    ----------
    name : str
        ``CBF`` or ``RBF``.
    signal : float, optional
        Largest signal of the scan, where there is no M0 and the flow is relative.

    Raises
    ------
    InputError
        Another name, or a signal that is not positive.
    """
    if name not in _FLOWS:
        raise InputError(f"name: expected {' or '.join(_FLOWS)}, got {name!r}")
    flow = _FLOWS[name]
    if signal is None:
        return flow
    check_positive("signal", signal)
    return replace(
        flow,
        meaning=f"Relative {flow.meaning.lower()}",
        unit=_ARBITRARY,
        definition=("126397", "Relative Regional Blood Flow"),
        slope=_rounded_up(flow.slope * signal),
        window=None,
    )


def transit_time() -> Quantity:
    """Arterial transit time."""
    definition = ("126371", "Bolus Arrival Time")
    return Quantity("ATT", "Arterial transit time", "ATT", _SECOND, definition, 0.001, TRANSIT_TIME_WINDOW)


def delta_m_quantity(top: float) -> Quantity:
    """Mean of control minus label.

    Parameters
    ----------
    top : float
        Largest difference that can be stored.

    Raises
    ------
    InputError
        It is not positive.

    Examples
    --------
    >>> delta_m_quantity(24.1).slope
    0.001
    """
    check_positive("top", top)
    definition = ("110800", "Spin Tagging Perfusion MR Signal Intensity")
    slope = _rounded_up(top / LARGEST_PIXEL)
    return Quantity("deltaM", "Control minus label", "SUBTRACTION", _ARBITRARY, definition, slope, None)


def stored_pixels(image: NDArray[np.float32], slope: float) -> tuple[NDArray[np.int16], int]:
    """Integers of an image.

    Parameters
    ----------
    image : float32 array
    slope : float
        Of one step.

    Returns
    -------
    pixels : int16 array
        Of the same shape.
    n_clipped : int
        Voxels whose value is beyond the range.

    Examples
    --------
    >>> stored_pixels(np.array([0.26, -3, np.nan, 1e6], np.float32), 0.1)
    (array([     3,    -30, -32768,  32767], dtype=int16), 1)
    """
    check_positive("slope", slope)
    has_value = np.isfinite(image)
    steps = np.rint(np.where(has_value, image, 0.0).astype(np.float64) / slope)
    n_clipped = int(np.count_nonzero(np.abs(steps) > LARGEST_PIXEL))
    pixels = np.clip(steps, -LARGEST_PIXEL, LARGEST_PIXEL).astype(np.int16)
    pixels[~has_value] = PADDING
    return pixels, n_clipped


def _rounded_up(value: float) -> float:
    """The next number of the form 1, 2, 5 times a power of ten, exact to the last digit that is written."""
    exponent = math.floor(math.log10(value))
    for digit in (1, 2, 5, 10):
        candidate = float(f"{digit}e{exponent}")
        # a value that is such a number itself, but for the rounding of its division, is not pushed to the next one
        if candidate >= value * (1 - 1e-12):
            return candidate
    return float(f"1e{exponent + 1}")
