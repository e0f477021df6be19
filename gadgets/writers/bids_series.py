"""A 4D series on its way to disk: volumes as they come, labels, and the time between them."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from perfline.gadgets.stage_data import Volume, VolumeLabel
from perfline.gadgets.writers.sink import partial_path, prepare_folder
from perfline.gadgets.writers.volume_spool import VolumeSpool
from perfline.recon.parameters import VolumeType

__all__ = ["Series", "beside", "volume_spacing"]


class Series:
    """The magnitudes of one series, spooled beside the place of the final image.

    Parameters
    ----------
    path : Path
        Of the NIfTI file to be; its folder is made.
    volume : Volume
        The first one, still to be appended.

    Raises
    ------
    OutputError
        The folder or the spool can't be made.
    """

    def __init__(self, path: Path, volume: Volume) -> None:
        prepare_folder(path.parent)
        self.path = path
        self.geometry = volume.geometry
        self.labels: list[VolumeLabel] = []
        self.spool = VolumeSpool(partial_path(beside(path, ".f32")), volume.image.shape)

    def append(self, volume: Volume) -> None:
        """Add a volume, and its label where it has one.

        Raises
        ------
        OutputError
            The disk is full or gone; the volumes before this one stay.
        """
        self.spool.append(np.abs(volume.image))
        if volume.label is not None:
            self.labels.append(volume.label)


def beside(path: Path, ending: str) -> Path:
    """File of the same name beside a NIfTI file.

    Examples
    --------
    >>> beside(Path("sub-01_asl.nii.gz"), ".json").name
    'sub-01_asl.json'
    """
    return path.with_name(path.name.removesuffix(".nii.gz") + ending)


def volume_spacing(sidecar: Mapping[str, Any], labels: Sequence[VolumeLabel]) -> float | None:
    """Time from volume to volume [s], where that of all control and label volumes is the same.

    Parameters
    ----------
    sidecar : mapping
        Of the labelled series.
    labels : sequence of VolumeLabel
        Of its volumes.
    """
    times = sidecar.get("RepetitionTimePreparation")
    if not isinstance(times, list):
        return times
    pairs = (VolumeType.CONTROL, VolumeType.LABEL)
    different = {time for time, label in zip(times, labels, strict=True) if label.volume_type in pairs}
    return different.pop() if len(different) == 1 else None
