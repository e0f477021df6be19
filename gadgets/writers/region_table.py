"""Blood flow of regions at the end of a scan as a table: ``NAME_desc-regions_cbf.tsv`` and what its columns mean.

Both are among the derivatives of the BIDS tree.
"""

from collections.abc import Sequence
from pathlib import Path

from perfline.gadgets.stage_data import ScanHeader, ScanQuality
from perfline.gadgets.summary import ScanSummary
from perfline.gadgets.writers.bids_tree import BidsTree
from perfline.gadgets.writers.json_file import write_json
from perfline.gadgets.writers.sink import claim_files, prepare_folder
from perfline.gadgets.writers.table import write_table

__all__ = ["RegionTableSink"]

_COLUMNS = {
    "label": "Value in the label image",
    "name": "Name of the region; of several arteries or delays with its own, of all arteries together with theirs",
    "mean": "Mean blood flow of the region",
    "standard_error": "Of the mean, from its scatter from pair to pair, of robust means with what each pair is worth"
    " there; without the errors of M0 and of the constants",
    "standard_deviation": "Between the voxels of the region",
    "n_voxels": "Voxels of the region that are in the mean",
    "n_voxels_left_out": "Voxels of the region that are not, since their fit failed",
    "n_pairs": "Pairs that are in it",
    "asymmetry_index": "200 (left - right) / (left + right) of the region and its mirror [%]",
}
_WITH_UNIT = ("mean", "standard_error", "standard_deviation")


class RegionTableSink:
    """Write the table of the last `ScanQuality`; nothing where no regions were given.

    Parameters
    ----------
    folder : Path
        Root of the tree.
    name : str
        Entities of the scan: see `BidsTree`.
    overwrite : bool
        Remove the files of an earlier scan at `open`, instead of refusing.
    """

    name = "regions"

    def __init__(self, folder: Path, name: str, *, overwrite: bool = False) -> None:
        tree = BidsTree(folder, name)
        self._folder = folder
        self._table = tree.derivative("desc-regions_cbf.tsv")
        self._columns = tree.derivative("desc-regions_cbf.json")
        self._overwrite = overwrite
        self._quality: ScanQuality | None = None
        self._has_m0 = True

    def open(self, header: ScanHeader) -> None:
        """Make the folder.

        Raises
        ------
        OutputError
            It can't be written, or an earlier table is there.
        """
        prepare_folder(self._folder)
        claim_files([self._table, self._columns], self._overwrite)
        self._quality = None
        self._has_m0 = header.asl is None or header.asl.m0_type != "Absent"

    def write(self, item: object) -> None:
        """Keep the latest quality."""
        if isinstance(item, ScanQuality):
            self._quality = item

    def close(self, summary: ScanSummary | None) -> Sequence[Path]:
        """Write the files.

        Raises
        ------
        OutputError
            They can't be written.
        """
        quality, self._quality = self._quality, None
        regions = [one for one in quality.regions if one.label] if quality is not None else []
        if not regions:
            return ()
        prepare_folder(self._table.parent)
        unused = set()
        if all(one.asymmetry_index is None for one in regions):
            unused.add("asymmetry_index")
        if not any(one.n_voxels_left_out for one in regions):
            unused.add("n_voxels_left_out")
        columns = [name for name in _COLUMNS if name not in unused]
        write_table(self._table, [{name: getattr(one, name) for name in columns} for one in regions])
        unit = "mL/100g/min" if self._has_m0 else "arbitrary"
        write_json(
            self._columns,
            {
                name: {"Description": _COLUMNS[name]} | ({"Units": unit} if name in _WITH_UNIT else {})
                for name in columns
            },
        )
        return self._table, self._columns
