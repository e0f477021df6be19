"""The plans of an EPI scan: one for each pattern of lines, and the weights that combine its coils."""

from collections import OrderedDict

import numpy as np
from numpy.typing import NDArray

from perfline.gadgets.stage_data import KSpaceSlice, ScanHeader
from perfline.recon.coils.combination import combination_weights
from perfline.recon.epi.plan import EpiPlan, PlannedWeights

__all__ = ["EpiPlans", "planned_weights"]

_MAX_PLANS = 8
"""Kept at once: some patterns alternate in a scan; those of damaged slices must not fill the memory."""


class EpiPlans:
    """Finds the plan of a slice, or makes it.

    Parameters
    ----------
    header : ScanHeader
    shift : float
        Where the centre of the reconstructed field of view lies on the encoded one, along y [mm].
    """

    def __init__(self, header: ScanHeader, shift: float) -> None:
        self._center_line = header.limits["line"].center
        self._axis = header.phase_axis
        self._shift = shift
        self._plans: OrderedDict[tuple[int, bytes, bytes, bytes], EpiPlan] = OrderedDict()

    def of(self, item: KSpaceSlice) -> EpiPlan:
        """The plan of slices with the readout, lines, polarities and shots of this one.

        Raises
        ------
        InputError
            A line lies outside the encoded k-space.
        """
        # a plan holds its readout operator, so that no other gets the same identity
        key = (id(item.readout), item.line_numbers.tobytes(), item.is_reversed.tobytes(), item.shots.tobytes())
        plan = self._plans.get(key)
        if plan is None:
            plan = EpiPlan(
                item.readout,
                item.raw.shape[1],
                item.line_numbers,
                item.is_reversed,
                self._center_line,
                self._axis,
                shift=self._shift,
                shots=item.shots,
            )
            if len(self._plans) == _MAX_PLANS:
                self._plans.popitem(last=False)
            self._plans[key] = plan
        self._plans.move_to_end(key)
        return plan


def planned_weights(
    plan: EpiPlan, maps: NDArray[np.complex64], whitening: NDArray[np.complex64] | None
) -> PlannedWeights:
    """Weights for samples that are not whitened, from the maps of whitened coils.

    Parameters
    ----------
    plan : EpiPlan
        Plans of the same numbers of coils and pixels share weights.
    maps : complex64 array (n_slices, n_coils, n_y, n_x)
    whitening : complex64 array (n_coils, n_coils), optional
        W.

    Returns
    -------
    PlannedWeights

    Notes
    -----
    Whitened coils ``W d`` with weights w give ``w^T (W d) = (W^T w)^T d``.
    """
    weights = combination_weights(maps)
    if whitening is not None:
        for pixels in weights.reshape(*weights.shape[:2], -1):
            pixels[:] = whitening.T @ pixels
    return plan.plan_weights(weights)
