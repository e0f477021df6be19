"""The M0 image of another file: a NIfTI ``*_m0scan`` with its sidecar, or a raw MRD scan, reconstructed first."""

from collections.abc import Mapping
from math import radians
from pathlib import Path
from typing import Any

import numpy as np

from perfline.gadgets.chain import load_chain
from perfline.gadgets.errors import ConfigurationError
from perfline.gadgets.mrd.file_session import FileSession
from perfline.gadgets.mrd.parameter_sources import Stated, stated_value
from perfline.gadgets.mrd.parameter_values import seconds, seconds_list
from perfline.gadgets.replay.nifti_file import read_nifti, read_nifti_sidecar
from perfline.gadgets.replay.sidecar_changes import changed_m0_sidecar
from perfline.gadgets.scan import ScanOptions, run_scan
from perfline.gadgets.stage_data import SeparateM0, Volume
from perfline.gadgets.stages.slice_affine import slice_affine
from perfline.gadgets.writers.keep_items import KeepItems
from perfline.recon.asl.m0 import mean_m0

__all__ = ["read_separate_m0"]

_REPETITION_TIMES = ("RepetitionTimePreparation", "RepetitionTime")
"""Keys of an M0 file's sidecar, the first that is there."""


def read_separate_m0(
    path: Path, options: ScanOptions | None = None, units: Mapping[str, str] | None = None
) -> SeparateM0:
    """Read an M0 image; several volumes are averaged.

    Parameters
    ----------
    path : Path
        ``.nii`` or ``.nii.gz``, first axis along the readout as perfline writes it; or an MRD file of an EPI scan. The
        repetition time comes from the JSON beside a NIfTI file, or from the MRD header.
    options : ScanOptions, optional
        For the reconstruction of an MRD file: its overrides should be those of the ASL scan.
    units : mapping, optional
        Units of times in the sidecar of a NIfTI file that are not in seconds, as `changed_m0_sidecar` takes them.

    Returns
    -------
    SeparateM0
        Magnitude, not corrected for its repetition time.

    Raises
    ------
    ConfigurationError
        The file can't be read or gives no image; a NIfTI file is not finite, negative somewhere or 0 everywhere.
    ScanHeaderError
        Its repetition time isn't in seconds.
    """
    if path.name.endswith((".nii", ".nii.gz")):
        return _from_nifti(path, units or {})
    keep = KeepItems(Volume)
    # what concerns pairs has no meaning for an M0 scan, and would ask its header for labelling
    overrides = {k: v for k, v in (options or ScanOptions()).overrides.items() if k != "ghost_sharing"}
    summary = run_scan(
        FileSession(path), lambda config: load_chain("epi"), options=ScanOptions(overrides), sinks=[keep]
    )
    volumes = [item for item in keep.items if isinstance(item, Volume)]
    if summary.status != "success" or not volumes or keep.header is None:
        raise ConfigurationError(f"M0 file {path}: {summary.reason or 'no complete volume'}")
    image = mean_m0([volume.image for volume in volumes])
    affine = slice_affine(volumes[0].geometry, image.shape)
    header, name = keep.header, f"M0 file {path.name}"
    time = header.parameters.get("RepetitionTime")
    return SeparateM0(
        image,
        affine,
        header.repetition_time,
        name,
        header.echo_time,
        flip_angle=None if header.partition_axis is not None else header.flip_angle,
        repetition_time_origin=name if time is None else f"{name}, {time.origin}",
    )


def _from_nifti(path: Path, units: Mapping[str, str]) -> SeparateM0:
    image, affine = read_nifti(path, "M0 file")
    bad = int(np.count_nonzero(~np.isfinite(image)))
    if bad:
        raise ConfigurationError(f"M0 file {path}: expected finite values, got {bad} that are NaN or infinite")
    lowest, highest = float(image.min()), float(image.max())
    if lowest < 0:
        raise ConfigurationError(f"M0 file {path}: expected a magnitude image, got values down to {lowest:g}")
    if highest == 0:
        raise ConfigurationError(f"M0 file {path}: expected signal somewhere, got 0 everywhere")
    content, warnings = changed_m0_sidecar(read_nifti_sidecar(path), units, path.name)
    repetition_time, origin = _repetition_time(content, path.name)
    return SeparateM0(
        image,
        affine,
        repetition_time,
        f"M0 file {path.name}",
        _echo_time(content, path.name),
        flip_angle=_flip_angle(content),
        repetition_time_origin=origin,
        warnings=warnings,
    )


def _repetition_time(content: Mapping[str, Any], name: str) -> tuple[float | None, str]:
    """Repetition time of a sidecar [s], and its origin."""
    for key in _REPETITION_TIMES:
        value = stated_value(content, key)
        if value is not None:
            stated = content[key]
            origin = stated.origin if isinstance(stated, Stated) else f"sidecar of {name}"
            return seconds(key, value, origin), f"{key}, {origin}"
    return None, ""


def _flip_angle(content: Mapping[str, Any]) -> float | None:
    """Flip angle of a sidecar [rad], where it is that of one excitation in each repetition time."""
    value = content.get("FlipAngle")
    is_train = content.get("MRAcquisitionType") == "3D" or content.get("LookLocker") is True
    if is_train or content.get("BackgroundSuppression") is True:
        return None
    return radians(value) if isinstance(value, int | float) and value > 0 else None


def _echo_time(content: Mapping[str, Any], name: str) -> float | None:
    """Echo time of a sidecar [s], where it is that of all volumes."""
    value = stated_value(content, "EchoTime")
    times = set() if value is None else set(seconds_list("EchoTime", value, f"sidecar of {name}"))
    return times.pop() if len(times) == 1 else None
