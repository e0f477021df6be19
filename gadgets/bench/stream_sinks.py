"""Everything that a scan can leave behind or show, for measuring what it costs the scan."""

import importlib.util
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from perfline.gadgets.outputs import DicomOptions, OutputOptions
from perfline.gadgets.server.claimed_names import FolderSinks, JoinedSinks
from perfline.gadgets.viewer.view_sink import ViewSinks
from perfline.gadgets.viewer.viewer_process import ViewerProcess
from perfline.gadgets.writers.sink import Sink

__all__ = ["all_sinks"]

_NEEDED: Final = {
    "montage": ("matplotlib",),
    "report": ("matplotlib", "jinja2", "reportlab"),
    "DICOM": ("pydicom", "highdicom"),
    "view": ("bokeh",),
}


@contextmanager
def all_sinks(folder: Path, report: Callable[[str], None]) -> Iterator[Callable[[int], Sequence[Sink]]]:
    """Give what makes the sinks of a scan: files of every kind, and a page that shows it.

    Parameters
    ----------
    folder : Path
    report : callable
        Told what is left out because a library is missing.
    """
    has = {name: all(importlib.util.find_spec(library) for library in libraries) for name, libraries in _NEEDED.items()}
    missing = [name for name, is_there in has.items() if not is_there]
    if missing:
        report(f"without {', '.join(missing)}: not installed")
    options = OutputOptions(
        with_montage=has["montage"], with_report=has["report"], dicom=DicomOptions() if has["DICOM"] else None
    )
    files = FolderSinks(folder, options)
    if not has["view"]:
        yield files
        return
    with ViewerProcess() as viewer:
        yield JoinedSinks((ViewSinks(viewer.address), files))
