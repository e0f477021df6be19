"""Small labelled series as NIfTI files with BIDS sidecars, with a blood flow that is known from a formula of their
own."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import nibabel
import numpy as np

SHAPE = (4, 10, 12)
"""(n_slices, n_y, n_x)"""

BLOOD_T1, EFFICIENCY, PARTITION = 1.65, 0.85, 0.9
DELAY, DURATION = 1.6, 1.5
SLICE_TIMING = (0.0, 0.06, 0.03, 0.09)

AFFINE = np.array([[-3.0, 0, 0, 20], [0, 2.5, 0, -15], [0, 0, 6.0, -10], [0, 0, 0, 1]])
"""As dcm2niix gives it for transverse slices."""

SIDECAR = {
    "ArterialSpinLabelingType": "PCASL",
    "MRAcquisitionType": "2D",
    "MagneticFieldStrength": 3,
    "EchoTime": 0.014,
    "LabelingDuration": DURATION,
    "PostLabelingDelay": DELAY,
    "SliceTiming": list(SLICE_TIMING),
    "RepetitionTimePreparation": 8.0,
    "BackgroundSuppression": False,
    "M0Type": "Included",
}


def head() -> np.ndarray:
    """Where there is signal: a box that no symmetry leaves as it is."""
    inside = np.zeros(SHAPE, bool)
    inside[:, 2:8, 3:10] = True
    inside[:, 2, 3] = False
    return inside


def m0_image() -> np.ndarray:
    """M0 of the tissue, 0 outside the head."""
    z, y, x = np.indices(SHAPE)
    return np.where(head(), 1000.0 + 20 * x - 10 * y + 5 * z, 0.0)


def flow_image() -> np.ndarray:
    """True blood flow, different in every voxel of the head."""
    z, y, x = np.indices(SHAPE)
    return np.where(head(), 30.0 + 4 * x + 2 * y + 7 * z, 0.0)


def difference(flow: np.ndarray, m0: np.ndarray, delays: float | np.ndarray, duration: float = DURATION) -> np.ndarray:
    """Control minus label of the single-compartment model (Alsop 2015), solved for the difference."""
    bolus = BLOOD_T1 * (1 - np.exp(-duration / BLOOD_T1))
    decay = np.exp(-np.asarray(delays) / BLOOD_T1)
    return flow / 6000 * 2 * EFFICIENCY / PARTITION * m0 * bolus * decay


def arriving_difference(
    flow: float, m0: np.ndarray | float, delays: float | np.ndarray, arrival: float, tissue_t1: float = 1.3
) -> np.ndarray:
    """Control minus label of the general kinetic model (Buxton 1998) for pCASL, while the bolus comes and after it."""
    f = flow / 6000
    rate = 1 / tissue_t1 + f / PARTITION
    delays = np.asarray(delays)
    coming = 1 - np.exp(-(delays + DURATION - arrival) * rate)
    gone = np.exp(-(delays - arrival) * rate) * (1 - np.exp(-DURATION * rate))
    shape = np.where(delays < arrival, coming, gone)
    return 2 * EFFICIENCY * m0 / PARTITION * f / rate * np.exp(-arrival / BLOOD_T1) * shape


def series(context: Sequence[str], timing: Sequence[float] = SLICE_TIMING, drift: float = 2.0) -> np.ndarray:
    """Volumes in the order of the context, (n_volumes, n_slices, n_y, n_x); pairs differ by a constant alone."""
    m0 = m0_image()
    delta = difference(flow_image(), m0, DELAY + np.asarray(timing)[:, None, None])
    volumes, n_m0 = [], 0
    for index, kind in enumerate(context):
        n_m0 += kind == "m0scan"
        control = 0.7 * m0 + drift * ((index - n_m0) // 2) * head()
        volumes.append({"m0scan": m0, "control": control, "label": control - delta}[kind])
    return np.stack(volumes).astype(np.float32)


def oblique() -> np.ndarray:
    """Turned about two axes, sizes unequal, first axis to the left."""
    a, b = np.deg2rad(20), np.deg2rad(-35)
    about_x = np.array([[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]])
    about_z = np.array([[np.cos(b), -np.sin(b), 0], [np.sin(b), np.cos(b), 0], [0, 0, 1]])
    affine = np.eye(4)
    affine[:3, :3] = about_x @ about_z @ np.diag([-3.0, 2.5, 6.0])
    affine[:3, 3] = 12.0, -34.0, 5.5
    return affine


def save(path: Path, volumes: np.ndarray, affine: np.ndarray | None = AFFINE) -> Path:
    """Write (n_slices, n_y, n_x), or volumes of it, as NIfTI."""
    image = nibabel.Nifti1Image(np.asarray(volumes).T, affine)
    nibabel.save(image, path)
    return path


def write_scan(
    folder: Path,
    context: Sequence[str] = ("m0scan", "control", "label", "control", "label"),
    *,
    volumes: np.ndarray | None = None,
    affine: np.ndarray | None = AFFINE,
    without: Sequence[str] = (),
    **changes: Any,
) -> Path:
    """Write ``sub-01_asl.nii.gz`` with its sidecar and context; `changes` are of the sidecar."""
    folder.mkdir(exist_ok=True)
    sidecar = {name: value for name, value in (SIDECAR | changes).items() if name not in without}
    (folder / "sub-01_asl.json").write_text(json.dumps(sidecar))
    (folder / "sub-01_aslcontext.tsv").write_text("\n".join(["volume_type", *context]) + "\n")
    return save(folder / "sub-01_asl.nii.gz", series(context) if volumes is None else volumes, affine)
