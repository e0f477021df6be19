"""Items as JSON beside their pixels, so that the next node of a split chain can make them again without loss."""

import json
from math import isnan
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from perfline.gadgets.stage_data import DeltaMVolume, M0Volume, SliceGeometry, Volume, VolumeKey, VolumeLabel
from perfline.recon.errors import InputError
from perfline.recon.parameters import VolumeType

__all__ = ["ITEM_KEY", "CarriedItem", "item_as_json", "item_from_json", "n_slices_in_json"]

ITEM_KEY: Final = "PERFLINE_Item"
"""Name of the meta entry that holds the JSON."""

CarriedItem = Volume | M0Volume | DeltaMVolume


def item_as_json(item: CarriedItem) -> str:
    """All of an item but its pixels.

    Parameters
    ----------
    item : Volume, M0Volume or DeltaMVolume

    Returns
    -------
    str
        One line. Numbers keep all their digits.
    """
    fields: dict[str, Any] = {"type": type(item).__name__, "geometry": _geometry_as_dict(item.geometry)}
    match item:
        case Volume():
            fields |= {
                "key": _key_as_list(item.key),
                "ghost_level": None if isnan(item.ghost_level) else float(item.ghost_level),
                "time_stamp": float(item.time_stamp),
                "label": None if item.label is None else _label_as_dict(item.label),
                "order": item.order,
            }
        case M0Volume():
            fields |= {
                "n_volumes": item.n_volumes,
                "correction": float(item.correction),
                "source": [_key_as_list(key) for key in item.source],
            }
        case DeltaMVolume():
            fields |= {
                "index": item.index,
                "post_labeling_delay": float(item.post_labeling_delay),
                "labeling_duration": float(item.labeling_duration),
                "source": [_key_as_list(key) for key in item.source],
                "artery": item.artery,
            }
    return json.dumps(fields, separators=(",", ":"))


def item_from_json(text: str, pixels: NDArray[Any]) -> CarriedItem:
    """Make an item again.

    Parameters
    ----------
    text : str
        From `item_as_json`.
    pixels : array (n_slices, n_y, n_x)
        complex64 for a Volume, float32 for the others.

    Raises
    ------
    InputError
        The text is not what `item_as_json` writes, or the pixels are of another type.
    """
    fields = _fields(text)
    kind = fields.get("type")
    if kind not in ("Volume", "M0Volume", "DeltaMVolume"):
        raise InputError(f"{ITEM_KEY}: expected Volume, M0Volume or DeltaMVolume, got {kind!r}")
    wanted = np.dtype(np.complex64 if kind == "Volume" else np.float32)
    if pixels.dtype != wanted:
        raise InputError(f"{kind}: expected pixels of type {wanted}, got {pixels.dtype}")
    try:
        geometry = _geometry_from_dict(fields["geometry"])
        if kind == "Volume":
            label = None if fields["label"] is None else _label_from_dict(fields["label"])
            key = _key_from_list(fields["key"])
            level = float("nan") if fields["ghost_level"] is None else fields["ghost_level"]
            return Volume(pixels, key, geometry, level, fields["time_stamp"], label, fields["order"])
        source = tuple(_key_from_list(one) for one in fields["source"])
        if kind == "M0Volume":
            return M0Volume(pixels, geometry, fields["n_volumes"], fields["correction"], source)
        delay, duration = fields["post_labeling_delay"], fields["labeling_duration"]
        return DeltaMVolume(pixels, fields["index"], geometry, delay, duration, source, fields.get("artery"))
    except (KeyError, TypeError, ValueError) as error:
        raise _not_an_item(text, error) from error


def n_slices_in_json(text: str) -> int:
    """How many slices the item has.

    Raises
    ------
    InputError
        The text is not what `item_as_json` writes.
    """
    try:
        return len(_fields(text)["geometry"]["positions"])
    except (KeyError, TypeError) as error:
        raise _not_an_item(text, error) from error


def _fields(text: str) -> dict[str, Any]:
    try:
        fields = json.loads(text)
    except json.JSONDecodeError as error:
        raise _not_an_item(text, error) from error
    if not isinstance(fields, dict):
        raise _not_an_item(text, None)
    return fields


def _not_an_item(text: str, error: Exception | None) -> InputError:
    return InputError(f"{ITEM_KEY}: expected an item as JSON, got {text[:60]!r} ({error!r})")


def _key_as_list(key: VolumeKey) -> list[Any]:
    return [key.repetition, key.set, key.phase, key.contrast, key.average, key.is_m0]


def _key_from_list(values: list[Any]) -> VolumeKey:
    return VolumeKey(*values)


def _label_as_dict(label: VolumeLabel) -> dict[str, Any]:
    return {
        "volume_type": label.volume_type.value,
        "index": label.index,
        "pair": label.pair,
        "post_labeling_delay": label.post_labeling_delay,
        "labeling_duration": label.labeling_duration,
        "cycle": label.cycle,
    }


def _label_from_dict(fields: dict[str, Any]) -> VolumeLabel:
    return VolumeLabel(
        VolumeType(fields["volume_type"]),
        fields["index"],
        fields["pair"],
        fields["post_labeling_delay"],
        fields["labeling_duration"],
        fields.get("cycle"),
    )


def _geometry_as_dict(geometry: SliceGeometry) -> dict[str, Any]:
    return {
        "positions": np.asarray(geometry.positions).tolist(),
        "read_dir": np.asarray(geometry.read_dir).tolist(),
        "phase_dir": np.asarray(geometry.phase_dir).tolist(),
        "slice_dir": np.asarray(geometry.slice_dir).tolist(),
        "voxel_size": [float(size) for size in geometry.voxel_size],
        "is_known": bool(geometry.is_known),
    }


def _geometry_from_dict(fields: dict[str, Any]) -> SliceGeometry:
    return SliceGeometry(
        positions=np.array(fields["positions"], np.float64).reshape(-1, 3),
        read_dir=np.array(fields["read_dir"], np.float64),
        phase_dir=np.array(fields["phase_dir"], np.float64),
        slice_dir=np.array(fields["slice_dir"], np.float64),
        voxel_size=tuple(fields["voxel_size"]),
        is_known=fields["is_known"],
    )
