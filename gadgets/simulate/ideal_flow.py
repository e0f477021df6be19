"""Blood flow, and transit time, that an ideal scan by a recipe would give: no noise, no ghost, one uniform coil."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from perfline.gadgets.mrd.organ_defaults import ORGAN_DEFAULTS
from perfline.gadgets.simulate.anatomy import Anatomy
from perfline.gadgets.simulate.raw_data import sampled_disc
from perfline.gadgets.simulate.scan_recipe import SimulationRecipe
from perfline.recon.asl.labeling import Labeling
from perfline.recon.asl.multi_delay import FitBounds, MultiDelayPlan
from perfline.recon.constants import RBF_BOUNDS
from perfline.recon.phantom.asl_series import cbf_factor
from perfline.recon.phantom.truth import TruthMaps, limited_images

__all__ = ["IdealFlow", "has_several_delays", "ideal_flow", "is_quantified", "limited_ratios"]


@dataclass(frozen=True)
class IdealFlow:
    """What the images limited to the sampled k-space give, 0 in air.

    ``cbf`` float32 (n_maps, n_slices, n_y, n_x): one map, or one for each artery [ml/100 g/min]. ``att`` float32
    (n_slices, n_y, n_x) [s]; None for a single delay. ``abv``, float32 of the same shape, is None where there is no
    arterial blood.
    """

    cbf: NDArray[np.float32]
    att: NDArray[np.float32] | None
    abv: NDArray[np.float32] | None = None


def has_several_delays(recipe: SimulationRecipe) -> bool:
    """Whether blood flow and transit time are fitted."""
    return len({(one.labeling_duration, one.post_labeling_delay) for one in recipe.components}) > 1


def is_quantified(recipe: SimulationRecipe) -> bool:
    """Whether blood flow comes from such a scan at all: QUIPSS with several inversion times is not fitted."""
    return not (recipe.saturation_time and has_several_delays(recipe))


def limited_ratios(recipe: SimulationRecipe, truth: TruthMaps) -> NDArray[np.float64]:
    """Control minus label of each component over M0, both limited to the sampled k-space.

    Parameters
    ----------
    recipe : SimulationRecipe
    truth : TruthMaps
        Of this recipe.

    Returns
    -------
    float64 array (n_components, n_slices, n_y, n_x)
        ``Re(delta_m conj(m0)) / |m0|^2``; 0 in air.
    """
    inside = truth.regions >= 0
    ratios = np.zeros((len(recipe.components), *inside.shape))
    for ratio, component in zip(ratios, recipe.components, strict=True):
        m0, delta_m = limited_images(
            recipe.phantom,
            recipe.slice_positions,
            recipe.series_of(component),
            recipe.phase_axis,
            recipe.readout_axis,
            recipe.echo_time if recipe.decay else 0.0,
            partition_axis=recipe.partition_axis,
            disc=sampled_disc(recipe),
        )[:, inside]
        ratio[inside] = (delta_m * m0.conj()).real / np.abs(m0) ** 2
    return ratios


def ideal_flow(recipe: SimulationRecipe, truth: TruthMaps) -> IdealFlow:
    """Quantify the ideal images.

    Parameters
    ----------
    recipe : SimulationRecipe
    truth : TruthMaps
        Of this recipe.

    Returns
    -------
    IdealFlow

    Raises
    ------
    InputError
        A scan that is not quantified, see `is_quantified`.

    Notes
    -----
    One delay: the consensus formula for each component. Several: the fit of `perfline.recon.asl.multi_delay` with the
    tissue T1 that a reconstruction takes where the header names none (GM, or cortex), and with the true arterial
    arrival time where there is arterial blood, so that of other tissues flow and time are as biased as they would be in
    a perfect scan. No fit knows of dispersion.
    """
    ratios = limited_ratios(recipe, truth)
    if has_several_delays(recipe):
        return _fitted(recipe, ratios, truth.regions >= 0)
    cbf = np.empty(ratios.shape, np.float32)
    for image, ratio, component in zip(cbf, ratios, recipe.components, strict=True):
        scheme = recipe.series_of(component).scheme
        factors = [cbf_factor(scheme, scheme.post_labeling_delay + time) for time in recipe.slice_timing]
        image[:] = ratio * np.reshape(factors, (-1, 1, 1))
    return IdealFlow(cbf, None)


def _fitted(recipe: SimulationRecipe, ratios: NDArray[np.float64], inside: NDArray[np.bool_]) -> IdealFlow:
    components, scheme = recipe.components, recipe.series.scheme
    organ = "kidney" if recipe.anatomy is Anatomy.KIDNEY else "brain"
    plan = MultiDelayPlan(
        Labeling(
            recipe.labeling_type,
            [one.post_labeling_delay for one in components],
            [one.labeling_duration for one in components],
            scheme.labeling_efficiency,
            scheme.blood_t1,
            scheme.partition_coefficient,
            scheme.saturation_time,
        ),
        inside,
        ORGAN_DEFAULTS[organ].perfused_tissue_t1[3.0].value,
        slice_timing=recipe.slice_timing,
        arterial_arrival_time=recipe.arterial_arrival_time if recipe.arterial_blood_volume else None,
        flip_angle=None if recipe.series.train is None else recipe.series.train.flip_angle,
        bounds=FitBounds(cbf=RBF_BOUNDS) if organ == "kidney" else FitBounds(),
    )
    # any small variance, the same for all: the weights are equal
    fit = plan.fit(ratios.astype(np.float32), np.ones(inside.shape, np.float32), np.full(len(components), 1e-10))
    return IdealFlow(fit.cbf[np.newaxis], fit.arterial_transit_time, fit.abv if recipe.arterial_blood_volume else None)
