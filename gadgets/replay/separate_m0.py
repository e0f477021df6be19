"""The M0 image of another file: a NIfTI ``*_m0scan``, or a raw MRD scan that is reconstructed first."""

from pathlib import Path
from typing import Any

import nibabel
import numpy as np
from numpy.typing import NDArray

from perfline.gadgets.chain import load_chain
from perfline.gadgets.errors import ConfigurationError
from perfline.gadgets.mrd.file_session import FileSession
from perfline.gadgets.scan import ScanOptions, run_scan
from perfline.gadgets.stage_data import ScanHeader, Volume
from perfline.gadgets.summary import ScanSummary
from perfline.recon.asl.m0 import mean_m0

__all__ = ["read_separate_m0"]


class _KeepVolumes:
    """Sink that keeps the volumes of a scan."""

    name = "keep volumes"

    def __init__(self) -> None:
        self.images: list[NDArray[np.complex64]] = []

    def open(self, header: ScanHeader) -> None:
        """Nothing to prepare."""

    def write(self, item: object) -> None:
        """Keep a volume's image."""
        if isinstance(item, Volume):
            self.images.append(item.image)

    def close(self, summary: ScanSummary | None) -> tuple[Path, ...]:
        """Leave no file."""
        return ()


def read_separate_m0(path: Path, options: ScanOptions | None = None) -> NDArray[np.float32]:
    """Read an M0 image; several volumes are averaged.

    Parameters
    ----------
    path : Path
        ``.nii``, ``.nii.gz``, or an MRD file of an EPI scan.
    options : ScanOptions, optional
        For the reconstruction of an MRD file: its overrides should be those of the ASL scan.

    Returns
    -------
    float32 array (n_slices, n_y, n_x)
        Magnitude, not corrected for its repetition time. A NIfTI file is taken as perfline writes it, first axis along
        the readout; its grid must be that of the scan.

    Raises
    ------
    ConfigurationError
        The file can't be read or gives no image.
    """
    if path.name.endswith((".nii", ".nii.gz")):
        return _from_nifti(path)
    keep = _KeepVolumes()
    # what concerns pairs has no meaning for an M0 scan, and would ask its header for labelling
    overrides = {k: v for k, v in (options or ScanOptions()).overrides.items() if k != "ghost_sharing"}
    summary = run_scan(
        FileSession(path), lambda config: load_chain("epi"), options=ScanOptions(overrides), sinks=[keep]
    )
    if summary.status != "success" or not keep.images:
        raise ConfigurationError(f"M0 file {path}: {summary.reason or 'no complete volume'}")
    return mean_m0(keep.images)


def _from_nifti(path: Path) -> NDArray[np.float32]:
    try:
        image: Any = nibabel.load(path)
        data = np.asarray(image.dataobj, np.float32)
    except (OSError, nibabel.filebasedimages.ImageFileError) as error:
        raise ConfigurationError(f"M0 file {path}: {error}") from error
    if data.ndim == 4:
        data = data.mean(axis=3)
    if data.ndim != 3:
        raise ConfigurationError(f"M0 file {path}: expected 3 or 4 axes, got {data.ndim}")
    return np.ascontiguousarray(data.T)
