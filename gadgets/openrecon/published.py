"""The published rules for a label: which fields there are, of what type, and which have to be there.

References
----------
Siemens Healthineers, OpenRecon Labels Schema 1.1.0, as published in the repository NeuroDesk/openrecon
(``recipes/OpenReconSchema_1.1.0.json``); the places of emitter and injector that go together: the application
specification tutorial in hank7vshs/CUBRIC_hackathon_open_recon_bart (Siemens Healthcare, MIT licence); choices with a
default among their values, and one parameter ``config``: ``recipes/build.py`` of neurodesk/openrecon.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

__all__ = ["label_problems"]

_MOST_PARAMETERS: Final = 14
_LONGEST_UNIT: Final = 3
_INT_LIMIT: Final = 1 << 31
_SEMANTIC_VERSION: Final = re.compile(
    r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-[0-9a-zA-Z-]+(\.[0-9a-zA-Z-]+)*)?(\+[0-9a-zA-Z-]+(\.[0-9a-zA-Z-]+)*)?"
)
_PLACES: Final = (("raw", "image"), ("raw", "compleximage"), ("image", "image"))
"""Emitter and injector."""

Check = Callable[[object], str | None]
"""Says what was expected, or None where all is well."""


def _text(value: object) -> str | None:
    return None if isinstance(value, str) else "a text"


def _truth(value: object) -> str | None:
    return None if isinstance(value, bool) else "true or false"


def _is_int(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _count_from(least: int) -> Check:
    def check(value: object) -> str | None:
        return None if isinstance(value, int) and _is_int(value) and value >= least else f"an integer from {least}"

    return check


def _integer(value: object) -> str | None:
    is_good = isinstance(value, int) and _is_int(value) and -_INT_LIMIT <= value < _INT_LIMIT
    return None if is_good else "an integer of 32 bits"


def _tenth(value: object) -> str | None:
    # by the quotient, as the validators in use do it: to them 0.3 is no multiple of 0.1
    is_good = isinstance(value, int | float) and not isinstance(value, bool) and (value / 0.1).is_integer()
    return None if is_good else "a number in steps of 0.1"


def _one_of(*allowed: str) -> Check:
    return lambda value: None if value in allowed else f"one of {', '.join(allowed)}"


def _like(pattern: re.Pattern[str], what: str) -> Check:
    return lambda value: None if isinstance(value, str) and pattern.fullmatch(value) else what


def _english(value: object) -> str | None:
    return None if isinstance(value, Mapping) and isinstance(value.get("en"), str) else "an object with a text en"


def _unit(value: object) -> str | None:
    text = value.get("en") if isinstance(value, Mapping) else None
    is_good = isinstance(text, str) and 1 <= len(text) <= _LONGEST_UNIT
    return None if is_good else f"an object with a text en of 1 to {_LONGEST_UNIT} characters"


def _compression(value: object) -> str | None:
    checks = {"require_state": _one_of("on", "off"), "require_number_target_channels": _count_from(1)}
    is_good = isinstance(value, Mapping) and all(key in checks and not checks[key](one) for key, one in value.items())
    return None if is_good else "an object with require_state (on, off) or require_number_target_channels"


def _protocol(value: object) -> str | None:
    is_good = isinstance(value, Mapping) and (value.get("protocol"), value.get("version")) == ("ISMRMRD", "1.4.1")
    return None if is_good else "protocol ISMRMRD in version 1.4.1"


def _choices(value: object) -> str | None:
    wanted = "a list of objects with an id that isn't empty, and a name"
    if not isinstance(value, list) or not value:
        return wanted
    is_good = all(
        isinstance(one, Mapping)
        and set(one) == {"id", "name"}
        and isinstance(one["id"], str)
        and one["id"]
        and not _english(one["name"])
        for one in value
    )
    return None if is_good else wanted


def _anything(value: object) -> str | None:
    return None


# a name that ends in ? needn't be there; what isn't listed may not be there
_Fields = Mapping[str, Check]

_SECTIONS: Final[_Fields] = {"general": _anything, "reconstruction": _anything, "parameters": _anything}

_GENERAL: Final[_Fields] = {
    "name": _english,
    "version": _like(_SEMANTIC_VERSION, "a semantic version"),
    "vendor": _text,
    "information": _english,
    "id": _text,
    "regulatory_information": _anything,
    "license_string?": _text,
}

_REGULATORY: Final[_Fields] = dict.fromkeys(
    (
        "device_trade_name",
        "production_identifier",
        "manufacturer_address",
        "made_in",
        "manufacture_date",
        "material_number",
        "gtin",
        "udi",
        "safety_advices",
        "special_operating_instructions",
        "additional_relevant_information",
    ),
    _text,
)

_RECONSTRUCTION: Final[_Fields] = {
    "transfer_protocol": _protocol,
    "port": _count_from(1),
    "emitter": _one_of("raw", "image"),
    "injector": _one_of("compleximage", "image"),
    "can_use_gpu": _truth,
    "min_required_memory": _count_from(0),
    "min_count_required_cpu_cores": _count_from(1),
    "can_process_adjustment_data?": _truth,
    "min_count_required_gpus?": _count_from(0),
    "min_required_gpu_memory?": _count_from(0),
    "content_qualification_type?": _one_of("PRODUCT", "SERVICE", "RESEARCH"),
    "require_readout_filter_off?": _truth,
    "channel_compression?": _compression,
}

_ANY_PARAMETER: Final[_Fields] = {
    "type": _text,
    "id": _like(re.compile("[A-Za-z0-9]+"), "letters and digits"),
    "label": _english,
    "information?": _english,
}

_PARAMETERS: Final[Mapping[str, _Fields]] = {
    "boolean": {**_ANY_PARAMETER, "default": _truth},
    "string": {**_ANY_PARAMETER, "default?": _text, "isLargeText?": _truth},
    "choice": {**_ANY_PARAMETER, "default": _text, "values": _choices},
    "int": {**_ANY_PARAMETER, **dict.fromkeys(("minimum", "maximum", "default"), _integer), "unit?": _unit},
    "double": {**_ANY_PARAMETER, **dict.fromkeys(("minimum", "maximum", "default"), _tenth), "unit?": _unit},
}


def label_problems(label: object) -> list[str]:
    """Say what is wrong with a label.

    Parameters
    ----------
    label : object
        As read from JSON.

    Returns
    -------
    list of str
        One for each problem: where it is, what is expected, what is there.

    Examples
    --------
    >>> label_problems({"general": {}, "parameters": []})[0]
    'label: expected a field reconstruction'
    """
    return list(_problems(label))


def _problems(label: object) -> Iterator[str]:
    yield from _of_fields("label", label, _SECTIONS)
    if not isinstance(label, Mapping):
        return
    general = label.get("general", {})
    yield from _of_fields("general", general, _GENERAL)
    if isinstance(general, Mapping):
        yield from _of_fields("regulatory_information", general.get("regulatory_information", {}), _REGULATORY)
    reconstruction = label.get("reconstruction", {})
    yield from _of_fields("reconstruction", reconstruction, _RECONSTRUCTION)
    if isinstance(reconstruction, Mapping):
        places = (reconstruction.get("emitter"), reconstruction.get("injector"))
        if places not in _PLACES:
            yield f"reconstruction: expected emitter and injector to go together, got {places[0]} and {places[1]}"
    yield from _of_parameters(label.get("parameters", []))


def _of_parameters(parameters: object) -> Iterator[str]:
    if not isinstance(parameters, list) or not all(isinstance(one, Mapping) for one in parameters):
        yield "parameters: expected a list of objects"
        return
    if len(parameters) > _MOST_PARAMETERS:
        yield f"parameters: expected at most {_MOST_PARAMETERS}, got {len(parameters)}"
    for one in parameters:
        where = f"parameter {one.get('id')!r}"
        fields = _PARAMETERS.get(str(one.get("type")))
        if fields is None:
            yield f"{where}: type: expected one of {', '.join(_PARAMETERS)}, got {one.get('type')!r}"
            continue
        problems = list(_of_fields(where, one, fields))
        yield from problems or _of_values(where, one)
    counts = Counter(one.get("id") for one in parameters)
    yield from (f"parameters: expected one with the id {name!r}, got {n}" for name, n in counts.items() if n > 1)
    configs = [one for one in parameters if one.get("id") == "config"]
    if not configs or configs[0].get("type") != "choice":
        yield "parameters: expected a choice with the id 'config'"


def _of_values(where: str, parameter: Mapping[str, Any]) -> Iterator[str]:
    """Whether the values of a parameter go together; each by itself is good."""
    default = parameter.get("default")
    if parameter["type"] == "choice":
        ids = [one["id"] for one in parameter["values"]]
        if default not in ids:
            yield f"{where}: default: expected one of {', '.join(ids)}, got {default!r}"
        if len(set(ids)) != len(ids):
            yield f"{where}: values: expected different ids, got {', '.join(ids)}"
    elif parameter["type"] in ("int", "double") and not parameter["minimum"] <= default <= parameter["maximum"]:
        yield f"{where}: default: expected {parameter['minimum']} to {parameter['maximum']}, got {default}"


def _of_fields(where: str, value: object, fields: _Fields) -> Iterator[str]:
    if not isinstance(value, Mapping):
        yield f"{where}: expected an object, got {value!r}"
        return
    checks = {name.removesuffix("?"): check for name, check in fields.items()}
    for name in fields:
        if not name.endswith("?") and name not in value:
            yield f"{where}: expected a field {name}"
    for name, one in value.items():
        if name not in checks:
            yield f"{where}: {name}: no such field"
        elif wanted := checks[name](one):
            yield f"{where}: {name}: expected {wanted}, got {one!r}"
