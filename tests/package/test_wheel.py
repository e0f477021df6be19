"""What a user installs: the wheel holds every module and data file of the tree, and nothing else."""

import os
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

import perfline.recon

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("recon", "gadgets", "config")


def test_every_package_on_disk_is_listed():
    listed = set(tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["setuptools"]["packages"])
    on_disk = {
        ".".join(("perfline", *init.parent.relative_to(ROOT).parts))
        for folder in FOLDERS
        for init in (ROOT / folder).rglob("__init__.py")
    }
    assert listed == on_disk


def test_the_tests_run_against_what_was_asked_for():
    wanted = os.environ.get("PERFLINE_FROM")
    if wanted:
        assert Path(perfline.recon.__file__).is_relative_to(wanted)
    else:
        assert Path(perfline.recon.__file__).is_relative_to(ROOT)


@pytest.mark.slow
def test_wheel_holds_the_tree(tmp_path):
    # from a copy: setuptools would add what an earlier build left in build/lib
    source = tmp_path / "source"
    source.mkdir()
    for folder in FOLDERS:
        shutil.copytree(ROOT / folder, source / folder, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    command = [sys.executable, "-m", "build", "--wheel", "--outdir", str(tmp_path), str(source)]
    subprocess.run(command, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    names = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    on_disk = {
        f"perfline/{path.relative_to(ROOT)}"
        for folder in FOLDERS
        for pattern in ("*.py", "*.toml", "*.xml", "*.md", "*.json", "*.html", "Dockerfile", "py.typed")
        for path in (ROOT / folder).rglob(pattern)
    }
    assert names == on_disk
