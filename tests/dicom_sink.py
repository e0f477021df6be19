"""One scan through the DICOM sink, and its files read back."""

from dicom_scans import header, items
from pydicom import dcmread

from perfline.gadgets.writers.dicom import DicomSink


def saved_series(folder, kind="pcasl", *, classic=False, scan=None, **options):
    """Datasets of each series, by the name of its folder."""
    sink = DicomSink(folder, classic=classic, **options)
    sink.open(scan or header(kind))
    for item in items(kind):
        sink.write(item)
    series = {}
    for path in sink.close(None):
        series.setdefault(path.parent.name, []).append(dcmread(path))
    return series
