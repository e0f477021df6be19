"""What a viewer shows at first of maps that have a unit: fixed, so that images of different scans can be compared."""

from types import MappingProxyType
from typing import Final

__all__ = ["FLOW_ERROR_WINDOWS", "FLOW_WINDOWS", "TRANSIT_TIME_WINDOW"]

FLOW_WINDOWS: Final = MappingProxyType({"CBF": (0.0, 100.0), "RBF": (0.0, 400.0)})
"""[mL/100g/min]"""

FLOW_ERROR_WINDOWS: Final = MappingProxyType({"CBF": (0.0, 20.0), "RBF": (0.0, 80.0)})
"""Of the standard error [mL/100g/min]."""

TRANSIT_TIME_WINDOW: Final = (0.0, 2.5)
"""[s]"""
