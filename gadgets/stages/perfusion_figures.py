"""Single figures of a running scan, for the console and the summary."""

import numpy as np

from perfline.gadgets.stage_data import CbfVolume, PerfusionAverage
from perfline.recon.asl.quality import global_perfusion, negative_share, spatial_variation

__all__ = ["perfusion_figures"]


def perfusion_figures(cbf: CbfVolume, average: PerfusionAverage | None) -> dict[str, float]:
    """Condense the latest CBF and average into single numbers.

    Parameters
    ----------
    cbf : CbfVolume
    average : PerfusionAverage, optional
        The average behind it, for the temporal SNR.

    Returns
    -------
    dict
        ``mean_cbf`` over the mask, ``mean_cbf_voxel_standard_error`` (of single voxels, averaged over the mask),
        ``spatial_variation``, ``negative_share``, ``median_tsnr``; NaN for what one pair can't tell, or without a head.
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
    return {
        "mean_cbf": global_perfusion(cbf.cbf, inside),
        "mean_cbf_voxel_standard_error": float(np.mean(errors, dtype=np.float64)) if errors.size else nan,
        "spatial_variation": spatial_variation(cbf.cbf, inside),
        "negative_share": negative_share(cbf.cbf, inside),
        "median_tsnr": float(np.median(tsnr)) if tsnr.size and np.isfinite(tsnr).all() else nan,
    }
