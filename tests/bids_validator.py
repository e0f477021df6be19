"""What the BIDS validator says of a dataset."""

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from programs import program

__all__ = ["Issue", "validate"]

_NOWHERE = "http://127.0.0.1:9"
"""A proxy that isn't there: a validator that asked the network for anything would fail."""


@dataclass(frozen=True)
class Issue:
    """One word of the validator: its code, the field that it is about (or nothing), and the file."""

    code: str
    field: str
    file: str


def validate(dataset: Path) -> tuple[set[Issue], set[Issue], int]:
    """Errors, warnings, and the number of files that were looked at, the ignored ones left out."""
    result = subprocess.run(
        [program("bids-validator-deno"), "--format", "json", str(dataset)],
        env=os.environ | {"HTTP_PROXY": _NOWHERE, "HTTPS_PROXY": _NOWHERE},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    said = json.loads(result.stdout)
    issues = {"error": set(), "warning": set()}
    for one in said["issues"]["issues"]:
        issues[one["severity"]].add(Issue(one["code"], one.get("subCode", ""), one["location"]))
    assert (result.returncode != 0) == bool(issues["error"])
    return issues["error"], issues["warning"], said["summary"]["totalFiles"]
