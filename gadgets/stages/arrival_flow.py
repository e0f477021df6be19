"""Blood flow of a single delay where the arterial transit time is known from another scan."""

import numpy as np
from numpy.typing import NDArray

from perfline.gadgets.errors import ScanHeaderError
from perfline.gadgets.stage_data import AslParameters, PerfusionAverage
from perfline.gadgets.stages.delays import kinetic_labeling
from perfline.recon.asl.arrival_corrected_cbf import quantify_cbf_with_arrival
from perfline.recon.asl.labeling import BolusCutOffTechnique

__all__ = ["arrival_scale", "check_arrival"]


def check_arrival(asl: AslParameters) -> None:
    """Refuse a labelling whose bolus is not known well enough for a transit time.

    Raises
    ------
    ScanHeaderError
        QUIPSS: the length of its bolus is not declared; or M0 is absent.
    """
    if asl.bolus_cut_off_technique == BolusCutOffTechnique.QUIPSS:
        raise ScanHeaderError(
            "BolusCutOffTechnique is QUIPSS: expected QUIPSSII or Q2TIPS with a map of transit times: the length of"
            " the bolus must be known"
        )
    if asl.m0_type == "Absent":
        raise ScanHeaderError("M0Type is Absent: expected an M0 with a map of transit times")


def arrival_scale(
    asl: AslParameters,
    n_slices: int,
    average: PerfusionAverage,
    m0: NDArray[np.float32],
    mask: NDArray[np.bool_],
    transit_time: NDArray[np.float32],
) -> NDArray[np.float32]:
    """Blood flow over difference, voxel by voxel, with two compartments: label decays with the T1 of blood until it
    arrives, then with that of the perfused tissue.

    Parameters
    ----------
    asl : AslParameters
    n_slices : int
    average : PerfusionAverage
    m0 : float32 array (n_slices, n_y, n_x)
    mask : bool array (n_slices, n_y, n_x)
    transit_time : float32 array (n_slices, n_y, n_x)
        [s]; voxels where it is 0 or not finite have no blood flow.

    Returns
    -------
    float32 array (n_slices, n_y, n_x)
        [ml/100 g/min] over the unit of the images; 0 outside the mask, NaN where no label has arrived or no transit
        time is known.

    Notes
    -----
    The flow itself is in the decay of the label, a little: the scale is taken at the flow of the average, and of the
    smallest difference where that is not positive.
    """
    known = mask & np.isfinite(transit_time) & (transit_time > 0)
    scale = np.where(mask, np.float32(np.nan), np.float32(0))
    if not known.any():
        return scale
    labeling = kinetic_labeling(asl, [(average.post_labeling_delay, average.labeling_duration)])
    least = 1e-4 * float(np.median(m0[known]))
    difference = np.where(average.mean > least, average.mean, np.float32(least))
    flow = quantify_cbf_with_arrival(
        difference,
        m0,
        known,
        labeling,
        np.where(known, transit_time, 0),
        tissue_t1=asl.perfused_tissue_t1,
        slice_timing=asl.slice_timing or (0.0,) * n_slices,
    )
    scale[known] = flow[known] / difference[known]
    return scale
