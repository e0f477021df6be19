"""The sinks behind ``--out DIR``: NIfTI with BIDS sidecars, MRD images, a montage, the summary."""

from collections.abc import Sequence
from pathlib import Path

from perfline.gadgets.writers.bids import BidsSink
from perfline.gadgets.writers.montage_sink import MontageSink
from perfline.gadgets.writers.mrd_file import MrdImageSink
from perfline.gadgets.writers.region_table import RegionTableSink
from perfline.gadgets.writers.sink import Sink
from perfline.gadgets.writers.summary import SummarySink

__all__ = ["output_sinks"]


def output_sinks(
    folder: Path,
    name: str,
    *,
    overwrite: bool,
    with_montage: bool = True,
    with_mrd: bool = True,
    heading: str = "",
    others: Sequence[Sink] = (),
) -> Sequence[Sink]:
    """Make the sinks that leave files.

    Parameters
    ----------
    folder : Path
    name : str
        Start of the NIfTI files' names, for example ``sub-01``.
    overwrite : bool
        Replace the files of an earlier scan.
    with_montage, with_mrd : bool
        Whether a montage, and all images as MRD, are among them.
    heading : str
        Of the montage.
    others : sequence of Sink
        Further ones, whose files are listed too.

    Raises
    ------
    ConfigurationError
        A name that BIDS doesn't allow; or a montage is wanted and matplotlib (extra ``view``) is missing.
    """
    sinks: list[Sink] = [
        BidsSink(folder, name, overwrite=overwrite),
        RegionTableSink(folder, name, overwrite=overwrite),
    ]
    if with_mrd:
        sinks.append(MrdImageSink(folder, overwrite=overwrite))
    if with_montage:
        sinks.append(MontageSink(folder, heading=heading, overwrite=overwrite))
    sinks += others
    # last, so that it lists the files of the others
    sinks.append(SummarySink(folder, overwrite=overwrite))
    return sinks
