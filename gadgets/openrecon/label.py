"""The label of an OpenRecon package: what the scanner shows to the operator, and what the container needs.

It is made from the installed chains and the settings, with the words of ``config/openrecon/card.toml``, so that it
can't offer what a scan would refuse. An operator who touches nothing changes nothing: a choice begins at the value that
leaves things as they are, and a number at the default, which has to be the same for all chains of the label.
"""

import base64
import json
import tomllib
from collections.abc import Mapping, Sequence
from importlib import resources
from importlib.metadata import version
from typing import Any, Final

from perfline.gadgets.chain import load_chain
from perfline.gadgets.errors import ConfigurationError
from perfline.gadgets.mrd.json_config import AS_IN_PROTOCOL
from perfline.gadgets.settings import Settings

__all__ = ["LABEL_KEY", "PORT", "encode_label", "label_kinds", "make_label", "parameter_id"]

LABEL_KEY: Final = "com.siemens-healthineers.magneticresonance.openrecon.metadata:1.1.0"
"""Of the image's labels, the one that a scanner reads (software VA60, VA61)."""

PORT: Final = 9002
"""Of the server within the container."""

_PROTOCOL_VERSION: Final = "1.4.1"
"""The only one that the published schema knows."""


def label_kinds() -> tuple[str, ...]:
    """Names of the labels that can be made: by where data leave the scanner's reconstruction."""
    return tuple(_card()["kinds"])


def make_label(kind: str = "raw") -> dict[str, Any]:
    """Make a label.

    Parameters
    ----------
    kind : str
        One of `label_kinds`.

    Returns
    -------
    dict
        For JSON.

    Raises
    ------
    ConfigurationError
        No such kind; or the card offers what a setting or chain doesn't accept, or a number that is another by default
        in one of the chains.

    Examples
    --------
    >>> label = make_label("raw")
    >>> label["reconstruction"]["emitter"], label["reconstruction"]["injector"]
    ('raw', 'image')
    >>> [entry["id"] for entry in label["parameters"]][:3]
    ['config', 'series', 'subtractionorder']
    """
    card = _card()
    if kind not in card["kinds"]:
        raise ConfigurationError(f"label: expected one of {', '.join(card['kinds'])}, got {kind!r}")
    chosen = card["kinds"][kind]
    chains = [load_chain(name).settings() for name in chosen["chains"]]
    parameters = [_chain_parameter(card["chain"], chosen["chains"])]
    parameters += [_parameter(name, card["settings"][name], chains) for name in chosen["settings"]]
    return {
        "general": _general(card["general"], chosen),
        "reconstruction": _reconstruction(chosen),
        "parameters": parameters,
    }


def encode_label(label: Mapping[str, Any]) -> str:
    """Text of a label as the value of `LABEL_KEY`: JSON in base64, in one line.

    Examples
    --------
    >>> encode_label({"general": {}})
    'eyJnZW5lcmFsIjoge319'
    """
    return base64.b64encode(json.dumps(label).encode("utf-8")).decode("ascii")


def parameter_id(setting: str) -> str:
    """Name of a setting as the name of a parameter, which may hold letters and digits alone.

    Examples
    --------
    >>> parameter_id("subtraction_order")
    'subtractionorder'
    """
    return setting.replace("_", "")


def _card() -> dict[str, Any]:
    text = (resources.files("perfline.config") / "openrecon" / "card.toml").read_text("utf-8")
    return tomllib.loads(text)


def _general(general: Mapping[str, str], chosen: Mapping[str, Any]) -> dict[str, Any]:
    name, number = chosen["id"], version("perfline")
    texts = {key: value for key, value in general.items() if key != "vendor"}
    return {
        # the same as the id: archives are named after one or the other
        "name": {"en": name},
        "version": number,
        "vendor": general["vendor"],
        "information": {"en": chosen["information"]},
        "id": name,
        "regulatory_information": {
            "device_trade_name": name,
            "production_identifier": number,
            "material_number": f"{name}_{number}",
            # numbers of devices on the market: it is none
            "gtin": "",
            "udi": "",
            **texts,
        },
    }


def _reconstruction(chosen: Mapping[str, Any]) -> dict[str, Any]:
    keys = (
        "emitter",
        "injector",
        "min_required_memory",
        "min_count_required_cpu_cores",
        "require_readout_filter_off",
    )
    return {
        "transfer_protocol": {"protocol": "ISMRMRD", "version": _PROTOCOL_VERSION},
        "port": PORT,
        "can_process_adjustment_data": False,
        "can_use_gpu": False,
        "min_count_required_gpus": 0,
        "min_required_gpu_memory": 0,
        "content_qualification_type": "RESEARCH",
        **{key: chosen[key] for key in keys if key in chosen},
    }


def _chain_parameter(words: Mapping[str, str], chains: Mapping[str, str]) -> dict[str, Any]:
    return {
        "id": "config",
        "label": {"en": words["label"]},
        "type": "choice",
        "values": [{"id": name, "name": {"en": text}} for name, text in chains.items()],
        "default": next(iter(chains)),
        "information": {"en": words["information"]},
    }


def _parameter(setting: str, words: Mapping[str, Any], chains: Sequence[Settings]) -> dict[str, Any]:
    texts = {"label": {"en": words["label"]}, "information": {"en": words["information"]}}
    if "values" in words:
        for value in words["values"]:
            _accept(setting, value)
        choices = {AS_IN_PROTOCOL: "As in the protocol", **words["values"]}
        return {
            "id": parameter_id(setting),
            **texts,
            "type": "choice",
            "values": [{"id": value, "name": {"en": text}} for value, text in choices.items()],
            "default": AS_IN_PROTOCOL,
        }
    defaults = {getattr(settings, setting) for settings in chains}
    if len(defaults) != 1:
        raise ConfigurationError(
            f"label: {setting}: expected one default in all chains of the label, got {sorted(defaults)}"
        )
    (default,) = defaults
    numbers = {"minimum": words["minimum"], "maximum": words["maximum"], "default": default}
    for number in numbers.values():
        _accept(setting, number)
    return {
        "id": parameter_id(setting),
        **texts,
        "type": "int" if isinstance(default, int) else "double",
        **numbers,
        "unit": {"en": words["unit"]},
    }


def _accept(setting: str, value: object) -> None:
    """Make sure that a scan takes this value; the error is that of the setting."""
    Settings().with_values({setting: value}, "label")
