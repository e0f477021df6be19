"""Folders as a scan leaves them, written by hand: a summary, maps whose values are known, the tables of its course."""

import json
from copy import deepcopy
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
from nifti_scans import AFFINE, SHAPE, flow_image, head, m0_image

from perfline.gadgets.writers.bids_sidecar import CBF_REFERENCE, FIT_REFERENCE

FORMULA = "6000 lambda dM exp(PLD/T1b) / (2 alpha T1b M0 (1 - exp(-tau/T1b)))"

HEADER = "header userParameter {}"


def entry(value: Any, unit: str = "", origin: str = "sidecar") -> dict[str, Any]:
    return {"value": value, "unit": unit, "origin": origin}


PARAMETERS = {
    "ArterialSpinLabelingType": entry("PCASL", origin=HEADER.format("ArterialSpinLabelingType")),
    "BackgroundSuppression": entry(True),
    "BackgroundSuppressionNumberPulses": entry(2),
    "BloodT1": entry(1.65, "s", "default: Alsop 2015, blood at 3 T"),
    "EchoTime": entry(0.014, "s"),
    "FlipAngle": entry(90.0, "deg"),
    "GreyMatterT1": entry(1.3, "s", "default: grey matter at 3 T"),
    "LabelingDuration": entry([1.8], "s"),
    "LabelingEfficiency": entry(0.85),
    "M0RepetitionTime": entry(8.0, "s"),
    "M0Type": entry("Included"),
    "MRAcquisitionType": entry("2D"),
    "MagneticFieldStrength": entry(3.0, "T"),
    "Organ": entry("brain", origin="default: brain"),
    "PartitionCoefficient": entry(0.9, "ml/g", "default: Alsop 2015"),
    "PostLabelingDelay": entry([2.0], "s"),
    "RepetitionTime": entry(4.2, "s", "header sequenceParameters.TR"),
    "SliceTiming": entry([0.0, 0.04, 0.08, 0.12], "s"),
    "TissueT1": entry(1.6, "s", "default: brain tissue at 3 T"),
    "aslcontext": entry(["m0scan", *["control", "label"] * 4]),
}
"""Of a single-delay pCASL scan."""

SUMMARY: dict[str, Any] = {
    "status": "success",
    "reason": "",
    "n_readouts": 1234,
    "n_volumes": 9,
    "n_pairs": 3,
    "n_pairs_rejected": 1,
    "stages": [{"name": "reconstruct_epi"}, {"name": "quantify"}],
    "parameters": PARAMETERS,
    "figures": {"ghost_level": 0.0525, "mean_cbf": 61.25, "median_tsnr": 0.75, "spatial_variation": 0.42},
    "settings": {
        "coil_combination": "adaptive",
        "ghost_correction": "auto",
        "pair_mean": "arithmetic",
        "pair_rejection": "outliers",
        "protocol": "pcasl_epi_3t",
        "rejection_limit": 2.5,
        "subtraction_domain": "magnitude",
        "subtraction_order": "pairwise",
        "target_standard_error": 1.5,
    },
    "latency": {"cbf": {"n": 4, "median": 0.0125, "percentile_95": 0.02, "worst": 0.031}},
    "drop_reasons": {"readout: not finite": 2},
    "notices": [{"level": "warning", "text": "labels come late"}, {"level": "info", "text": "no noise scan"}],
    "rejected": [{"pair": 2, "reason": "mean delta-M is far off"}],
    "regions": [
        {"name": "head", "label": 0, "mean": 61.25, "standard_error": 1.25, "n_pairs": 3, "is_target_reached": True}
    ],
    "files": [],
    "software": "perfline 9.8.7",
    "seconds": 1.5,
}

PAIRS = (
    "pairs\tmean_cbf\tstandard_error\tn_rejected\tlatency_s\tmedian_tsnr\n"
    "1\t60\tn/a\t0\t0.012\tn/a\n2\t60.5\t2\t0\t0.011\t0.7\n2\t60.5\t2\t1\t0.011\t0.7\n3\t61.25\t1.25\t1\t0.02\t0.75\n"
)

