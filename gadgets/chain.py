"""The chain: a Gadgetron v2 configuration read into the stages that run it, the same in every host.

Only the entry points listed in `GADGETS` may be named: what comes over the network never selects a module to import.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from importlib import resources
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final
from xml.etree.ElementTree import Element

from perfline.gadgets.errors import ConfigurationError
from perfline.gadgets.mrd.safe_xml import parse_xml
from perfline.gadgets.settings import Settings, installed_protocols, load_settings
from perfline.gadgets.stage_data import ScanHeader, SideData
from perfline.recon.errors import InputError

if TYPE_CHECKING:
    from perfline.gadgets.stages.stage import Stage

__all__ = ["GADGETS", "Chain", "build_stages", "installed_chains", "load_chain", "node_chain", "parse_chain"]

GADGETS: Final = ("realtime_perfusion", "epi_recon", "spiral_recon", "asl_subtraction", "cbf_quantification")
"""Entry points by name; ``perfline.gadgets.NAME`` is the module and ``NAME`` the target of each."""


@dataclass(frozen=True)
class Chain:
    """Gadgets in order, and the properties that the chain gives them."""

    name: str
    gadgets: tuple[str, ...]
    properties: Mapping[str, str]
    protocol: str | None

    def settings(self, overrides: Mapping[str, Any] | None = None) -> Settings:
        """Protocol, then the chain's properties, then overrides.

        Raises
        ------
        ConfigurationError
            As `load_settings`.
        """
        settings = load_settings(self.protocol)
        settings = settings.with_values(self.properties, f"chain {self.name}: property")
        return settings.with_values(overrides or {}, "option")


def build_stages(
    gadgets: Sequence[str],
    header: ScanHeader,
    settings: Settings,
    side: SideData | None = None,
) -> "list[Stage]":
    """Make the stages of some gadgets, in order.

    Parameters
    ----------
    gadgets : sequence of str
        Keys of `GADGETS`.
    header : ScanHeader
    settings : Settings
    side : SideData, optional
        What is given beside the stream.

    Raises
    ------
    ScanHeaderError
        The header can't serve one of the gadgets.
    """
    # the stages need all the numerics: a process that only reads or names chains starts without
    from perfline.gadgets.gadget_stages import BUILDERS

    return [stage for name in gadgets for stage in BUILDERS[name](header, settings, side or SideData())]


def installed_chains() -> tuple[str, ...]:
    """Names of the chains that come with perfline."""
    folder = resources.files("perfline.config") / "chains"
    return tuple(sorted(entry.name[:-4] for entry in folder.iterdir() if entry.name.endswith(".xml")))


def load_chain(name: str) -> Chain:
    """Read an installed chain by its name, with or without ``.xml``.

    Raises
    ------
    ConfigurationError
        No chain of that name is installed; a path never leaves the folder of chains.
    """
    stem = name.removesuffix(".xml")
    if stem not in installed_chains():
        raise ConfigurationError(f"chain: no installed chain {name!r}; installed: {', '.join(installed_chains())}")
    text = (resources.files("perfline.config") / "chains" / f"{stem}.xml").read_bytes()
    return parse_chain(text, stem)


def parse_chain(text: bytes, name: str = "given", *, is_own: bool = False) -> Chain:
    """Read a Gadgetron v2 configuration.

    Parameters
    ----------
    text : bytes
        The XML.
    name : str
        For messages.
    is_own : bool
        True: a file of the person who runs perfline, who may give the path of a protocol. A stranger names an installed
        one.

    Raises
    ------
    ConfigurationError
        Not XML, a DTD, not version 2, no gadget, a gadget outside the allow-list, two different protocols.
    """
    try:
        root = parse_xml(text, f"chain {name}")
    except InputError as error:
        raise ConfigurationError(str(error)) from error
    if root.tag != "configuration":
        raise ConfigurationError(f"chain {name}: expected <configuration>, got <{root.tag}>")
    version = root.findtext("version", "").strip()
    if version != "2":
        raise ConfigurationError(f"chain {name}: expected <version>2</version>, got {version or 'none'}")
    gadgets: list[str] = []
    properties: dict[str, str] = {}
    for child in root.findall("stream/*"):
        gadgets.append(_gadget_name(child, name))
        for key, value in _properties(child.find("configuration")).items():
            if key == "volume_images":
                # what one node hands to the next; in process only the last node's images leave
                properties[key] = value
            elif properties.setdefault(key, value) != value:
                raise ConfigurationError(f"chain {name}: property {key!r} is {properties[key]!r} and {value!r}")
    if not gadgets:
        raise ConfigurationError(f"chain {name}: no gadget in <stream>")
    protocol = properties.pop("protocol", None)
    _check_protocol(name, protocol, is_own)
    return Chain(name, tuple(gadgets), MappingProxyType(properties), protocol)


def node_chain(gadget: str, configuration: Element | None, *, is_own: bool = True) -> Chain:
    """Make the chain of one Gadgetron node from the ``<configuration>`` element that Gadgetron hands to it.

    Parameters
    ----------
    gadget : str
        Key of `GADGETS`.
    configuration : Element, optional
        With ``<property name= value=/>`` children; None where the node has none.
    is_own : bool
        True: Gadgetron has started this process, and may give the path of a protocol. A stranger names an installed
        one.

    Raises
    ------
    ConfigurationError
        A stranger's protocol is not installed.
    """
    properties = _properties(configuration)
    protocol = properties.pop("protocol", None)
    _check_protocol(gadget, protocol, is_own)
    return Chain(gadget, (gadget,), MappingProxyType(properties), protocol)


def _check_protocol(name: str, protocol: str | None, is_own: bool) -> None:
    if protocol is not None and not is_own and protocol not in installed_protocols():
        raise ConfigurationError(
            f"chain {name}: protocol: no installed protocol {protocol!r}; installed: {', '.join(installed_protocols())}"
        )


def _properties(configuration: Element | None) -> dict[str, str]:
    entries = [] if configuration is None else configuration.findall("property")
    return {entry.get("name", ""): entry.get("value", entry.text or "") for entry in entries}


def _gadget_name(element: Element, chain: str) -> str:
    """Check one node of the stream against the allow-list."""
    execute = element.find("execute") if element.tag == "external" else None
    if execute is None:
        what = element.findtext("classname", element.tag)
        raise ConfigurationError(f"chain {chain}: {what}: only <external><execute> nodes of perfline can run here")
    module, target = execute.get("name", ""), execute.get("target", "")
    if execute.get("type") != "python" or target not in GADGETS or module != f"perfline.gadgets.{target}":
        known = ", ".join(f"perfline.gadgets.{gadget} with target {gadget}" for gadget in GADGETS)
        raise ConfigurationError(
            f"chain {chain}: execute name={module!r} target={target!r} is not an allowed gadget; allowed: {known}"
            f"{_what_was_meant(module, target)}"
        )
    return target


def _what_was_meant(module: str, target: str) -> str:
    """Name the gadget that a mistyped one most resembles, as far as there is one."""
    for given in (module.rpartition(".")[2], target):
        for gadget in get_close_matches(given, GADGETS, n=1):
            return f"; meant was perhaps name='perfline.gadgets.{gadget}' target='{gadget}' type='python'"
    return ""
