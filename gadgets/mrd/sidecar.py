"""BIDS files beside a scan: ``*_asl.json`` and ``*_aslcontext.tsv``."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from perfline.gadgets.errors import ConfigurationError

__all__ = ["TIME_ENCODING", "Sidecar", "load_sidecar", "read_aslcontext"]

TIME_ENCODING: Final = "TimeEncoding"
"""Our field for what BIDS can't say of a time-encoded series: the words of the header, which stand above the others."""


@dataclass(frozen=True)
class Sidecar:
    """What was found: the parameters, and the volume types where there is an aslcontext file."""

    parameters: Mapping[str, Any]
    aslcontext: tuple[str, ...] | None
    path: Path
    aslcontext_path: Path | None


def load_sidecar(path: Path | str) -> Sidecar:
    """Read a sidecar and the aslcontext beside it.

    Parameters
    ----------
    path : Path or str
        ``NAME_asl.json``, whose context is ``NAME_aslcontext.tsv``; or any other ``NAME.json``.

    Raises
    ------
    ConfigurationError
        A file can't be read, isn't JSON, or its table lacks the column ``volume_type``.
    """
    path = Path(path)
    try:
        parameters = json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise ConfigurationError(f"sidecar {path}: {error.strerror}") from error
    except ValueError as error:
        raise ConfigurationError(f"sidecar {path}: expected JSON ({error})") from error
    if not isinstance(parameters, dict):
        raise ConfigurationError(f"sidecar {path}: expected a JSON object, got {type(parameters).__name__}")
    encoding = parameters.pop(TIME_ENCODING, None)
    if isinstance(encoding, dict):
        parameters |= encoding
    context_path = path.with_name(path.stem.removesuffix("_asl") + "_aslcontext.tsv")
    if not context_path.is_file():
        return Sidecar(parameters, None, path, None)
    return Sidecar(parameters, read_aslcontext(context_path), path, context_path)


def read_aslcontext(path: Path | str) -> tuple[str, ...]:
    """Read the volume types of an ``*_aslcontext.tsv``.

    Parameters
    ----------
    path : Path or str

    Returns
    -------
    tuple of str
        The words as they stand; what they mean is checked with the header.

    Raises
    ------
    ConfigurationError
        The file can't be read, lacks the column ``volume_type``, or holds no volume.
    """
    try:
        lines = Path(path).read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"aslcontext {path}: {error}") from error
    rows = [line.split("\t") for line in lines if line.strip()]
    header = [name.strip() for name in rows[0]] if rows else []
    if "volume_type" not in header:
        raise ConfigurationError(f"aslcontext {path}: expected a column volume_type, got {header}")
    column = header.index("volume_type")
    words = tuple(row[column].strip() if column < len(row) else "" for row in rows[1:])
    if not words:
        raise ConfigurationError(f"aslcontext {path}: no volume is listed")
    return words
