"""Blood flow of simulated spirals through the whole chain, against the truth limited to the disc that was sampled."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final

import numpy as np

from perfline.gadgets.bench.figures import Figure
from perfline.gadgets.bench.memory_scan import run_in_memory
from perfline.gadgets.errors import ScanError
from perfline.gadgets.scan import ScanOptions
from perfline.gadgets.simulate.messages import simulated_messages
from perfline.gadgets.simulate.raw_data import scan_truth
from perfline.gadgets.simulate.recipes import SPIRAL_RECIPES
from perfline.gadgets.simulate.spiral_recipe import SpiralRecipe
from perfline.gadgets.stage_data import CbfVolume, FieldMap, SideData

__all__ = ["spiral_figures"]

_BENCH: Final = "accuracy"
_MEDIAN_ERROR_AIM: Final = 0.5


@dataclass(frozen=True)
class _Case:
    """A noise-free scan, the aims [%], and whether its true field map is given."""

    recipe: SpiralRecipe
    median_aim: float | None
    absolute_aim: float | None
    has_field_map: bool = False


_SINGLE_SHOT: Final = replace(SPIRAL_RECIPES["bench_spiral"], noise_sd=0.0, n_slices=3, n_pairs=1)
_FIELD: Final = SPIRAL_RECIPES["spiral_50hz"]
_CASES: Final = MappingProxyType(
    {
        "spiral 64x64, 32 coils": _Case(_SINGLE_SHOT, _MEDIAN_ERROR_AIM, 2.0),
        "spiral 64x64, 32 coils, 50 Hz, corrected": _Case(
            replace(
                _SINGLE_SHOT,
                field_amplitude=_FIELD.field_amplitude,
                field_frequency=_FIELD.field_frequency,
                field_phase=_FIELD.field_phase,
            ),
            None,
            3.0,
            has_field_map=True,
        ),
        "spiral 64x64, 32 coils, R = 2": _Case(replace(_SINGLE_SHOT, n_interleaves=2, acceleration=2), None, None),
        "stack of spirals": _Case(
            replace(SPIRAL_RECIPES["stack_of_spirals"], noise_sd=0.0, n_noise_readouts=0, n_pairs=1, decay=False),
            None,
            None,
        ),
        "cones": _Case(replace(SPIRAL_RECIPES["cones"], noise_sd=0.0), None, None),
    }
)
_TOY: Final = MappingProxyType({"spiral": _Case(replace(SPIRAL_RECIPES["spiral"], n_slices=1, n_pairs=1), None, None)})


def spiral_figures(*, is_small: bool, report: Callable[[str], None]) -> Iterator[Figure]:
    """Measure.

    Parameters
    ----------
    is_small : bool
        One small scan, without aims.
    report : callable
        Told what is going on.

    Yields
    ------
    Figure
    """
    for name, case in (_TOY if is_small else _CASES).items():
        report(f"blood flow of {name}")
        error = _errors(name, case)
        yield Figure(_BENCH, name, "grey-matter CBF, median error", float(np.median(error)), "%", case.median_aim)
        absolute = float(np.median(np.abs(error)))
        yield Figure(_BENCH, name, "grey-matter CBF, median absolute error", absolute, "%", case.absolute_aim)


def _errors(name: str, case: _Case) -> np.ndarray:
    """Relative errors [%] in pixels that are grey matter to at least 90 %."""
    recipe = case.recipe
    truth = scan_truth(recipe)
    field_map = FieldMap(truth.off_resonance.astype(np.float32), None, "truth") if case.has_field_map else None
    options = ScanOptions(side=SideData(field_map=field_map))
    items = run_in_memory(simulated_messages(recipe), "pcasl_epi", options=options)
    flows = [item for item in items if isinstance(item, CbfVolume)]
    if not flows:
        raise ScanError(f"bench: the scan {name!r} gave no blood flow")
    grey = truth.grey_matter()
    return np.asarray(100 * (flows[-1].cbf[grey].astype(np.float64) / truth.cbf_limited[grey] - 1))
