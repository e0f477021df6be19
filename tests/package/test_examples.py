"""The examples in docstrings are run, in the modules as they are imported."""

import doctest
import importlib
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
MODULES = sorted(
    ".".join(("perfline", *path.relative_to(ROOT).with_suffix("").parts))
    for folder in ("recon", "gadgets")
    for path in (ROOT / folder).rglob("*.py")
    if ">>> " in path.read_text("utf-8")
)


def test_there_are_examples():
    assert len(MODULES) > 20


@pytest.mark.parametrize("name", MODULES)
def test_examples_give_what_they_say(name):
    module = importlib.import_module(name)
    flags = doctest.NORMALIZE_WHITESPACE | doctest.IGNORE_EXCEPTION_DETAIL
    result = doctest.testmod(module, extraglobs={"np": np}, optionflags=flags)
    assert result.attempted > 0
    assert result.failed == 0