VOLUMES = (
    "volume\tvolume_type\ttime_s\tghost_level\tlatency_s\ttranslation_l_mm\ttranslation_p_mm\ttranslation_s_mm"
    "\trotation_l_deg\trotation_p_deg\trotation_s_deg\tdisplacement_mm\n"
    "1\tm0scan\t0\t0.05\t0.02\tn/a\tn/a\tn/a\tn/a\tn/a\tn/a\tn/a\n"
    "2\tcontrol\t8\t0.06\t0.001\t0\t0\t0\t0\t0\t0\t0\n"
    "3\tlabel\t12\t0.04\t0.002\t0.3\t-0.4\t0\t0\t0\t0.5\t0.75\n"
)


def flow_map() -> np.ndarray:
    """Blood flow whose mean over the head is not that over all voxels; two voxels lie far outside."""
    flow = flow_image() - 60.0
    flow[0, 3, 5], flow[1, 4, 6] = 900.0, -800.0
    return flow


def write_map(folder: Path, name: str, image: np.ndarray, **sidecar: Any) -> str:
    """Write an image (..., z, y, x) and its sidecar; the name relative to the folder."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    nibabel.save(nibabel.Nifti1Image(np.asarray(image, np.float32).T, AFFINE), path)
    path.with_name(path.name.removesuffix(".nii.gz") + ".json").write_text(json.dumps(sidecar))
    return name


def scan_folder(
    folder: Path,
    *,
    where: str = "derivatives/perfline/sub-01/perf/",
    raw: str = "sub-01/perf/",
    with_maps: bool = True,
    with_tables: bool = True,
    parameters: dict[str, Any] | None = None,
    **changes: Any,
) -> Path:
    """Write a folder; `parameters` are changed in the summary (None takes one out), and so are its other entries."""
    summary = deepcopy(SUMMARY) | changes
    for name, value in (parameters or {}).items():
        if value is None:
            summary["parameters"].pop(name, None)
        else:
            summary["parameters"][name] = value
    folder.mkdir(parents=True, exist_ok=True)
    if with_maps:
        start, first = f"{where}sub-01_", f"{raw}sub-01_"
        flow = flow_map()
        summary["files"] = [
            write_map(
                folder,
                f"{first}asl.nii.gz",
                np.stack([m0_image(), m0_image()]),
                AcquisitionVoxelSize=[3.0, 2.5, 6.0],
                TotalAcquiredPairs=4,
            ),
            write_map(folder, f"{start}desc-corrected_m0scan.nii.gz", m0_image(), RecoveryCorrectionFactor=1.0),
            write_map(folder, f"{start}deltam.nii.gz", flow / 100),
            write_map(
                folder, f"{start}cbf.nii.gz", flow, Units="mL/100g/min", Formula=FORMULA, Reference=CBF_REFERENCE
            ),
            write_map(folder, f"{start}desc-standarderror_cbf.nii.gz", np.where(head(), 3.0, np.nan)),
            write_map(folder, f"{start}desc-brain_mask.nii.gz", head()),
            *changes.get("files", ()),
        ]
    if with_tables:
        (folder / "pairs.tsv").write_text(PAIRS)
        (folder / "volumes.tsv").write_text(VOLUMES)
    (folder / "summary.json").write_text(json.dumps(summary))
    return folder


def multi_delay_folder(folder: Path) -> Path:
    """A folder of a fit over three delays, one voxel of which is not sound."""
    start = "derivatives/perfline/sub-01/perf/sub-01_"
    status = np.zeros(SHAPE)
    status[2, 4, 5] = 5
    files = [
        write_map(folder, f"{start}att.nii.gz", np.full(SHAPE, 1.2)),
        write_map(folder, f"{start}desc-fitstatus_dseg.nii.gz", status),
    ]
    scan_folder(
        folder,
        parameters={"PostLabelingDelay": entry([0.5, 1.0, 1.5], "s"), "BackgroundSuppression": entry(False)},
        files=files,
    )
    sidecar = {"Units": "mL/100g/min", "Formula": "general kinetic model", "Reference": FIT_REFERENCE}
    (folder / f"{start}cbf.json").write_text(json.dumps(sidecar))
    return folder


def without_drawing(monkeypatch: Any) -> None:
    """Let figures be composed but not drawn, which takes most of the time."""
    from perfline.gadgets.report import charts, map_figures

    for module in (charts, map_figures):
        monkeypatch.setattr(module, "png_bytes", lambda figure: b"\x89PNG")
