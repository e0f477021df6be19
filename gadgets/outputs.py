"""The sinks behind ``--out DIR``: NIfTI with BIDS sidecars, MRD images, a montage, the summary."""

from collections.abc import Sequence
from pathlib import Path

from perfline.gadgets.writers.bids import BidsSink
from perfline.gadgets.writers.montage_sink import MontageSink
from perfline.gadgets.writers.mrd_file import MrdImageSink
from perfline.gadgets.writers.sink import Sink
from perfline.gadgets.writers.summary import SummarySink

__all__ = ["output_sinks"]


def output_sinks(
    folder: Path, name: str, *, overwrite: bool, with_montage: bool = True, heading: str = ""
) -> Sequence[Sink]:
    """Make the sinks that leave files.

    Parameters
    ----------
    folder : Path
    name : str
        Start of the NIfTI files' names, for example ``sub-01``.
    overwrite : bool
        Replace the files of an earlier scan.
    with_montage : bool
    heading : str
        Of the montage.

    Raises
    ------
    ConfigurationError
        A name that BIDS doesn't allow; or a montage is wanted and matplotlib (extra ``view``) is missing.
    """
    sinks: list[Sink] = [BidsSink(folder, name, overwrite=overwrite), MrdImageSink(folder, overwrite=overwrite)]
    if with_montage:
        sinks.append(MontageSink(folder, heading=heading, overwrite=overwrite))
    # last, so that it lists the files of the others
    sinks.append(SummarySink(folder, overwrite=overwrite))
    return sinks
