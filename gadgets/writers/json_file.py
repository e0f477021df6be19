"""Plain JSON from what the project computes: numpy values, enumerations and NaN included."""

import json
import math
from collections.abc import Mapping
from enum import Enum
from pathlib import Path
from typing import Any

import numpy as np

from perfline.gadgets.writers.sink import finished_file
from perfline.recon.errors import InputError

__all__ = ["plain_value", "write_json"]


def plain_value(value: object) -> Any:
    """Turn a value into what JSON knows.

    Parameters
    ----------
    value : object
        Mappings, sequences, sets, numpy arrays and scalars, enumerations, paths, text, numbers, None.

    Returns
    -------
    dict, list, str, int, float, bool or None
        NaN and infinity become None: JSON has no word for them. Sets are sorted.

    Raises
    ------
    InputError
        A type that none of these covers.

    Examples
    --------
    >>> plain_value({"tsnr": np.float32(1.5), "shape": (2, np.int64(3)), "variance": float("nan")})
    {'tsnr': 1.5, 'shape': [2, 3], 'variance': None}
    """
    if isinstance(value, Enum):
        return plain_value(value.value)
    if isinstance(value, np.generic):
        return plain_value(value.item())
    if isinstance(value, np.ndarray):
        return plain_value(value.tolist())
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(plain_value(key)): plain_value(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [plain_value(entry) for entry in value]
    if isinstance(value, set | frozenset):
        return sorted(plain_value(entry) for entry in value)
    if isinstance(value, Path):
        return str(value)
    raise InputError(f"value for JSON: expected plain values, got {type(value).__name__}")


def write_json(path: Path, content: Mapping[str, Any], *, sort_keys: bool = False) -> None:
    """Write a JSON object, UTF-8, indented; the file appears complete or not at all.

    Parameters
    ----------
    path : Path
    content : mapping
        Anything `plain_value` takes.
    sort_keys : bool
        Sort the keys of all levels.

    Raises
    ------
    OutputError
        The file can't be written.
    """
    text = json.dumps(plain_value(content), indent=2, sort_keys=sort_keys, ensure_ascii=False, allow_nan=False)
    with finished_file(path) as partial:
        partial.write_text(text + "\n", encoding="utf-8")
