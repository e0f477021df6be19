"""What is scanned: the phantoms by name."""

from enum import StrEnum

from perfline.recon.parameters import LabelingType
from perfline.recon.phantom.brain import Phantom, brain_phantom
from perfline.recon.phantom.kidney import kidney_phantom
from perfline.recon.phantom.slow_brain import slow_brain_phantom

__all__ = ["Anatomy", "scanned_phantom"]


class Anatomy(StrEnum):
    """Which phantom: `brain_phantom`, `slow_brain_phantom` or `kidney_phantom`."""

    BRAIN = "brain"
    SLOW_BRAIN = "slow_brain"
    KIDNEY = "kidney"


def scanned_phantom(anatomy: Anatomy, labeling_type: LabelingType) -> Phantom:
    """Make the phantom of a scan.

    Parameters
    ----------
    anatomy : Anatomy
    labeling_type : LabelingType
        For kidneys, whose flow was found to be another one by pulsed labelling.

    Returns
    -------
    Phantom

    Examples
    --------
    >>> len(scanned_phantom(Anatomy.KIDNEY, LabelingType.PCASL).regions)
    9
    """
    if anatomy is Anatomy.KIDNEY:
        return kidney_phantom(labeling_type)
    return slow_brain_phantom() if anatomy is Anatomy.SLOW_BRAIN else brain_phantom()
