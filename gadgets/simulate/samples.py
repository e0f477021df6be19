"""The small raw data files of ``sample_raw`` and the numbers expected of them."""

import hashlib
import json
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import h5py
import numpy as np
from numpy.typing import NDArray

from perfline.gadgets.simulate.epi_recipe import EpiRecipe
from perfline.gadgets.simulate.ideal_flow import IdealFlow, has_several_delays, ideal_flow, limited_ratios
from perfline.gadgets.simulate.recipes import RECIPES
from perfline.gadgets.simulate.scan_recipe import SimulationRecipe
from perfline.gadgets.simulate.spiral_recipe import SpiralRecipe
from perfline.gadgets.simulate.write_mrd import write_scan
from perfline.recon.phantom.truth import TruthMaps

__all__ = ["SAMPLE_FILES", "expected_numbers", "write_samples"]

SAMPLE_FILES: Final = MappingProxyType(
    {
        "pcasl_epi_clean.h5": "clean",
        "pcasl_epi_realistic.h5": "realistic",
        "pcasl_spiral.h5": "spiral",
        "pcasl_stack_of_spirals.h5": "stack_of_spirals",
        "pcasl_multi_delay.h5": "multi_delay",
        "pcasl_hadamard.h5": "hadamard",
    }
)
"""File name to the name of its recipe."""

_GREY_MATTER_SHARE: Final = 0.9
"""Of a pixel that counts as grey matter in the expected numbers."""


def write_samples(folder: str | Path) -> dict[str, Any]:
    """Write the sample files and ``expected.json`` into a folder, replacing those that are there.

    Parameters
    ----------
    folder : path
        Made if it doesn't exist.

    Returns
    -------
    dict
        What was written to ``expected.json``: file name to `expected_numbers`.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    expected = {}
    for name, recipe_name in SAMPLE_FILES.items():
        recipe = RECIPES[recipe_name]
        truth = write_scan(folder / name, recipe)
        expected[name] = {"recipe": recipe_name} | _file_facts(folder / name) | expected_numbers(recipe, truth)
    (folder / "expected.json").write_text(json.dumps(expected, indent=2) + "\n", encoding="ascii")
    return expected


def _file_facts(path: Path) -> dict[str, Any]:
    """Checksum of the file, and the number of readouts in it."""
    with h5py.File(path, "r") as file:
        n_readouts = file["dataset/data"].shape[0]
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return {"sha256": digest, "n_bytes": path.stat().st_size, "n_readouts": n_readouts}


def expected_numbers(recipe: SimulationRecipe, truth: TruthMaps) -> dict[str, Any]:
    """Say in numbers what a reconstruction of a simulated scan should find.

    Parameters
    ----------
    recipe : SimulationRecipe
    truth : TruthMaps

    Returns
    -------
    dict
        Plain numbers, lists and texts. CBF in ml/100 g/min. ``limited`` numbers are of maps limited to the sampled
        k-space, over the pixels that grey matter fills to at least 0.9; these are what a reconstruction is held to. A
        slice without such pixels has None. Of several delays CBF and ATT are those of a fit to the limited images, and
        ``delta_m_over_m0_limited`` has a value for each delay or sub-bolus.
    """
    grey_matter = truth.grey_matter(_GREY_MATTER_SHARE)
    flow, times = truth.cbf_limited, {}
    ratio: Any = _rounded((truth.delta_m_limited[grey_matter] / truth.m0_limited[grey_matter]).real.mean())
    if has_several_delays(recipe):
        ideal = ideal_flow(recipe, truth)
        flow = ideal.cbf[0]
        ratio = [_rounded(image[grey_matter].mean()) for image in limited_ratios(recipe, truth)]
        times = _times(ideal, grey_matter)
    limited = flow[grey_matter]
    regions = {
        region.name: {
            "cbf": region.tissue.cbf,
            "att": region.tissue.att,
            "m0": region.tissue.m0,
            "t1": region.tissue.t1,
        }
        for region in recipe.phantom.regions
    }
    return {
        "n_coils": recipe.n_coils,
        "n_slices": recipe.n_slices,
        "matrix": [recipe.matrix_y, recipe.matrix_x],
        "n_m0": recipe.n_m0,
        "n_pairs": recipe.n_pairs,
        "n_noise_readouts": recipe.n_noise_readouts,
        "slice_timing": list(recipe.slice_timing),
        **_readout_numbers(recipe),
        **_label_numbers(recipe),
        "grey_matter": {
            "n_pixels": grey_matter.sum(axis=(1, 2)).tolist(),
            "cbf_mean": _rounded(truth.cbf[grey_matter].mean()),
            "cbf_mean_limited": _rounded(limited.mean()),
            "cbf_median_limited": _rounded(np.median(limited)),
            "cbf_mean_limited_of_slices": [
                _rounded(cbf[mask].mean()) if mask.any() else None for cbf, mask in zip(flow, grey_matter, strict=True)
            ],
            "delta_m_over_m0_limited": ratio,
            **times,
        },
        "regions": regions,
    }


def _readout_numbers(recipe: SimulationRecipe) -> dict[str, Any]:
    """What to know of the readout."""
    if isinstance(recipe, EpiRecipe):
        return {"ghost_delay": recipe.ghost_delay, "ghost_phase": recipe.ghost_phase}
    if isinstance(recipe, SpiralRecipe):
        return {"n_interleaves": recipe.n_interleaves, "n_shots": recipe.n_shots, "n_samples": recipe.n_samples}
    return {}


def _label_numbers(recipe: SimulationRecipe) -> dict[str, Any]:
    """Delays and durations where there are several [s]."""
    if not has_several_delays(recipe):
        return {}
    return {
        "post_labeling_delays": [one.post_labeling_delay for one in recipe.components],
        "labeling_durations": [one.labeling_duration for one in recipe.components],
    }


def _times(ideal: IdealFlow, grey_matter: NDArray[np.bool_]) -> dict[str, Any]:
    """Transit times [s] that a fit finds."""
    if ideal.att is None:
        return {}
    slices = zip(ideal.att, grey_matter, strict=True)
    return {
        "att_mean_limited": _rounded(ideal.att[grey_matter].mean()),
        "att_mean_limited_of_slices": [_rounded(att[mask].mean()) if mask.any() else None for att, mask in slices],
    }


def _rounded(value: float | np.floating[Any]) -> float:
    """Six significant digits: beyond them, processors differ."""
    return float(f"{value:.6g}")
