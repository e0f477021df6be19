"""Blood flow of grey and white matter, corrected for partial volume, as NIfTI files beside the plain one (`BidsTree`).

============================================  =========================================
``NAME_label-GM_desc-partialvolume_cbf``      blood flow of pure grey matter
``NAME_label-WM_desc-partialvolume_cbf``      blood flow of pure white matter
============================================  =========================================
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np

from perfline.gadgets.errors import OutputError
from perfline.gadgets.settings import Settings
from perfline.gadgets.stage_data import CbfVolume, M0Volume, PerfusionAverage, ScanHeader, TissueMaps
from perfline.gadgets.stages.tissue_flow import GREY_MATTER, WHITE_MATTER, tissue_flow
from perfline.gadgets.summary import ScanSummary
from perfline.gadgets.writers.bids_sidecar import cbf_sidecar
from perfline.gadgets.writers.bids_tree import BidsTree
from perfline.gadgets.writers.display_windows import FLOW_WINDOWS
from perfline.gadgets.writers.json_file import write_json
from perfline.gadgets.writers.nifti import write_nifti
from perfline.gadgets.writers.sink import claim_files, prepare_folder
from perfline.recon.errors import InputError

__all__ = ["TissueFlowSink"]

_LABELS: Final = {GREY_MATTER: "GM", WHITE_MATTER: "WM"}
"""BIDS names of the tissues."""


class TissueFlowSink:
    """Keep the latest perfusion images and M0; at the end split them and write the flow of each tissue.

    Parameters
    ----------
    folder : Path
        Root of the BIDS tree.
    name : str
        Entities of the scan: see `BidsTree`.
    tissues : TissueMaps
        On the grid of the images.
    settings : Settings
        Of the scan.
    overwrite : bool
        Remove the files of an earlier scan at `open`, instead of refusing.
    """

    name = "partial volume"

    def __init__(
        self, folder: Path, name: str, tissues: TissueMaps, settings: Settings, *, overwrite: bool = False
    ) -> None:
        self._tree = BidsTree(folder, name)
        self._tissues = tissues
        self._settings = settings
        self._overwrite = overwrite
        self._header: ScanHeader | None = None
        self._averages: dict[tuple[float, float], PerfusionAverage] = {}
        self._m0: M0Volume | None = None
        self._cbf: CbfVolume | None = None

    def open(self, header: ScanHeader) -> None:
        """Make the folder.

        Raises
        ------
        OutputError
            It can't be written, or earlier files are there.
        """
        prepare_folder(self._tree.folder)
        claim_files(
            [self._path(label, end) for label in _LABELS.values() for end in ("nii.gz", "json")], self._overwrite
        )
        self._header = header

    def write(self, item: object) -> None:
        """Keep the latest of what is needed."""
        if isinstance(item, PerfusionAverage):
            self._averages[item.post_labeling_delay, item.labeling_duration] = item
        elif isinstance(item, M0Volume):
            self._m0 = item
        elif isinstance(item, CbfVolume):
            self._cbf = item

    def close(self, summary: ScanSummary | None) -> Sequence[Path]:
        """Split, quantify and write; nothing where there was no blood flow to correct.

        Raises
        ------
        OutputError
            The scan can't be corrected, or a file can't be written.
        """
        header, m0, flow = self._header, self._m0, self._cbf
        if header is None or m0 is None or flow is None:
            return ()
        averages = [self._averages[delay] for delay in sorted(self._averages)]
        try:
            flows = tissue_flow(header, self._settings, self._tissues, averages, m0, flow.mask)
        except InputError as error:
            raise OutputError(f"no flow of the tissues: {error}") from error
        prepare_folder(self._tree.derivative_folder)
        files: list[Path] = []
        for tissue, label in _LABELS.items():
            files += self._write_tissue(header, flows[tissue], tissue.replace("_", " "), label)
        return tuple(files)

    def _write_tissue(self, header: ScanHeader, flow: CbfVolume, tissue: str, label: str) -> list[Path]:
        image, sidecar = self._path(label, "nii.gz"), self._path(label, "json")
        write_nifti(image, flow.cbf, flow.geometry, window=FLOW_WINDOWS["CBF"])
        text = (
            f"Blood flow of pure {tissue}, corrected for partial volume (Asllani 2008); NaN where there is too little"
        )
        sources = [self._tree.uri(self._tree.derivative("deltam.nii.gz"))]
        about = cbf_sidecar(header, [flow], text, sources)
        inside = flow.mask & np.isfinite(flow.cbf)
        about["NumberOfVoxels"] = int(np.count_nonzero(inside))
        about["MedianFlow"] = float(np.median(flow.cbf[inside])) if inside.any() else None
        write_json(sidecar, about)
        return [image, sidecar]

    def _path(self, label: str, end: str) -> Path:
        return self._tree.derivative(f"label-{label}_desc-partialvolume_cbf.{end}")
