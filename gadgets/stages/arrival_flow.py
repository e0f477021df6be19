"""Blood flow of a single delay where the arterial transit time is known from another scan."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from perfline.gadgets.errors import ScanHeaderError
from perfline.gadgets.stage_data import AslParameters, Notice, PerfusionAverage
from perfline.gadgets.stages.kinetic_labeling import kinetic_labeling
from perfline.recon.asl.arrival_corrected_cbf import quantify_cbf_with_arrival
from perfline.recon.asl.kinetic_model import excitation_times
from perfline.recon.asl.labeling import BolusCutOffTechnique

__all__ = ["arrival_notice", "arrival_scale", "check_arrival"]


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
    arrives, then with that of the perfused tissue (`GreyMatterT1`, as in the fit over delays).

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
    known = mask & _is_known(transit_time)
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
        slice_timing=asl.slice_times(n_slices),
    )
    scale[known] = flow[known] / difference[known]
    return scale


def arrival_notice(
    name: str,
    asl: AslParameters,
    average: PerfusionAverage,
    scale: NDArray[np.float32],
    mask: NDArray[np.bool_],
    transit_time: NDArray[np.float32],
) -> Iterator[Notice]:
    """Count the voxels that have no blood flow, by the reason.

    Parameters
    ----------
    name : str
        Of the map.
    asl : AslParameters
    average : PerfusionAverage
    scale : float32 array (n_slices, n_y, n_x)
        From `arrival_scale`.
    mask : bool array (n_slices, n_y, n_x)
    transit_time : float32 array (n_slices, n_y, n_x)
        [s]

    Yields
    ------
    Notice
        One, or none where all of the mask has a blood flow: a warning where most of it has none.
    """
    without = mask & ~np.isfinite(scale)
    n_voxels, n_without = int(np.count_nonzero(mask)), int(np.count_nonzero(without))
    if not n_without:
        return
    labeling = kinetic_labeling(asl, [(average.post_labeling_delay, average.labeling_duration)])
    timing = np.array(asl.slice_times(len(mask)))
    excitation = excitation_times(labeling, timing, 1)[0].reshape(-1, 1, 1)
    is_unknown = without & ~_is_known(transit_time)
    is_late = without & ~is_unknown & (transit_time >= excitation)
    counts = {
        "the transit time is 0 or no number": int(np.count_nonzero(is_unknown)),
        "no label has arrived by the excitation": int(np.count_nonzero(is_late)),
        "no flow explains so large a difference over M0": int(np.count_nonzero(without & ~is_unknown & ~is_late)),
    }
    reasons = ", ".join(f"{reason} in {count}" for reason, count in counts.items() if count)
    yield Notice(
        "warning" if 2 * n_without > n_voxels else "info",
        f"{name}: no blood flow in {n_without} of {n_voxels} voxels ({n_without / n_voxels:.1%}): {reasons}",
    )


def _is_known(transit_time: NDArray[np.float32]) -> NDArray[np.bool_]:
    return np.asarray(np.isfinite(transit_time) & (transit_time > 0))
