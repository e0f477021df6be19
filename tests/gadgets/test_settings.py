import re
from dataclasses import fields
from pathlib import Path

import pytest

import perfline.config
from perfline.gadgets.errors import ConfigurationError
from perfline.gadgets.settings import Settings, installed_protocols, load_settings


def test_installed_protocol_is_found_by_name():
    settings = load_settings("pcasl_epi_3t")
    assert settings.protocol == "pcasl_epi_3t"
    assert "pcasl_epi_3t" in installed_protocols()


def test_overrides_win_over_the_protocol(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text('[perfusion]\nsubtraction_order = "surround"\n[asl]\nLabelingDuration = 1.5\n')
    assert load_settings(path).subtraction_order == "surround"
    assert load_settings(path, {"subtraction_order": "pairwise"}).subtraction_order == "pairwise"
    assert load_settings(path).asl["LabelingDuration"] == 1.5


def test_text_from_xml_or_the_command_line_is_converted():
    settings = load_settings(overrides={"ghost_filter_weight": "0.5", "series": "cbf,m0"})
    assert (settings.ghost_filter_weight, settings.series) == (0.5, ("cbf", "m0"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[reconstruction\n", "not TOML"),
        ("[recon]\n", r"unknown section \[recon\]"),
        ("[reconstruction]\nghost = 1\n", r"\[reconstruction\]: unknown key 'ghost'"),
        (
            '[perfusion]\nsubtraction_order = "both"\n',
            "subtraction_order: expected one of pairwise, surround, got 'both'",
        ),
        ("[reconstruction]\nghost_filter_weight = 1.0\n", "ghost_filter_weight: expected 0 to 0.99, got 1.0"),
        ('[reconstruction]\nphase_shift_mm = "far"\n', "phase_shift_mm: expected a number, got 'far'"),
        ('[output]\nseries = ["flow"]\n', r"series: expected some of .*, got \['flow'\]"),
    ],
)
def test_a_bad_protocol_is_refused_by_name(tmp_path, text, message):
    path = tmp_path / "bad.toml"
    path.write_text(text)
    with pytest.raises(ConfigurationError, match=f"protocol bad.toml: .*{message}"):
        load_settings(path)


def test_an_unknown_protocol_or_file_is_refused(tmp_path):
    with pytest.raises(ConfigurationError, match=r"no installed protocol 'nothing'; installed: .*pcasl_epi_3t"):
        load_settings("nothing")
    with pytest.raises(ConfigurationError, match=r"can't read .*absent.toml"):
        load_settings(tmp_path / "absent.toml")


def test_every_key_is_documented_and_every_documented_key_exists():
    text = (Path(perfline.config.__file__).parent / "README.md").read_text("utf-8").partition("## Keys")[2]
    documented = set(re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE))
    assert documented == {f.name for f in fields(Settings)} - {"asl", "protocol"}
