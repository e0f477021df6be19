import math
from dataclasses import replace

import numpy as np
import pytest
from scan_headers import ASL, scan_header
from spiral_scans import GaussianScan

from perfline.gadgets.chain import GADGETS, build_stages, installed_chains, load_chain, node_chain, parse_chain
from perfline.gadgets.errors import ConfigurationError, MissingParameterError, ScanHeaderError
from perfline.gadgets.settings import Settings
from perfline.gadgets.stage_data import SideData, TransitTimeMap


def chain_xml(nodes: str, version: str = "2") -> bytes:
    return f"<configuration><version>{version}</version><stream>{nodes}</stream></configuration>".encode()


def node(target="epi_recon", module=None, kind="python", properties=""):
    module = f"perfline.gadgets.{target}" if module is None else module
    return (
        f'<external><execute name="{module}" target="{target}" type="{kind}"/>'
        f"<configuration>{properties}</configuration></external>"
    )


def prop(name, value):
    return f'<property name="{name}" value="{value}"/>'


def names(stages):
    return [stage.name for stage in stages]


def test_every_installed_chain_can_be_read_and_built():
    epi, spiral = ({f"pcasl_{kind}", f"pcasl_{kind}_split", kind} for kind in ("epi", "spiral"))
    epi.add("asl_images")
    assert set(installed_chains()) == epi | spiral
    for name in installed_chains():
        chain = load_chain(name)
        header = scan_header() if name in epi else GaussianScan().header
        assert build_stages(chain.gadgets, header, chain.settings())


@pytest.mark.parametrize(("kind", "first"), [("epi", "accumulate"), ("spiral", "accumulate_spiral")])
def test_the_split_chain_has_the_stages_of_the_whole_one(kind, first):
    header, settings = scan_header() if kind == "epi" else GaussianScan().header, Settings()
    whole = build_stages(load_chain(f"pcasl_{kind}").gadgets, header, settings)
    split = build_stages(load_chain(f"pcasl_{kind}_split.xml").gadgets, header, settings)
    assert names(whole) == names(split)
    assert names(whole)[0] == first
    assert names(whole)[-4:] == ["quantify", "check_flow", "assess", "follow_motion"]
    still = build_stages(
        load_chain(f"pcasl_{kind}").gadgets, header, settings.with_values({"motion": "none"}, "option")
    )
    assert names(still) == names(whole)[:-1]


def test_properties_and_protocol_become_settings():
    xml = chain_xml(node(properties=prop("protocol", "pcasl_epi_3t") + prop("ghost_correction", "none")))
    settings = parse_chain(xml).settings({"coil_combination": "sum_of_squares"})
    assert (settings.protocol, settings.ghost_correction) == ("pcasl_epi_3t", "none")
    assert settings.coil_combination == "sum_of_squares"


def test_the_images_between_nodes_do_not_matter_in_process():
    assert load_chain("pcasl_epi_split").settings().volume_images == "magnitude"


@pytest.mark.parametrize(
    ("xml", "message"),
    [
        (b"not xml", "chain given: not XML"),
        (b"<!DOCTYPE x><configuration/>", "chain given: a document type"),
        (chain_xml(node()).decode().encode("utf-16"), "chain given: expected XML in UTF-8"),
        (b"<gadgetronStreamConfiguration/>", "expected <configuration>, got <gadgetronStreamConfiguration>"),
        (chain_xml(node(), version="1"), "expected <version>2</version>, got 1"),
        (b"<configuration><stream/></configuration>", "expected <version>2</version>, got none"),
        (chain_xml(""), "no gadget in <stream>"),
        (
            chain_xml(node(module="os")),
            "name='os' target='epi_recon' is not an allowed gadget; allowed: perfline.gadgets",
        ),
        (chain_xml(node("system", module="os")), "name='os' target='system' is not an allowed gadget"),
        (chain_xml(node("chain")), "name='perfline.gadgets.chain' target='chain' is not an allowed gadget"),
        (chain_xml(node(kind="matlab")), "is not an allowed gadget; .*; meant was perhaps .* type='python'$"),
        (
            chain_xml(node("epi_recom", module="perfline.gadgets.epi_recon")),
            "; meant was perhaps name='perfline.gadgets.epi_recon' target='epi_recon'",
        ),
        (
            chain_xml(node("cbf_quantification", module="perfline.gadget.cbf_quantfication")),
            "; meant was perhaps name='perfline.gadgets.cbf_quantification' target='cbf_quantification'",
        ),
        (chain_xml("<gadget><classname>NoiseAdjustGadget</classname></gadget>"), "NoiseAdjustGadget: only <external>"),
        (
            chain_xml(node(properties=prop("ghost_sharing", "none")) + node(properties=prop("ghost_sharing", "pair"))),
            "property 'ghost_sharing' is 'none' and 'pair'",
        ),
    ],
)
def test_a_chain_that_can_not_run_here_is_refused_by_name(xml, message):
    with pytest.raises(ConfigurationError, match=message):
        parse_chain(xml)


