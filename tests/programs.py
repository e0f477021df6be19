"""Foreign programs that judge what we write: skipped where they are missing, demanded where CI installs them."""

import os
import shutil
import sys
from pathlib import Path

import pytest


def program(name):
    """Path of a program: beside this Python (those that come as packages) or on the PATH; None if missing."""
    return shutil.which(name, path=str(Path(sys.executable).parent)) or shutil.which(name)


def needs(*names):
    """Mark a test that runs these programs; with PERFLINE_ALL_PROGRAMS set a missing one is an error, not a skip."""
    missing = [name for name in names if program(name) is None]
    if missing and os.environ.get("PERFLINE_ALL_PROGRAMS"):
        raise RuntimeError(f"PERFLINE_ALL_PROGRAMS is set, but {', '.join(missing)} can't be found")
    return pytest.mark.skipif(bool(missing), reason=f"not installed: {', '.join(missing)}")
