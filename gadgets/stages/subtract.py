"""Control-label pairs to perfusion-weighted images (delta-M), and a check of the declared order by sign."""

from collections.abc import Iterator

import numpy as np

from perfline.gadgets.errors import MissingParameterError
from perfline.gadgets.stage_data import ControlLabelPair, DeltaMVolume
from perfline.gadgets.stages.order_check import OrderCheck
from perfline.recon.asl.subtraction import subtract
from perfline.recon.parameters import SubtractionDomain

__all__ = ["Subtract"]

_N_CHECKED = 3
_SWAPPED = (
    "CONTROL AND LABEL LOOK SWAPPED: mean (control - label)/control is {mean} by the first {n} pair(s), perfusion"
    " gives about +1 %; check aslcontext or idx.set (nothing was changed)"
)


class Subtract:
    """Subtract the label of each pair from its control.

    After the first pairs, or at the end of a scan with fewer, the sign of the mean difference is held against the
    declared order: a wrong one is reported loudly, and nothing is changed.

    Parameters
    ----------
    domain : SubtractionDomain
    """

    name = "subtract"

    def __init__(self, domain: SubtractionDomain) -> None:
        self._domain = domain
        self._order = OrderCheck(_N_CHECKED, _SWAPPED)

    def process(self, item: object) -> Iterator[object]:
        """Subtract a pair.

        Raises
        ------
        MissingParameterError
            The pair carries no post-labelling delay or labelling duration.
        """
        if not isinstance(item, ControlLabelPair):
            yield item
            return
        delta_m = subtract(item.control.image, item.label.image, self._domain)
        label = item.label.label
        if label is None or label.post_labeling_delay is None or label.labeling_duration is None:
            raise MissingParameterError(f"PostLabelingDelay, LabelingDuration: none known for pair {item.index}")
        yield DeltaMVolume(
            image=delta_m,
            index=item.index,
            geometry=item.control.geometry,
            post_labeling_delay=label.post_labeling_delay,
            labeling_duration=label.labeling_duration,
            source=item.source,
        )
        if not self._order.is_done:
            notice = self._order.add(np.abs(item.control.image), delta_m)
            if notice is not None:
                yield notice

    def finish(self) -> Iterator[object]:
        """Judge the order of a scan with few pairs."""
        notice = self._order.finish()
        if notice is not None:
            yield notice
