"""What makes folders BIDS datasets: their descriptions, a README, and what a validator shall leave alone.

BIDS 1.11 has names for the measured series and for M0, not yet for maps of blood flow. Those have the names that
ASL software gives them, and stand in the ``.bidsignore`` of the derivative dataset, which is what the validator asks
for with files that the standard doesn't cover.
"""

import json
from collections.abc import Iterable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from perfline.gadgets.writers.bids_tree import BidsTree
from perfline.gadgets.writers.json_file import write_json
from perfline.gadgets.writers.sink import finished_file

__all__ = ["BIDS_VERSION", "describe_datasets"]

BIDS_VERSION: Final = "1.11.1"
"""The version of the standard that names and sidecars follow."""

_DESCRIPTION: Final = "dataset_description.json"
_README: Final = "README.md"
_IGNORE: Final = ".bidsignore"

_NOT_RAW: Final = (
    "/summary.json",
    "/*.h5",
    "/*.mrdstream",
    "/*.png",
    "/*.html",
    "/*.pdf",
    "/*.jsonl",
    "/*.log",
    "volumes.tsv",
    "pairs.tsv",
    "volumes.json",
    "pairs.json",
    "/comparison.*",
    "*_regions.tsv",
    "*_asymmetry.tsv",
    "*_regions.json",
    "/dicom",  # the validator asks for the folder without a slash at its end
)
"""What perfline leaves at the root, and BIDS has no name for."""

_NOT_STANDARD: Final = ("deltam", "cbf", "rbf", "att", "cbv", "statmap", "mask", "dseg", "probseg", "epi", "spiral")
"""Suffixes that BIDS doesn't have, or not for perfusion."""

_RAW_README: Final = """\
# Perfusion scan

Written by perfline, from raw data or by simulation; the layout is that of BIDS.

- `sub-*/perf/`: what was measured. The magnitude series `*_asl.nii.gz`, the type of each of its volumes in
  `*_aslcontext.tsv`, and M0 as `*_m0scan.nii.gz` where it is a scan of its own.
- `derivatives/perfline/`: what was made of it, such as perfusion-weighted images and blood flow.
- `summary.json`: how the scan went, with every parameter and its origin, and a list of all files.

Files at the root that BIDS has no name for stand in `.bidsignore`.
"""

_DERIVATIVE_README: Final = """\
# Perfusion maps

Made by perfline from the raw dataset two folders up. Each image has a sidecar that tells unit, sources and labelling.

- `*_deltam`: mean of control minus label; `*_desc-tsnr_deltam`: over the deviation of single pairs
- `*_cbf`: blood flow (`*_rbf` for the kidney); `*_desc-standarderror_cbf`: its standard error
- `*_att`: arterial transit time; `*_desc-arterial_cbv`: arterial blood volume
- `*_desc-reducedchisquare_statmap`, `*_desc-fitstatus_dseg`: how the fit over several delays went
- `*_desc-territories_dseg`, `*_desc-territories_probseg`: which artery feeds a voxel
- `*_desc-brain_mask` (`*_desc-kidney_mask`): where blood flow was computed
- `*_desc-corrected_m0scan`: M0 as it was used
- `*_desc-truth_*`, `*_desc-regions_dseg`: what was put into a simulated scan
- `*_epi`, `*_spiral`: volumes without labelling, later echoes among them

BIDS has no names yet for most of them: those stand in `.bidsignore`.
"""


def describe_datasets(tree: BidsTree, *, with_derivatives: bool) -> list[Path]:
    """Describe the datasets of a tree; what someone else has put there stays.

    Parameters
    ----------
    tree : BidsTree
    with_derivatives : bool
        Whether there are any.

    Returns
    -------
    list of Path
        The files that were written.

    Raises
    ------
    OutputError
        One can't be written.
    """
    by_us = {"GeneratedBy": [{"Name": "perfline", "Version": version("perfline")}]}
    raw = {"Name": "Perfusion scan", "BIDSVersion": BIDS_VERSION, "DatasetType": "raw", **by_us}
    files = _describe(tree.folder, raw, _RAW_README, _NOT_RAW)
    if with_derivatives:
        derivative = {
            "Name": "Perfusion maps",
            "BIDSVersion": BIDS_VERSION,
            "DatasetType": "derivative",
            **by_us,
            "SourceDatasets": [{"URL": "../.."}],
            "DatasetLinks": {"raw": "../.."},
        }
        patterns = [f"*_{suffix}.*" for suffix in _NOT_STANDARD]
        files += _describe(tree.derivatives, derivative, _DERIVATIVE_README, patterns)
    return files


def _describe(folder: Path, description: Mapping[str, Any], readme: str, ignored: Iterable[str]) -> list[Path]:
    path = folder / _DESCRIPTION
    if not _is_ours(path):
        return []
    write_json(path, description)
    files = [path]
    if not any(folder.glob("README*")):
        files.append(_write_text(folder / _README, readme))
    if not (folder / _IGNORE).exists():
        files.append(_write_text(folder / _IGNORE, "\n".join(ignored) + "\n"))
    return files


def _write_text(path: Path, text: str) -> Path:
    with finished_file(path) as partial:
        partial.write_text(text, encoding="utf-8")
    return path


def _is_ours(path: Path) -> bool:
    """Whether a dataset description is missing or was written by perfline."""
    if not path.exists():
        return True
    try:
        content = json.loads(path.read_text("utf-8"))
        return bool(content["GeneratedBy"][0]["Name"] == "perfline")
    except (OSError, ValueError, LookupError, TypeError):
        return False
