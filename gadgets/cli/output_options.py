"""The options of what a scan leaves behind, and of the live view, that several commands share."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial, wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from perfline.gadgets.outputs import OutputOptions
    from perfline.gadgets.viewer.viewer_process import ViewerProcess
    from perfline.gadgets.writers.sink import Sink

__all__ = ["output_options", "shown", "view_options", "view_sinks"]

_OF_DICOM = ("dicom", "dicom_classic", "dicom_reference", "send")


def output_options(*, montage: bool) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Add the options of what a scan leaves in its folder ``out``; the command gets a
    function ``outputs`` that makes them, once what they need may be imported.

    Parameters
    ----------
    montage : bool
        Whether a montage is written by default.
    """

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(command)
        def with_outputs(**values: Any) -> Any:
            given = {name: values.pop(name) for name in ("montage", "report", *_OF_DICOM)}
            return command(**values, outputs=partial(_resolved, given, values["out"]))

        wrapped: Callable[..., Any] = with_outputs
        for option in reversed(
            [
                click.option(
                    "--montage/--no-montage",
                    default=montage,
                    show_default=True,
                    help="Write a PNG montage (extra 'view').",
                ),
                click.option("--report", is_flag=True, help="Write report.html and report.pdf (extra 'report')."),
                click.option("--dicom", is_flag=True, help="Write DICOM series as Enhanced MR (extra 'dicom')."),
                click.option(
                    "--dicom-classic",
                    is_flag=True,
                    help="In place of --dicom: as MR, one file a slice, for older systems.",
                ),
                click.option(
                    "--dicom-reference",
                    type=click.Path(file_okay=False, exists=True, path_type=Path),
                    help="Series of the same examination: DICOM gets its patient, study and coordinate system.",
                ),
                click.option("--send", metavar="AE@HOST:PORT", help="Send the DICOM series to this archive."),
            ]
        ):
            wrapped = option(wrapped)
        return wrapped

    return decorate


def _resolved(given: dict[str, Any], out: Path | None) -> "OutputOptions":
    """Make the options; each of those of DICOM asks for it.

    Raises
    ------
    click.UsageError
        Files are asked for, but no folder; or both kinds of DICOM.
    ConfigurationError
        ``--send`` is not an address.
    """
    from perfline.gadgets.outputs import DicomOptions, OutputOptions
    from perfline.gadgets.writers.dicom_send import parse_pacs_address

    of_folder = [name for name in ("report", *_OF_DICOM) if given[name]]
    if out is None and of_folder:
        raise click.UsageError(f"--{of_folder[0].replace('_', '-')}: expected --out DIR with it, got none")
    if given["dicom"] and given["dicom_classic"]:
        raise click.UsageError("--dicom, --dicom-classic: expected one of them: a series is written in one form")
    dicom = None
    if any(given[name] for name in _OF_DICOM):
        address = given["send"] and parse_pacs_address(given["send"])
        dicom = DicomOptions(given["dicom_reference"], address or None, given["dicom_classic"])
    return OutputOptions(with_montage=given["montage"], with_report=given["report"], dicom=dicom)


def view_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options of the live view."""
    command = click.option(
        "--view-port", type=click.IntRange(0, 65535), default=0, show_default=True, help="Of --view; 0: any free one."
    )(command)
    return click.option(
        "--view", is_flag=True, help="Show the scan as it comes in, as a web page on loopback (extra 'view')."
    )(command)


@contextmanager
def shown(view: bool, port: int) -> "Iterator[ViewerProcess | None]":
    """Give the process of the page, which ends with the block; None where no view is wanted.

    Raises
    ------
    ConfigurationError
        Its library is missing, or the port is taken.
    """
    if not view:
        yield None
        return
    from perfline.gadgets.viewer.viewer_process import ViewerProcess

    with ViewerProcess(port) as viewer:
        click.echo(f"view: {viewer.url}", err=True)
        yield viewer


def view_sinks(viewer: "ViewerProcess | None", title: str) -> "list[Sink]":
    """Sinks that show a scan under this title, where there is a page."""
    if viewer is None:
        return []
    from perfline.gadgets.viewer.view_sink import ViewSink

    return [ViewSink(viewer.address, title)]
