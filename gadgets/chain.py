"""The chain: a Gadgetron v2 configuration read into the stages that run it, the same in every host.

Only the entry points listed in `GADGETS` may be named: what comes over the network never selects a module to import.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from types import MappingProxyType
from typing import Any, Final
from xml.etree.ElementTree import Element

from perfline.gadgets.errors import ConfigurationError, ScanHeaderError
from perfline.gadgets.mrd.safe_xml import parse_xml
from perfline.gadgets.settings import Settings, installed_protocols, load_settings
from perfline.gadgets.stage_data import ScanHeader, SideData
from perfline.gadgets.stages.accumulate import Accumulate
from perfline.gadgets.stages.accumulate_spiral import AccumulateSpiral
from perfline.gadgets.stages.assess import Assess
from perfline.gadgets.stages.average import Average
from perfline.gadgets.stages.average_selected import AverageSelected
from perfline.gadgets.stages.calibrate import Calibrate
from perfline.gadgets.stages.check_flow import CheckFlow
from perfline.gadgets.stages.decode import Decode
from perfline.gadgets.stages.delays import is_fitted
from perfline.gadgets.stages.fit_delays import FitDelays
from perfline.gadgets.stages.label import Label
from perfline.gadgets.stages.pair import Pair
from perfline.gadgets.stages.quantify import Quantify
from perfline.gadgets.stages.reconstruct_epi import ReconstructEpi
from perfline.gadgets.stages.reconstruct_spiral import ReconstructSpiral
from perfline.gadgets.stages.stage import Stage
from perfline.gadgets.stages.subtract import Subtract
from perfline.gadgets.stages.territories import Territories
from perfline.recon.errors import InputError
from perfline.recon.parameters import SubtractionDomain, SubtractionOrder

__all__ = ["GADGETS", "Chain", "build_stages", "installed_chains", "load_chain", "node_chain", "parse_chain"]

Builder = Callable[[ScanHeader, Settings, SideData], list[Stage]]


def _epi_recon(header: ScanHeader, settings: Settings, side: SideData) -> list[Stage]:
    if header.spiral is not None:
        raise ScanHeaderError(
            f"epi_recon: expected encoding.trajectory epi, got {header.trajectory}: that is for spiral_recon, or for"
            " realtime_perfusion, which takes both"
        )
    return [Accumulate(header, settings), ReconstructEpi(header, settings)]


def _spiral_recon(header: ScanHeader, settings: Settings, side: SideData) -> list[Stage]:
    if header.spiral is None:
        raise ScanHeaderError(
            f"spiral_recon: expected another encoding.trajectory than {header.trajectory}: that is for epi_recon, or"
            " for realtime_perfusion, which takes both"
        )
    return [AccumulateSpiral(header, settings, side), ReconstructSpiral(header, settings, side.field_map)]


def _any_recon(header: ScanHeader, settings: Settings, side: SideData) -> list[Stage]:
    recon = _epi_recon if header.spiral is None else _spiral_recon
    return recon(header, settings, side)


def _asl_subtraction(header: ScanHeader, settings: Settings, side: SideData) -> list[Stage]:
    _require_asl(header, "asl_subtraction")
    order, domain = SubtractionOrder(settings.subtraction_order), SubtractionDomain(settings.subtraction_domain)
    if header.asl is not None and header.asl.encoding_matrix:
        return [Label(header), Decode(header, domain)]
    last_pair = header.limits["repetition"].maximum if _is_one_pair_per_repetition(header) else None
    return [Label(header), Pair(order, domain, last_pair), Subtract(domain)]


def _cbf_quantification(header: ScanHeader, settings: Settings, side: SideData) -> list[Stage]:
    _require_asl(header, "cbf_quantification")
    average: Stage = AverageSelected(header, settings) if _is_selective(settings) else Average()
    stages: list[Stage] = [average, Calibrate(header, side.separate_m0)]
    assess = Assess(header, settings, side)
    if header.asl is not None and is_fitted(header.asl):
        if side.transit_time is not None:
            raise ScanHeaderError(
                f"{side.transit_time.name}: expected none for a scan of several delays, which measures transit times"
            )
        return [*stages, FitDelays(header, settings), CheckFlow(header), assess]
    if header.asl is not None and header.asl.encoding_matrix:
        stages.append(Territories(header))
    return [*stages, Quantify(header, transit_time=side.transit_time), CheckFlow(header), assess]


def _realtime_perfusion(header: ScanHeader, settings: Settings, side: SideData) -> list[Stage]:
    return [
        *_any_recon(header, settings, side),
        *_asl_subtraction(header, settings, side),
        *_cbf_quantification(header, settings, side),
    ]


def _is_selective(settings: Settings) -> bool:
    """Whether pairs may be left out, or weighed, so that all of them have to be kept."""
    return settings.pair_rejection != "none" or settings.least_likeness > 0 or settings.pair_mean != "arithmetic"


def _is_one_pair_per_repetition(header: ScanHeader) -> bool:
    """Whether ``idx.repetition`` numbers the pairs, so that its limit names the last one."""
    limits = header.limits
    return limits["set"].count == 2 and limits["phase"].count == 1 and limits["average"].count == 1


def _require_asl(header: ScanHeader, gadget: str) -> None:
    if header.asl is None:
        raise ScanHeaderError(
            f"{gadget}: the scan declares no arterial spin labelling: expected ArterialSpinLabelingType in a sidecar,"
            " in the protocol's [asl] or in the header's userParameters (images alone: perfline recon)"
        )


GADGETS: Final[Mapping[str, Builder]] = MappingProxyType(
    {
        "realtime_perfusion": _realtime_perfusion,
        "epi_recon": _epi_recon,
        "spiral_recon": _spiral_recon,
        "asl_subtraction": _asl_subtraction,
        "cbf_quantification": _cbf_quantification,
    }
)
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
) -> list[Stage]:
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
    return [stage for name in gadgets for stage in GADGETS[name](header, settings, side or SideData())]


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
    if protocol is not None and not is_own and protocol not in installed_protocols():
        raise ConfigurationError(
            f"chain {name}: protocol: no installed protocol {protocol!r}; installed: {', '.join(installed_protocols())}"
        )
    return Chain(name, tuple(gadgets), MappingProxyType(properties), protocol)


def node_chain(gadget: str, configuration: Element | None) -> Chain:
    """Make the chain of one Gadgetron node from the ``<configuration>`` element that Gadgetron hands to it.

    Parameters
    ----------
    gadget : str
        Key of `GADGETS`.
    configuration : Element, optional
        With ``<property name= value=/>`` children; None where the node has none.
    """
    properties = _properties(configuration)
    protocol = properties.pop("protocol", None)
    return Chain(gadget, (gadget,), MappingProxyType(properties), protocol)


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
        )
    return target