def test_a_wrong_property_is_refused_by_name():
    chain = parse_chain(chain_xml(node(properties=prop("ghost", "none"))), "mine")
    with pytest.raises(ConfigurationError, match="chain mine: property: unknown key 'ghost'"):
        chain.settings()


@pytest.mark.parametrize("path", ["/etc/passwd", "../mine.toml", "mine.toml", "nothing"])
def test_a_stranger_can_not_have_a_file_read_as_protocol(path, tmp_path, monkeypatch):
    (tmp_path / "mine.toml").write_text('[perfusion]\nsubtraction_order = "surround"\n')
    monkeypatch.chdir(tmp_path)
    xml = chain_xml(node(properties=prop("protocol", path)))
    with pytest.raises(ConfigurationError, match=f"chain given: protocol: no installed protocol '{path}'; installed: "):
        parse_chain(xml)
    if path == "mine.toml":
        assert parse_chain(xml, is_own=True).settings().subtraction_order == "surround"


@pytest.mark.parametrize("name", ["nothing", "../chains/epi", "/etc/passwd", "epi.xml.xml", ""])
def test_only_installed_names_are_looked_up(name):
    with pytest.raises(
        ConfigurationError, match=r"no installed chain .*; installed: asl_images, epi, pcasl_epi, pcasl_epi_split, "
    ):
        load_chain(name)


def test_a_node_takes_its_own_properties():
    from xml.etree import ElementTree

    element = ElementTree.fromstring(f"<configuration>{prop('subtraction_order', 'surround')}</configuration>")
    assert node_chain("asl_subtraction", element).settings().subtraction_order == "surround"
    assert node_chain("asl_subtraction", None).gadgets == ("asl_subtraction",)


@pytest.mark.parametrize("gadget", ["realtime_perfusion", "asl_subtraction", "cbf_quantification"])
def test_perfusion_needs_labelling(gadget):
    with pytest.raises(ScanHeaderError, match="declares no arterial spin labelling"):
        build_stages([gadget], scan_header(asl=None), Settings())


def test_images_need_none():
    assert names(build_stages(["epi_recon"], scan_header(asl=None), Settings())) == ["accumulate", "reconstruct_epi"]


def test_the_trajectory_picks_the_branch():
    epi, spiral = scan_header(), GaussianScan().header
    assert names(build_stages(["realtime_perfusion"], epi, Settings()))[:2] == ["accumulate", "reconstruct_epi"]
    stages = build_stages(["realtime_perfusion"], spiral, Settings())
    assert names(stages)[:3] == ["accumulate_spiral", "reconstruct_spiral", "label"]
    assert names(build_stages(["spiral_recon"], replace(spiral, asl=None), Settings())) == names(stages)[:2]


def test_a_gadget_for_another_trajectory_is_refused_with_the_right_one_named():
    with pytest.raises(ScanHeaderError, match=r"epi_recon: expected encoding.trajectory epi, got spiral.*spiral_recon"):
        build_stages(["epi_recon"], GaussianScan().header, Settings())
    with pytest.raises(ScanHeaderError, match=r"spiral_recon: expected another .* than epi: .* for epi_recon, or"):
        build_stages(["spiral_recon"], scan_header(), Settings())


def test_every_gadget_has_its_entry_point():
    import importlib

    for name in GADGETS:
        assert callable(getattr(importlib.import_module(f"perfline.gadgets.{name}"), name))


def test_accelerated_scans_are_refused_at_the_start():
    with pytest.raises(ScanHeaderError, match="parallel imaging of EPI is not supported"):
        build_stages(["epi_recon"], replace(scan_header(), acceleration=2), Settings())


def test_a_map_of_transit_times_needs_the_t1_of_tissue():
    header = scan_header(asl=replace(ASL, perfused_tissue_t1=math.nan))
    side = SideData(transit_time=TransitTimeMap(np.ones((3, 5, 4), np.float32), None, "att.nii"))
    with pytest.raises(MissingParameterError, match=r"GreyMatterT1 is not given, for att\.nii, and has no default"):
        build_stages(["cbf_quantification"], header, Settings(), side)
    assert build_stages(["cbf_quantification"], header, Settings())
