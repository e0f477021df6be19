"""How a scan is to be processed: a protocol TOML, then overrides, read once into a frozen `Settings`.

Order: defaults below, then the protocol file, then properties of the chain XML, then the command line; a later one
wins. Every key with its unit and range is in ``config/README.md``.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from importlib import resources
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, get_args

from perfline.gadgets.errors import ConfigurationError
from perfline.recon.parameters import SubtractionDomain, SubtractionOrder, TrajectoryUnits

__all__ = ["SERIES", "Settings", "installed_protocols", "load_settings"]

SERIES = (
    "volumes",
    "perfusion",
    "cbf",
    "standard_error",
    "m0",
    "att",
    "att_standard_error",
    "territories",
    "abv",
    "abv_standard_error",
)
"""Image series that can be sent to the client."""

_SECTIONS = {
    "reconstruction": (
        "ghost_correction",
        "ghost_sharing",
        "ghost_filter_weight",
        "coil_combination",
        "incomplete_volumes",
        "readout_shift_mm",
        "phase_shift_mm",
    ),
    "spiral": (
        "trajectory_units",
        "gradient_delay_read_us",
        "gradient_delay_phase_us",
        "gradient_delay_slice_us",
        "sensitivity_maps",
        "n_virtual_coils",
        "sense_iterations",
        "sense_regularization",
        "sense_start",
        "off_resonance",
        "linear_shim",
        "n_time_segments",
        "gridding_tolerance",
        "n_threads",
    ),
    "perfusion": (
        "subtraction_order",
        "subtraction_domain",
        "pair_rejection",
        "rejection_limit",
        "most_rejected",
        "least_likeness",
        "pair_mean",
        "target_standard_error",
        "motion",
    ),
    "fit": ("arterial_arrival_time", "transit_time_difference", "transit_time_prior", "transit_time_prior_sd"),
    "output": ("series", "volume_images"),
}

_CHOICES = {
    "ghost_correction": ("auto", "navigator", "data", "none"),
    "ghost_sharing": ("none", "pair"),
    "coil_combination": ("adaptive", "sum_of_squares"),
    "incomplete_volumes": ("drop", "zero_fill"),
    "subtraction_order": tuple(SubtractionOrder),
    "subtraction_domain": tuple(SubtractionDomain),
    "pair_rejection": ("none", "outliers"),
    "pair_mean": ("arithmetic", "robust"),
    "motion": ("follow", "none"),
    "volume_images": ("magnitude", "complex"),
    "trajectory_units": ("header", *get_args(TrajectoryUnits)),
    "sensitivity_maps": ("adaptive", "espirit"),
    "sense_start": ("zero", "previous"),
    "off_resonance": ("auto", "none", "field_map", "dual_echo"),
    "linear_shim": ("none", "auto"),
}

# a range of whole numbers wants a whole number
_RANGES: Final[Mapping[str, tuple[float, float]]] = {
    "ghost_filter_weight": (0.0, 0.99),
    "readout_shift_mm": (-1000.0, 1000.0),
    "phase_shift_mm": (-1000.0, 1000.0),
    "gradient_delay_read_us": (-100.0, 100.0),
    "gradient_delay_phase_us": (-100.0, 100.0),
    "gradient_delay_slice_us": (-100.0, 100.0),
    "n_virtual_coils": (0, 256),
    "sense_iterations": (1, 100),
    "sense_regularization": (0.0, 1.0),
    "n_time_segments": (0, 64),
    "gridding_tolerance": (1e-6, 1e-2),
    "n_threads": (0, 64),
    "arterial_arrival_time": (0.0, 5.0),
    "transit_time_difference": (0.0, 5.0),
    "transit_time_prior": (0.0, 5.0),
    "transit_time_prior_sd": (0.05, 5.0),
    "rejection_limit": (1.0, 20.0),
    "most_rejected": (0.0, 0.49),
    "least_likeness": (0.0, 0.999),
    "target_standard_error": (0.0, 1000.0),
}


@dataclass(frozen=True)
class Settings:
    """How a scan is processed; see ``config/README.md`` for each key.

    ``asl`` holds BIDS-named parameters that stand above the MRD header (``ArterialSpinLabelingType = "PCASL"``).
    """

    ghost_correction: str = "auto"
    ghost_sharing: str = "none"
    ghost_filter_weight: float = 0.0
    coil_combination: str = "adaptive"
    incomplete_volumes: str = "drop"
    readout_shift_mm: float = 0.0
    phase_shift_mm: float = 0.0
    trajectory_units: str = "header"
    gradient_delay_read_us: float = 0.0
    gradient_delay_phase_us: float = 0.0
    gradient_delay_slice_us: float = 0.0
    sensitivity_maps: str = "adaptive"
    n_virtual_coils: int = 0
    sense_iterations: int = 8
    sense_regularization: float = 1e-3
    sense_start: str = "zero"
    off_resonance: str = "auto"
    linear_shim: str = "none"
    n_time_segments: int = 0
    gridding_tolerance: float = 4e-4
    n_threads: int = 0
    subtraction_order: str = "pairwise"
    subtraction_domain: str = "magnitude"
    pair_rejection: str = "none"
    rejection_limit: float = 2.5
    most_rejected: float = 0.3
    least_likeness: float = 0.0
    pair_mean: str = "arithmetic"
    target_standard_error: float = 0.0
    motion: str = "follow"
    arterial_arrival_time: float = 0.0
    transit_time_difference: float = 0.0
    transit_time_prior: float = 0.0
    transit_time_prior_sd: float = 1.0
    series: tuple[str, ...] = SERIES
    volume_images: str = "magnitude"
    asl: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    protocol: str = "none"

    def with_values(self, values: Mapping[str, Any], origin: str) -> "Settings":
        """Return a copy with some keys replaced.

        Parameters
        ----------
        values : mapping
            Key to value; text is converted where the key wants a number or a list (comma separated).
        origin : str
            Named in error messages, for example ``protocol pcasl_epi_3t``.

        Raises
        ------
        ConfigurationError
            Unknown key, value of a wrong type, not among the choices, or out of range.
        """
        known = {f.name for f in fields(self)} - {"asl", "protocol"}
        checked: dict[str, Any] = {}
        for key, value in values.items():
            if key not in known:
                raise ConfigurationError(f"{origin}: unknown key {key!r}; known: {', '.join(sorted(known))}")
            checked[key] = _check(key, value, origin)
        return replace(self, **checked)


def _check(key: str, value: object, origin: str) -> Any:
    if key == "series":
        names = tuple(value.split(",")) if isinstance(value, str) else value
        if not isinstance(names, list | tuple) or any(name not in SERIES for name in names):
            raise ConfigurationError(f"{origin}: series: expected some of {', '.join(SERIES)}, got {value!r}")
        return tuple(names)
    if key in _CHOICES:
        if value not in _CHOICES[key]:
            raise ConfigurationError(f"{origin}: {key}: expected one of {', '.join(_CHOICES[key])}, got {value!r}")
        return str(value)
    low, high = _RANGES[key]
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        raise ConfigurationError(f"{origin}: {key}: expected a number, got {value!r}") from None
    if isinstance(value, bool) or not low <= number <= high:
        raise ConfigurationError(f"{origin}: {key}: expected {low:g} to {high:g}, got {value!r}")
    if not isinstance(low, int):
        return number
    if number != int(number):
        raise ConfigurationError(f"{origin}: {key}: expected a whole number, got {value!r}")
    return int(number)


def installed_protocols() -> tuple[str, ...]:
    """Names of the protocols that come with perfline."""
    folder = resources.files("perfline.config") / "protocols"
    return tuple(sorted(entry.name[:-5] for entry in folder.iterdir() if entry.name.endswith(".toml")))


def _protocol_text(protocol: str | Path) -> tuple[str, str]:
    if isinstance(protocol, str) and "/" not in protocol and not protocol.endswith(".toml"):
        if protocol not in installed_protocols():
            names = ", ".join(installed_protocols())
            raise ConfigurationError(f"protocol: no installed protocol {protocol!r}; installed: {names}")
        return (resources.files("perfline.config") / "protocols" / f"{protocol}.toml").read_text("utf-8"), protocol
    path = Path(protocol)
    try:
        return path.read_text("utf-8"), path.name
    except OSError as error:
        raise ConfigurationError(f"protocol: can't read {path}: {error.strerror}") from None


def load_settings(protocol: str | Path | None = None, overrides: Mapping[str, Any] | None = None) -> Settings:
    """Read a protocol and apply overrides.

    Parameters
    ----------
    protocol : str or Path, optional
        Name of an installed protocol, or path of a TOML file.
    overrides : mapping, optional
        Single keys that win over the protocol.

    Raises
    ------
    ConfigurationError
        No such protocol, not TOML, unknown section or key, wrong value.

    Examples
    --------
    >>> load_settings("pcasl_epi_3t").subtraction_order
    'pairwise'
    >>> load_settings(overrides={"subtraction_order": "surround"}).subtraction_order
    'surround'
    """
    settings = Settings()
    if protocol is not None:
        text, name = _protocol_text(protocol)
        try:
            document = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise ConfigurationError(f"protocol {name}: not TOML: {error}") from None
        for section, content in document.items():
            if section == "asl":
                settings = replace(settings, asl=MappingProxyType(dict(content)))
                continue
            if section not in _SECTIONS or not isinstance(content, dict):
                raise ConfigurationError(
                    f"protocol {name}: unknown section [{section}]; known: {', '.join(_SECTIONS)}, asl"
                )
            for key in content:
                if key not in _SECTIONS[section]:
                    raise ConfigurationError(
                        f"protocol {name}: [{section}]: unknown key {key!r}; known: {', '.join(_SECTIONS[section])}"
                    )
            settings = settings.with_values(content, f"protocol {name}")
        settings = replace(settings, protocol=name)
    return settings.with_values(overrides, "option") if overrides else settings
