"""The trajectory that a header describes by the parameters of its design."""

from perfline.gadgets.stage_data import HargreavesParameters
from perfline.recon.nufft.spiral_design import SpiralDesign, design_hargreaves_vds2000

__all__ = ["header_design"]


def header_design(parameters: HargreavesParameters) -> SpiralDesign:
    """Design the interleaves of ``HargreavesVDS2000`` as they lie in the k-space of MRD.

    Parameters
    ----------
    parameters : HargreavesParameters

    Returns
    -------
    SpiralDesign
        1/m, axis order y, x, against the readout's ``phase_dir`` and ``read_dir``.

    Raises
    ------
    InputError
        As of `design_hargreaves_vds2000`.

    Notes
    -----
    The k-space of MRD is that in which ``S(k) = integral rho(r) exp(-2 pi i k r)``, r along the directions of the
    readout. The sequences that describe themselves in this way play the design along those directions, but the raw
    data come out with the opposite sign: Gadgetron, for which the description was made, turns the design round
    (``calculate_vds`` returns minus the gradients) before it transforms with ``exp(+2 pi i k r)``. Its earlier
    ``calc_traj`` did not, and its images were turned by half a turn. The sign is settled here, for readers and for
    simulations of such files.

    Examples
    --------
    >>> spiral = header_design(HargreavesParameters(8, (22.0,), 4.0, 15000.0, 2e-6, 3.0))
    >>> spiral.trajectory[0, 200].round(2)
    array([-12.25, -36.23])
    """
    design = design_hargreaves_vds2000(
        parameters.n_interleaves,
        parameters.fov_coefficients_cm,
        parameters.max_gradient_g_per_cm,
        parameters.max_slew_rate_g_per_cm_per_s,
        parameters.sampling_time,
        parameters.krmax_per_cm,
    )
    return SpiralDesign(-design.gradients, -design.trajectory, design.sampling_time, design.gyromagnetic_ratio)
