"""The published ground-truth brain (HRGT): maps of 1 mm from which a scan with larger voxels is simulated.

It gives each tissue one blood flow and one transit time. The file is not part of perfline; benchmarks that want it are
skipped where it is absent.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import nibabel
import numpy as np
from numpy.typing import NDArray

from perfline.recon.errors import InputError

__all__ = ["BRAIN_FILE", "BrainTruth", "read_ground_truth_brain"]

BRAIN_FILE: Final = Path("hrgt/hrgt_icbm_2009a_nls_3t.nii.gz")

_BLOCK: Final = (5, 3, 3)
"""Voxels of 1 mm in one of the scan: z, y, x."""


@dataclass(frozen=True)
class BrainTruth:
    """Maps of 1 mm, float64 (z, y, x), 0 outside: ml/100 g/min, s, s, and M0 in its own unit.

    ``grey_share`` and ``is_tissue`` are on the grid of the scan: the share of grey matter, and where there is any M0.
    """

    cbf: NDArray[np.float64]
    att: NDArray[np.float64]
    t1: NDArray[np.float64]
    m0: NDArray[np.float64]
    grey_share: NDArray[np.float64]
    is_tissue: NDArray[np.bool_]
    grey_cbf: float
    grey_att: float
    grey_t1: float

    @property
    def voxel_size(self) -> tuple[int, int, int]:
        """Of the scan: x, y, z [mm]."""
        return _BLOCK[::-1]

    @staticmethod
    def averaged(image: NDArray[np.float64]) -> NDArray[np.float64]:
        """Mean over the voxels of the scan."""
        return _averaged(image)


def read_ground_truth_brain(path: Path) -> BrainTruth:
    """Read the seven maps.

    Parameters
    ----------
    path : Path
        NIfTI (x, y, z, 1, 7) with a JSON beside it that names the maps.

    Raises
    ------
    InputError
        The JSON names other quantities, or tissues of other labels.
    """
    about = json.loads(path.with_suffix("").with_suffix(".json").read_text("utf-8"))
    names, labels = about.get("quantities", []), about.get("segmentation", {})
    wanted = ("perfusion_rate", "transit_time", "t1", "m0", "seg_label")
    if missing := [name for name in wanted if name not in names]:
        raise InputError(f"{path.name}: expected the maps {', '.join(wanted)}, missing {', '.join(missing)}")
    volume = np.asarray(nibabel.Nifti1Image.from_filename(path).dataobj).squeeze()
    maps = {name: np.ascontiguousarray(volume[..., names.index(name)].T, np.float64) for name in wanted}
    segmentation = maps["seg_label"].round().astype(np.int64)
    grey = segmentation == labels["grey_matter"]
    is_perfused = grey | (segmentation == labels["white_matter"])
    # without perfusion the file has a transit time of 1000 s, and no T1 outside the head
    cbf = np.where(is_perfused, maps["perfusion_rate"], 0.0)
    return BrainTruth(
        cbf=cbf,
        att=np.where(is_perfused, maps["transit_time"], 1.0),
        t1=np.where(maps["t1"] > 0, maps["t1"], 1.0),
        m0=maps["m0"],
        grey_share=_averaged(grey.astype(np.float64)),
        is_tissue=_averaged(maps["m0"]) > 0,
        grey_cbf=float(np.median(cbf[grey])),
        grey_att=float(np.median(maps["transit_time"][grey])),
        grey_t1=float(np.median(maps["t1"][grey])),
    )


def _averaged(image: NDArray[np.float64]) -> NDArray[np.float64]:
    n = [size // block for size, block in zip(image.shape, _BLOCK, strict=True)]
    cut = image[tuple(slice(0, a * b) for a, b in zip(n, _BLOCK, strict=True))]
    mean: NDArray[np.float64] = cut.reshape(n[0], _BLOCK[0], n[1], _BLOCK[1], n[2], _BLOCK[2]).mean(axis=(1, 3, 5))
    return mean
