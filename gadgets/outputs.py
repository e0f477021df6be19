"""The sinks behind ``--out DIR``: a BIDS tree of NIfTI files, tables of what happened, and what else is asked for."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from perfline.gadgets.writers.archive_sink import ArchiveSink
from perfline.gadgets.writers.bids import BidsSink
from perfline.gadgets.writers.course_tables import CourseSink
from perfline.gadgets.writers.dicom_send import PacsAddress
from perfline.gadgets.writers.event_log import EventLogSink
from perfline.gadgets.writers.montage_sink import MontageSink
from perfline.gadgets.writers.mrd_file import MrdImageSink
from perfline.gadgets.writers.region_table import RegionTableSink
from perfline.gadgets.writers.sink import Sink
from perfline.gadgets.writers.summary import SummarySink

__all__ = ["DicomOptions", "OutputOptions", "output_sinks"]


@dataclass(frozen=True)
class DicomOptions:
    """How DICOM series are made, and the archive that gets them: see `DicomSink`, `ArchiveSink`."""

    reference: Path | None = None
    send: PacsAddress | None = None
    is_classic: bool = False


@dataclass(frozen=True)
class OutputOptions:
    """What a scan leaves in its folder beside NIfTI files, tables and summary; can be sent to another process.

    Parameters
    ----------
    with_montage, with_mrd, with_report : bool
        A picture of all maps, all images as MRD, the report.
    dicom : DicomOptions, optional
        None: no DICOM series.
    """

    with_montage: bool = True
    with_mrd: bool = True
    with_report: bool = False
    dicom: DicomOptions | None = None


def output_sinks(
    folder: Path,
    name: str,
    options: OutputOptions | None = None,
    *,
    overwrite: bool,
    heading: str = "",
    others: Sequence[Sink] = (),
) -> Sequence[Sink]:
    """Make the sinks that leave files.

    Parameters
    ----------
    folder : Path
        Root of the tree.
    name : str
        Entities of the scan, such as ``sub-01`` or ``sub-01_ses-2_run-1``: see `BidsTree`.
    options : OutputOptions, optional
    overwrite : bool
        Replace the files of an earlier scan.
    heading : str
        Of the montage.
    others : sequence of Sink
        Further ones, whose files are listed too.

    Raises
    ------
    ConfigurationError
        A name that is no chain of BIDS entities; or a library is missing that an option needs: the message names its
        extra.
    """
    options = options or OutputOptions()
    sinks: list[Sink] = [
        BidsSink(folder, name, overwrite=overwrite),
        RegionTableSink(folder, name, overwrite=overwrite),
        CourseSink(folder, overwrite=overwrite),
        EventLogSink(folder / "log.jsonl", overwrite=overwrite),
    ]
    if options.with_mrd:
        sinks.append(MrdImageSink(folder, overwrite=overwrite))
    if options.with_montage:
        sinks.append(MontageSink(folder, heading=heading, overwrite=overwrite))
    if options.dicom is not None:
        # pydicom and what it brings are imported only where DICOM is wanted
        from perfline.gadgets.writers.dicom import DicomSink

        sinks.append(
            DicomSink(
                folder,
                reference=options.dicom.reference,
                classic=options.dicom.is_classic,
                overwrite=overwrite,
            )
        )
        if options.dicom.send is not None:
            sinks.append(ArchiveSink(options.dicom.send))
    sinks += others
    # behind the others, so that it lists their files
    sinks.append(SummarySink(folder, overwrite=overwrite))
    if options.with_report:
        from perfline.gadgets.report.write import ReportSink

        # made from all these files
        sinks.append(ReportSink(folder, overwrite=overwrite))
    return sinks
