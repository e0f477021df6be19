"""How right the results are: blood flow against the phantom, the hand-worked value, ghosts, regridding."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Final

import numpy as np
from numpy.typing import NDArray

from perfline.gadgets.bench.figures import Figure, Skipped
from perfline.gadgets.bench.ghost_measure import measure_ghost
from perfline.gadgets.bench.memory_scan import file_messages, run_in_memory
from perfline.gadgets.bench.spiral_accuracy import spiral_figures
from perfline.gadgets.errors import ScanError
from perfline.gadgets.mrd.mrd_file import MrdFile
from perfline.gadgets.mrd.scan_header import parse_scan_header
from perfline.gadgets.simulate.messages import simulated_messages
from perfline.gadgets.simulate.raw_data import scan_truth
from perfline.gadgets.simulate.recipes import EPI_RECIPES
from perfline.gadgets.simulate.scan_recipe import SimulationRecipe
from perfline.gadgets.stage_data import CbfVolume, Volume
from perfline.recon.asl.cbf import cbf_factor, quantify_cbf
from perfline.recon.epi.phase_encoding import inverse_transform
from perfline.recon.epi.ramp import make_readout_operator, readout_positions
from perfline.recon.fourier import centred_positions
from perfline.recon.parameters import ImageAxis, LabelingType, TrapezoidReadout
from perfline.recon.phantom.brain import brain_phantom
from perfline.recon.phantom.ellipsoids import ellipse_kspace
from perfline.recon.phantom.readouts import sample_positions

__all__ = ["measure"]

_BENCH: Final = "accuracy"
_MEDIAN_ERROR_AIM: Final = 0.5
_MEDIAN_ABSOLUTE_ERROR_AIM: Final = 1.5
_GHOST_AIM: Final = 0.088
_REGRID_AIM: Final = 1e-4
"""What the readout operator promises for objects inside the field of view."""

_HAND_WORKED: Final = 86.2999
"""6000 * 0.9 * 0.01 exp(1.8 / 1.65) / (2 * 0.85 * 1.65 (1 - exp(-1.8 / 1.65))) [mL/100 g/min]"""

_SCANNER_FILE: Final = "epi_siemens/siemens_skyra_ep2d_bold_2ch.h5"
_GHOST_CASES: Final = MappingProxyType({"none": "uncorrected", "navigator": "navigators", "auto": "default"})

_LARGE: Final = replace(EPI_RECIPES["bench"], noise_sd=0.0, n_coils=8, n_slices=4, n_pairs=2)
_CBF_RECIPES: Final = MappingProxyType(
    {
        "clean": EPI_RECIPES["clean"],
        "64x64 ramp": _LARGE,
        "64x64 flat": replace(_LARGE, ramp_time=0.0, flat_top_time=0.0, acquisition_delay=0.0),
        "64x64 ramp, no ghost": replace(_LARGE, ghost_delay=0.0, ghost_phase=0.0),
    }
)
"""Without noise. The last one shows what is left when there is no ghost to be corrected."""

_TOY: Final = MappingProxyType({"clean": replace(EPI_RECIPES["clean"], n_slices=2, n_pairs=1)})


def measure(*, rounds: int, is_small: bool, data: Path, report: Callable[[str], None]) -> Iterator[Figure | Skipped]:
    """Measure.

    Parameters
    ----------
    rounds : int
        Not used: the results are the same each time.
    is_small : bool
        A toy scan only.
    data : Path
        Folder of real scanner data; cases that need it are skipped where it is absent.
    report : callable
        Told what is going on.

    Yields
    ------
    Figure or Skipped
    """
    for case, recipe in (_TOY if is_small else _CBF_RECIPES).items():
        report(f"blood flow of {case}")
        yield from _blood_flow(case, recipe)
    yield from spiral_figures(is_small=is_small, report=report)
    yield from _hand_worked_value()
    scanner_file = data / _SCANNER_FILE
    for name, recipe in EPI_RECIPES.items():
        yield from _regridding(name, recipe.epi.readout, recipe.readout_axis)
    if not scanner_file.is_file():
        yield Skipped(_BENCH, "scanner EPI", f"no file {scanner_file}")
        return
    report("ghost of the scanner's EPI")
    yield from _scanner_ghost(scanner_file)
    with MrdFile(scanner_file) as file:
        header = parse_scan_header(file.header_xml(), with_asl=False)
    if header.trapezoid is not None:
        yield from _regridding("scanner EPI", header.trapezoid, header.readout_axis)


def _figure(case: str, figure: str, value: float, unit: str, aim: float | None = None) -> Figure:
    return Figure(_BENCH, case, figure, float(value), unit, aim)


def _blood_flow(case: str, recipe: SimulationRecipe) -> Iterator[Figure]:
    """Compare with the truth limited to the sampled k-space, in pixels that are grey matter to at least 90 %."""
    flows = [item for item in run_in_memory(simulated_messages(recipe), "pcasl_epi") if isinstance(item, CbfVolume)]
    if not flows:
        raise ScanError(f"bench: the scan {case!r} gave no blood flow")
    truth = scan_truth(recipe)
    grey = truth.grey_matter()
    error = 100 * (flows[-1].cbf[grey].astype(np.float64) / truth.cbf_limited[grey] - 1)
    yield _figure(case, "grey-matter CBF, median error", np.median(error), "%", _MEDIAN_ERROR_AIM)
    yield _figure(
        case, "grey-matter CBF, median absolute error", np.median(np.abs(error)), "%", _MEDIAN_ABSOLUTE_ERROR_AIM
    )
    yield _figure(case, "grey-matter CBF, 95 % of absolute errors below", np.percentile(np.abs(error), 95), "%")


def _hand_worked_value() -> Iterator[Figure]:
    factor = cbf_factor(
        LabelingType.PCASL,
        post_labeling_delay=1.8,
        labeling_duration=1.8,
        bolus_cut_off_delay_time=None,
        labeling_efficiency=0.85,
        blood_t1=1.65,
        partition_coefficient=0.9,
    )
    m0 = np.full((1, 1, 1), 100.0, np.float32)
    value = float(quantify_cbf(0.01 * m0, m0, factor, np.ones(m0.shape, np.bool_))[0, 0, 0])
    yield _figure("dM/M0 = 0.01", "CBF", value, "mL/100g/min")
    # the hand-worked value has four decimals, the image is float32
    yield _figure("dM/M0 = 0.01", f"CBF, difference from {_HAND_WORKED}", value - _HAND_WORKED, "mL/100g/min", 1e-4)


def _scanner_ghost(path: Path) -> Iterator[Figure]:
    """Measure the ghost of a real scan with the settings that `_GHOST_CASES` names."""
    for setting, case in _GHOST_CASES.items():
        items = run_in_memory(file_messages(path), "epi", {"ghost_correction": setting})
        image = next(np.abs(item.image[0]) for item in items if isinstance(item, Volume))
        measured = measure_ghost(image)
        aim = _GHOST_AIM if setting == "auto" else None
        yield _figure(f"scanner EPI, {case}", "ghost over signal", measured.ghost, "", aim)
        yield _figure(f"scanner EPI, {case}", "background over signal", measured.background, "")


def _regridding(case: str, readout: TrapezoidReadout, axis: ImageAxis) -> Iterator[Figure]:
    """Compare the regridded profile of the phantom with the transform of its exact k-space at the integer points."""
    operator = make_readout_operator(readout_positions(readout, axis.n_encoded), axis)
    points = centred_positions(axis.n_encoded)
    expected = inverse_transform(points, axis) @ _profile_kspace(points, axis)
    # the simulator's own positions, so that a mistake in those of the reconstruction would show
    samples_at = sample_positions(readout, axis.n_encoded)
    errors = [
        np.linalg.norm(_profile_kspace(sign * samples_at, axis) @ matrix - expected) / np.linalg.norm(expected)
        for sign, matrix in ((1, operator.forward), (-1, operator.reversed))
    ]
    yield _figure(f"readout of {case}", "regridding, relative error", float(max(errors)), "", _REGRID_AIM)
    yield _figure(f"readout of {case}", "noise gain, worst pixel", operator.noise_gain_worst, "")
    yield _figure(f"readout of {case}", "noise gain, root mean square", operator.noise_gain_rms, "")


def _profile_kspace(points: NDArray[np.float64], axis: ImageAxis) -> NDArray[np.complex128]:
    """Central line of the phantom's middle slice, at points in cycles per encoded field of view."""
    phantom = brain_phantom()
    middle, values = phantom.cut(0.0), phantom.values("m0")
    kspace = np.zeros(points.size, np.complex128)
    for ellipse, parent, value in zip(middle.ellipses, middle.parents, values, strict=True):
        if ellipse is not None:
            step = value - (values[parent] if parent >= 0 else 0.0)
            kspace += step * ellipse_kspace(ellipse, 0.0, points / axis.field_of_view_encoded)
    return kspace
