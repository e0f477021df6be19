"""The import arrows of the project: recon <- gadgets.stages <- gadgets.mrd, gadgets.writers <- hosts and commands."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MODULES = sorted([*ROOT.glob("recon/**/*.py"), *ROOT.glob("gadgets/**/*.py")])
RECON_THIRD_PARTY = {"numpy", "scipy", "numba", "llvmlite"}
RECON_STANDARD_LIBRARY = {
    "bisect",
    "collections",
    "copy",
    "dataclasses",
    "enum",
    "functools",
    "itertools",
    "math",
    "operator",
    "types",
    "typing",
}
FOUNDATION = {"stage_data", "errors", "settings", "summary"}
"""Modules of gadgets that every other one may import."""
MIDDLE = {"mrd", "writers"}


def imported_modules(path: Path) -> set[str]:
    """Absolute names of all modules that a file imports, wherever in the file."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names.add(node.module or "")
    return names


def test_there_are_modules_to_check():
    assert len(MODULES) > 20


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(ROOT)))
def test_nothing_imports_the_bare_folders(path):
    roots = {name.split(".")[0] for name in imported_modules(path)}
    assert not roots & {"recon", "gadgets", "config"}


@pytest.mark.parametrize("path", [p for p in MODULES if p.is_relative_to(ROOT / "recon")], ids=lambda p: p.name)
def test_recon_imports_only_numerics(path):
    for name in imported_modules(path):
        root = name.split(".")[0]
        if root == "perfline":
            assert name.startswith("perfline.recon"), f"recon imports {name}"
        else:
            assert root in RECON_THIRD_PARTY | RECON_STANDARD_LIBRARY, f"recon imports {name}"


def gadgets_room(name: str) -> str | None:
    """`perfline.gadgets.mrd.wire` -> `mrd`; None for what is not in gadgets."""
    parts = name.split(".")
    return parts[2] if parts[:2] == ["perfline", "gadgets"] and len(parts) > 2 else None


@pytest.mark.parametrize(
    ("folder", "allowed"),
    [
        ("stages", FOUNDATION | {"stages"}),
        ("mrd", FOUNDATION | {"stages"} | MIDDLE),
        ("writers", FOUNDATION | {"stages"} | MIDDLE),
    ],
)
def test_gadgets_import_only_downwards(folder, allowed):
    for path in (ROOT / "gadgets" / folder).glob("*.py"):
        rooms = {gadgets_room(name) for name in imported_modules(path)} - {None}
        assert rooms <= allowed, f"{path.name} imports {rooms - allowed}"


def test_foundation_imports_nothing_above_it():
    for stem in FOUNDATION:
        files = [ROOT / "gadgets" / f"{stem}.py", *(ROOT / "gadgets" / stem).glob("*.py")]
        for path in filter(Path.is_file, files):
            rooms = {gadgets_room(name) for name in imported_modules(path)} - {None}
            assert rooms <= FOUNDATION


def test_importing_everything_leaves_no_second_copy():
    names = [
        ".".join(("perfline", *p.relative_to(ROOT).with_suffix("").parts)).removesuffix(".__init__")
        for p in MODULES
        if p.name != "__main__.py" and "bench" not in p.parts
    ]
    code = (
        "import importlib, sys\n"
        f"for name in {names!r}: importlib.import_module(name)\n"
        "assert 'recon' not in sys.modules and 'gadgets' not in sys.modules and 'config' not in sys.modules"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd="/")
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(ROOT)))
def test_every_module_lists_its_public_names(path):
    tree = ast.parse(path.read_text("utf-8"))
    assert ast.get_docstring(tree), "no docstring"
    if path.name in ("__init__.py", "__main__.py"):
        return
    targets = [
        t.id for node in tree.body if isinstance(node, ast.Assign) for t in node.targets if isinstance(t, ast.Name)
    ]
    assert "__all__" in targets
