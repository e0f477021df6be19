"""A phantom whose tissue has labelled blood in its arteries, too."""

from dataclasses import replace

from perfline.recon.checks import check_non_negative, check_positive
from perfline.recon.errors import InputError
from perfline.recon.phantom.brain import Phantom

__all__ = ["with_arterial_blood"]


def with_arterial_blood(phantom: Phantom, abv: float, arrival_time: float) -> Phantom:
    """Give all tissue that has flow an arterial blood volume.

    Parameters
    ----------
    phantom : Phantom
    abv : float
        Of the tissue with the most flow, as a fraction; that of other tissue is smaller as its flow is.
    arrival_time : float
        When the label reaches the arteries of all tissue [s].

    Returns
    -------
    Phantom

    Raises
    ------
    InputError
        A number is negative, the volume above 1, or no tissue has flow.

    Examples
    --------
    >>> from perfline.recon.phantom.brain import brain_phantom
    >>> phantom = with_arterial_blood(brain_phantom(), 0.022, 0.5)
    >>> sorted(set(phantom.values("abv").round(4).tolist()))
    [0.0, 0.0008, 0.004, 0.0096, 0.012, 0.022]
    """
    if not 0 <= abv <= 1:
        raise InputError(f"abv: expected a share from 0 to 1, got {abv:g}")
    check_non_negative("arrival_time", arrival_time, "s")
    most = phantom.values("cbf").max()
    check_positive("most flow of a tissue", most)
    regions = (
        replace(
            region,
            tissue=replace(region.tissue, abv=abv * region.tissue.cbf / most, arterial_arrival_time=arrival_time),
        )
        for region in phantom.regions
    )
    return replace(phantom, regions=tuple(regions))
