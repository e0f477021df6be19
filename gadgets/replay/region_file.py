"""Regions of a NIfTI label image, with their names from a table."""

from pathlib import Path

import numpy as np

from perfline.gadgets.errors import ConfigurationError
from perfline.gadgets.replay.nifti_file import nifti_stem, read_nifti_series
from perfline.gadgets.replay.table_file import read_table
from perfline.gadgets.stage_data import RegionLabels

__all__ = ["read_regions"]


def read_regions(path: Path, names_path: Path | None = None) -> RegionLabels:
    """Read a label image.

    Parameters
    ----------
    path : Path
        ``.nii`` or ``.nii.gz`` with whole numbers, 0 outside of all regions; 3 axes, first axis x.
    names_path : Path, optional
        BIDS ``*_dseg.tsv`` with the columns ``index`` and ``name``. Left out: the table of the image's own name, where
        there is one. Labels without a name are called ``region 7``.

    Returns
    -------
    RegionLabels

    Raises
    ------
    ConfigurationError
        A file can't be read, values aren't whole numbers from 0 on, there is no region, or the table names a label or a
        region twice.
    """
    what = "label image"
    series = read_nifti_series(path, what)
    if len(series.data) != 1:
        raise ConfigurationError(f"{what} {path}: expected one volume, got {len(series.data)}")
    image = series.data[0]
    bad = int(np.count_nonzero(~(np.isfinite(image) & (image == np.rint(image)) & (image >= 0))))
    if bad:
        raise ConfigurationError(f"{what} {path}: expected whole numbers from 0 on, got {bad} voxels with other values")
    labels = image.astype(np.int32)
    numbers = [int(number) for number in np.unique(labels) if number]
    if not numbers:
        raise ConfigurationError(f"{what} {path}: expected at least one region, got 0 everywhere")
    beside = path.with_name(f"{nifti_stem(path)}.tsv")
    if names_path is None and beside.is_file():
        names_path = beside
    names = {} if names_path is None else _read_names(names_path)
    return RegionLabels(labels, series.affine, {one: names.get(one, f"region {one}") for one in numbers})


def _read_names(path: Path) -> dict[int, str]:
    names: dict[int, str] = {}
    for row in read_table(path, "region names", ("index", "name")):
        if not row["index"].isdecimal():
            raise ConfigurationError(f"region names {path}: index: expected a whole number, got {row['index']!r}")
        index = int(row["index"])
        if index in names or row["name"] in names.values():
            raise ConfigurationError(f"region names {path}: {index} {row['name']} is named twice")
        names[index] = row["name"]
    return names
