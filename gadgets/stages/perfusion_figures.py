"""Single figures of a running scan, for the console and the summary."""

import numpy as np
from numpy.typing import NDArray

from perfline.gadgets.stage_data import CbfVolume, PerfusionAverage
from perfline.recon.asl.quality import global_perfusion, negative_share, spatial_variation

__all__ = ["perfusion_figures"]

_LEAST_SHARE = 0.5
"""Of the voxels that have a temporal SNR: of whole numbers some are the same in all of a few pairs, and have none."""


def perfusion_figures(
    cbf: CbfVolume, average: PerfusionAverage | None, difference: NDArray[np.float32] | None = None
) -> dict[str, float]:
    """Condense the latest CBF and average into single numbers.

    Parameters
    ----------
    cbf : CbfVolume
        NaN where a fit has failed.
    average : PerfusionAverage, optional
        The average behind it, for the temporal SNR.
    difference : float32 array (n_slices, n_y, n_x), optional
        Control minus label behind a flow that is fitted, and never negative; of other flow the sign is that of its
        difference.

    Returns
    -------
    dict
        ``mean_cbf`` over the mask, ``mean_cbf_voxel_standard_error`` (of single voxels, averaged over the mask),
        ``spatial_variation``, ``negative_share``, ``median_tsnr`` of the voxels that have one, if half of them do; NaN
        for what one pair can't tell, or without a head.
    """
    nan = float("nan")
    inside = cbf.mask & np.isfinite(cbf.cbf)
    if not inside.any():
        return dict.fromkeys(
            ("mean_cbf", "mean_cbf_voxel_standard_error", "spatial_variation", "negative_share", "median_tsnr"), nan
        )
    errors = cbf.standard_error[inside]
    # a fit at a bound has no error
    errors = errors[np.isfinite(errors)]
    tsnr = average.tsnr[inside] if average is not None else np.empty(0)
    known = tsnr[np.isfinite(tsnr)]
    return {
        "mean_cbf": global_perfusion(cbf.cbf, inside),
        "mean_cbf_voxel_standard_error": float(np.mean(errors, dtype=np.float64)) if errors.size else nan,
        "spatial_variation": spatial_variation(cbf.cbf, inside),
        "negative_share": negative_share(cbf.cbf if difference is None else difference, cbf.mask),
        "median_tsnr": float(np.median(known)) if known.size and known.size >= _LEAST_SHARE * tsnr.size else nan,
    }
