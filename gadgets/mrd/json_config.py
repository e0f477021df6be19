"""The JSON by which FIRE and OpenRecon hand on what the operator chose at the scanner.

``{"parameters": {"config": "pcasl_epi", "subtraction_order": "surround", ...}}``, as a text message (id 5) after the
header or as configuration text (id 2). ``customconfig``, where it isn't empty, stands above ``config``; the other
entries are settings, with or without the underscores, which OpenRecon doesn't allow in the name of a parameter. Values
may come as text; the word ``protocol`` leaves a setting as the protocol has it.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from types import MappingProxyType
from typing import Any, Final

from perfline.gadgets.errors import ConfigurationError
from perfline.gadgets.mrd.messages import ConfigName, ConfigText
from perfline.gadgets.settings import Settings

__all__ = ["AS_IN_PROTOCOL", "JsonConfig", "parse_json_config", "without_placeholder"]

AS_IN_PROTOCOL: Final = "protocol"
"""Value that leaves a setting as it is: a choice at the scanner can't be left empty."""

_CHAIN_KEYS: Final = ("customconfig", "config")
_PLACEHOLDER: Final = "openrecon"
_NAMES: Final = frozenset(entry.name for entry in fields(Settings)) - {"asl", "protocol"}
_SPELLINGS: Final = {spelling: name for name in _NAMES for spelling in (name, name.replace("_", ""))}


@dataclass(frozen=True)
class JsonConfig:
    """What a JSON configuration says: a chain (None: it names none), settings, and names that mean nothing here."""

    chain: str | None
    settings: Mapping[str, Any]
    unknown: tuple[str, ...]


def parse_json_config(text: str | bytes) -> JsonConfig | None:
    """Read a configuration in JSON.

    Parameters
    ----------
    text : str or bytes

    Returns
    -------
    JsonConfig or None
        None where the text is no JSON object: then it is something else.

    Raises
    ------
    ConfigurationError
        It begins as a JSON object but isn't one, or its ``parameters`` are none.

    Examples
    --------
    >>> found = parse_json_config('{"parameters": {"config": "epi", "n_threads": "2", "sendoriginal": "true"}}')
    >>> found.chain, dict(found.settings), found.unknown
    ('epi', {'n_threads': '2'}, ('sendoriginal',))
    >>> parse_json_config("DBG all is well") is None
    True
    """
    if isinstance(text, bytes):
        text = text.decode("utf-8", "replace")
    if not text.lstrip().startswith("{"):
        return None
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ConfigurationError(f"JSON configuration: not JSON ({error}), it begins with {text[:60]!r}") from error
    parameters = content.get("parameters", {})
    if not isinstance(parameters, dict):
        raise ConfigurationError(f"JSON configuration: parameters: expected an object, got {str(parameters)[:60]!r}")
    names = [parameters.get(key) for key in _CHAIN_KEYS]
    chain = next((name for name in names if isinstance(name, str) and name.strip()), None)
    # an empty field of the scanner's card leaves things as they are
    left = ("", None, AS_IN_PROTOCOL)
    given = {key: value for key, value in parameters.items() if key not in _CHAIN_KEYS and value not in left}
    return JsonConfig(
        None if chain is None else chain.strip(),
        MappingProxyType({_SPELLINGS[key]: value for key, value in given.items() if key in _SPELLINGS}),
        tuple(sorted(key for key in given if key not in _SPELLINGS)),
    )


def without_placeholder(config: ConfigName | ConfigText | None) -> ConfigName | ConfigText | None:
    """Take the word ``openrecon`` for no name: OpenRecon always sends it, and the chain is chosen otherwise."""
    if isinstance(config, ConfigName) and config.name.strip().lower() == _PLACEHOLDER:
        return None
    return config
