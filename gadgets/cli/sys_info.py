"""``perfline sys-info``: what a bug report or a benchmark needs to know of the machine and the installation."""

import importlib
import json
import os
import platform
import re
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, distribution, version
from pathlib import Path
from typing import Any

import click

__all__ = ["command", "system_information"]

_CPU_FILE = Path("/proc/cpuinfo")
_MEMORY_FILE = Path("/proc/meminfo")
_NAME = re.compile(r"^[\w.-]+")
_EXTRA = re.compile(r"""extra == ['"]([\w-]+)""")
"""Of the core metadata: ``name[extras]>=version; extra == "view"``."""


@click.command("sys-info")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def command(as_json: bool) -> None:
    """Print versions, processor, kernel path and cache: for a bug report, or beside the figures of a benchmark.

    It names no user, no host and no file of a scan.
    """
    found = system_information()
    if as_json:
        click.echo(json.dumps(found, sort_keys=True))
        return
    for heading, entries in found.items():
        click.echo(heading)
        width = max(len(name) for name in entries)
        for name, value in entries.items():
            click.echo(f"  {name:{width}s}  {value}")


def system_information() -> dict[str, dict[str, Any]]:
    """Facts of this machine and installation, by heading and name.

    Returns
    -------
    dict of dict
        ``machine``, ``kernels``, ``packages`` (a missing one is None), ``extras`` (whether all of it is there).
    """
    needed, extras = _requirements()
    return {
        "perfline": {"version": version("perfline"), "Python": platform.python_version()},
        "machine": _machine(),
        "kernels": _kernels(),
        "packages": {name: _version(name) for name in needed},
        "extras": {
            name: ", ".join(f"lacks {one}" for one in of if _version(one) is None) or "installed"
            for name, of in extras.items()
        },
    }


def _machine() -> dict[str, Any]:
    return {
        "system": f"{platform.system()} {platform.release()}",
        "architecture": platform.machine(),
        "processor": _entry(_CPU_FILE, "model name") or platform.processor() or "unknown",
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory": _entry(_MEMORY_FILE, "MemTotal") or "unknown",
    }


def _kernels() -> dict[str, Any]:
    # here, so that --help needn't import it
    from threadpoolctl import threadpool_info

    from perfline.recon.lanes.vector import lanes_available

    # the libraries that a scan uses, so that their thread pools are there to be asked
    importlib.import_module("scipy.linalg")
    cache = os.environ.get("NUMBA_CACHE_DIR")
    folder = Path(importlib.import_module("perfline.recon").__path__[0])
    n_cached = sum(1 for _ in (Path(cache) if cache else folder).rglob("*.nbc"))
    pools = sorted({f"{one['internal_api']} {one['version']}" for one in threadpool_info()})
    return {
        "path": "wide (16 lanes)" if lanes_available() else "portable",
        "JIT": "off" if os.environ.get("NUMBA_DISABLE_JIT", "0") not in ("", "0") else "on",
        "cache": "NUMBA_CACHE_DIR" if cache else "beside the modules" if os.access(folder, os.W_OK) else "of the user",
        "cached kernels": n_cached,
        "waiting threads": os.environ.get("OMP_WAIT_POLICY", "the library's choice"),
        "thread pools": ", ".join(pools) or "none",
    }


def _requirements() -> tuple[list[str], Mapping[str, list[str]]]:
    """Names of the packages that are needed, and of those of each extra."""
    needed: list[str] = []
    extras: dict[str, list[str]] = {}
    for entry in distribution("perfline").requires or []:
        name, extra = _NAME.findall(entry)[0], _EXTRA.findall(entry)
        if not extra:
            needed.append(name)
        elif name != "perfline":
            extras.setdefault(extra[0], []).append(name)
    return needed, extras


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _entry(path: Path, name: str) -> str:
    """Value of the first line ``name : value`` of a file of the system; empty where there is none."""
    if not path.exists():
        return ""
    for line in path.read_text("utf-8", errors="replace").splitlines():
        key, _, value = line.partition(":")
        if key.strip() == name:
            return value.strip()
    return ""
