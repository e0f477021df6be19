"""What a NIfTI header says of a scan: its MRD header, and where its slices lie."""

import xml.etree.ElementTree as ElementTree
from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from perfline.gadgets.errors import ConfigurationError
from perfline.gadgets.mrd.parameter_sources import missing_parameter, stated_value
from perfline.gadgets.replay.nifti_file import NiftiSeries
from perfline.gadgets.stage_data import SliceGeometry
from perfline.recon.geometry import stack_positions

__all__ = ["header_xml", "volume_geometry"]

_MAX_COSINE: Final = 1e-3
"""Between two axes of an affine: what `perfline.recon.geometry` takes for a right angle."""

_SLICE_AXES: Final = ("k", "k-")


def header_xml(series: NiftiSeries, parameters: Mapping[str, Any]) -> bytes:
    """Write the MRD header of a series: what its NIfTI header says; all else is left to the sidecar.

    Parameters
    ----------
    series : NiftiSeries
    parameters : mapping
        The sidecar, for ``MRAcquisitionType``, ``SliceEncodingDirection`` and ``SliceThickness`` [mm].

    Returns
    -------
    bytes

    Raises
    ------
    MissingParameterError
        No ``MRAcquisitionType``.
    ConfigurationError
        Slices along another axis than the third.
    """
    acquisition_type = stated_value(parameters, "MRAcquisitionType")
    if acquisition_type is None:
        raise missing_parameter("MRAcquisitionType", "2D or 3D, for the delay of each slice")
    direction = stated_value(parameters, "SliceEncodingDirection")
    if direction is not None and direction not in _SLICE_AXES:
        raise ConfigurationError(f"SliceEncodingDirection: expected k or k-, the third axis, got {direction}")
    n_volumes, n_z, n_y, n_x = series.data.shape
    is_3d = acquisition_type == "3D"
    thickness = stated_value(parameters, "SliceThickness")
    if not isinstance(thickness, int | float) or not thickness > 0:
        thickness = series.voxel_size[2]
    root = ElementTree.Element("ismrmrdHeader")
    encoding = ElementTree.SubElement(root, "encoding")
    sizes = {"x": n_x, "y": n_y, "z": n_z if is_3d else 1}
    lengths = {
        "x": n_x * series.voxel_size[0],
        "y": n_y * series.voxel_size[1],
        "z": n_z * series.voxel_size[2] if is_3d else thickness,
    }
    for name in ("encodedSpace", "reconSpace"):
        space = ElementTree.SubElement(encoding, name)
        _add(space, "matrixSize", sizes)
        _add(space, "fieldOfView_mm", lengths)
    limits = ElementTree.SubElement(encoding, "encodingLimits")
    _add(limits, "kspace_encoding_step_1", {"minimum": 0, "maximum": n_y - 1, "center": n_y // 2})
    if is_3d:
        _add(limits, "kspace_encoding_step_2", {"minimum": 0, "maximum": n_z - 1, "center": n_z // 2})
    else:
        _add(limits, "slice", {"minimum": 0, "maximum": n_z - 1, "center": n_z // 2})
    _add(limits, "repetition", {"minimum": 0, "maximum": n_volumes - 1, "center": 0})
    # how k-space was read is not known and not asked for: there is nothing left to reconstruct
    ElementTree.SubElement(encoding, "trajectory").text = "other" if is_3d else "epi"
    return ElementTree.tostring(root)


def volume_geometry(series: NiftiSeries) -> SliceGeometry:
    """Place the slices of a NIfTI image: its axes and affine (RAS) as positions and directions (LPS).

    Raises
    ------
    ConfigurationError
        The axes of the affine are not at right angles.
    """
    _, n_z, n_y, n_x = series.data.shape
    if series.affine is None:
        read, phase, normal = np.eye(3)
        positions = stack_positions((0.0, 0.0, 0.0), normal, series.voxel_size[2], n_z)
        return SliceGeometry(positions, read, phase, normal, series.voxel_size, is_known=False)
    lps = np.diag([-1.0, -1.0, 1.0]) @ series.affine[:3]
    sizes = np.linalg.norm(lps[:, :3], axis=0)
    if not np.all(np.isfinite(lps)) or not np.all(sizes > 0):
        raise ConfigurationError(f"affine: expected three axes of a length, got {series.affine[:3].tolist()}")
    directions = (lps[:, :3] / sizes).T
    cosines = np.abs(directions @ directions.T - np.eye(3))
    if cosines.max() > _MAX_COSINE:
        raise ConfigurationError(
            f"affine: expected axes at right angles, got a cosine of {cosines.max():.3g}: resample the images first"
        )
    indices = np.stack([np.full(n_z, n_x // 2), np.full(n_z, n_y // 2), np.arange(n_z), np.ones(n_z)])
    read, phase, normal = directions
    x, y, z = (float(size) for size in sizes)
    return SliceGeometry((lps @ indices).T, read, phase, normal, (x, y, z), is_known=True)


def _add(parent: ElementTree.Element, name: str, values: Mapping[str, float]) -> None:
    element = ElementTree.SubElement(parent, name)
    for key, value in values.items():
        ElementTree.SubElement(element, key).text = f"{value!r}"
