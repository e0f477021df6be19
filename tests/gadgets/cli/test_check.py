import sys
import types

import pytest
from click.testing import CliRunner

from perfline.gadgets.cli.check import command


def check(*arguments):
    return CliRunner().invoke(command, [str(argument) for argument in arguments])


def test_a_chain_whose_gadgets_need_a_library_that_is_broken(monkeypatch):
    monkeypatch.setitem(sys.modules, "perfline.gadgets.gadget_stages", None)
    result = check("pcasl_epi")
    assert result.exit_code == 1
    found = "gadget perfline.gadgets.realtime_perfusion can't be imported: ModuleNotFoundError"
    assert f"MISSING OR WRONG: {found}" in result.stdout


def test_a_gadget_without_its_function(monkeypatch):
    monkeypatch.setitem(sys.modules, "perfline.gadgets.epi_recon", types.ModuleType("perfline.gadgets.epi_recon"))
    result = check("epi")
    assert result.exit_code == 1
    assert "gadget perfline.gadgets.epi_recon: expected a function epi_recon in it, got none" in result.stdout


@pytest.mark.parametrize("name", ["pcasl_epi", "pcasl_epi_split", "pcasl_spiral_split", "epi", "asl_images"])
def test_an_installed_chain_is_well(name):
    result = check(name)
    assert result.exit_code == 0
    assert result.stdout.endswith("ok\n")
