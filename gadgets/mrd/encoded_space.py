"""What the header says of matrix, field of view and counters: the axes of the image and the limits of the encoding."""

from dataclasses import dataclass
from typing import Final

from perfline.gadgets.errors import ScanHeaderError
from perfline.gadgets.mrd.mrd_header import MrdHeader
from perfline.gadgets.stage_data import Limits
from perfline.recon.parameters import ImageAxis

__all__ = ["EncodedSpace", "read_encoded_space", "read_limits"]

_COUNTERS: Final = ("line", "partition", "slice", "contrast", "phase", "repetition", "set", "segment", "average")
_LARGEST_MATRIX: Final = 4096
"""Points along an axis: far more than any scan has, and few enough for the memory that they ask for."""

_STEP_1 = "encodingLimits.kspace_encoding_step_1"
_STEP_2 = "encodingLimits.kspace_encoding_step_2"


@dataclass(frozen=True)
class EncodedSpace:
    """The axes of a scan; ``partition_axis`` is None for a 2D encoding. ``slice_thickness`` in mm."""

    readout_axis: ImageAxis
    phase_axis: ImageAxis
    partition_axis: ImageAxis | None
    slice_thickness: float


def read_encoded_space(mrd: MrdHeader, *, is_epi: bool) -> EncodedSpace:
    """Read ``encodedSpace`` and ``reconSpace``.

    Parameters
    ----------
    mrd : MrdHeader
    is_epi : bool
        EPI is reconstructed in 2D only.

    Returns
    -------
    EncodedSpace

    Raises
    ------
    ScanHeaderError
        A size is missing, not positive, or not whole; or the third axis is encoded and can't be reconstructed.
    """
    sizes: dict[str, float] = {}
    for space in ("encodedSpace", "reconSpace"):
        for axis in "xyz":
            for what in ("matrixSize", "fieldOfView_mm"):
                path = f"{space}/{what}/{axis}"
                sizes[path] = mrd.required(f"encoding/{path}")
                if what == "matrixSize" and sizes[path] != int(sizes[path]):
                    raise ScanHeaderError(f"encoding.{path}: expected a whole number, got {sizes[path]:g}")
                if what == "matrixSize" and sizes[path] > _LARGEST_MATRIX:
                    raise ScanHeaderError(f"encoding.{path}: expected at most {_LARGEST_MATRIX}, got {sizes[path]:g}")
    n_partitions, n_slices = (int(sizes[f"{space}/matrixSize/z"]) for space in ("encodedSpace", "reconSpace"))
    if is_epi and n_partitions > 1:
        raise ScanHeaderError(
            f"encoding.encodedSpace.matrixSize.z: expected 1, this version reconstructs 2D EPI, got {n_partitions}"
        )
    if not is_epi and n_partitions == 1 and n_slices > 1:
        raise ScanHeaderError(
            f"encoding.reconSpace.matrixSize.z: expected 1 as in encodedSpace, slices of a 2D scan are counted by"
            f" encodingLimits.slice, got {n_slices}"
        )
    x, y, z = (
        ImageAxis(
            n_encoded=int(sizes[f"encodedSpace/matrixSize/{axis}"]),
            field_of_view_encoded=sizes[f"encodedSpace/fieldOfView_mm/{axis}"],
            n_recon=int(sizes[f"reconSpace/matrixSize/{axis}"]),
            field_of_view_recon=sizes[f"reconSpace/fieldOfView_mm/{axis}"],
        )
        for axis in "xyz"
    )
    if n_partitions > 1:
        return EncodedSpace(x, y, z, z.voxel_size)
    return EncodedSpace(x, y, None, z.field_of_view_recon)


def read_limits(
    mrd: MrdHeader, space: EncodedSpace, warnings: list[str], *, is_epi: bool, n_interleaves: int | None = None
) -> dict[str, Limits]:
    """Read ``encodingLimits``; a counter that is left out counts from 0 to 0.

    Parameters
    ----------
    mrd : MrdHeader
    space : EncodedSpace
    warnings : list of str
        Takes what is odd.
    is_epi : bool
        The line counter counts lines of k-space, not interleaves.
    n_interleaves : int, optional
        Of the trajectory that the header describes: stands in for missing limits of the interleaves.

    Returns
    -------
    dict of str to Limits
        All nine counters. Lines of EPI that are left out count over the encoded matrix.

    Raises
    ------
    ScanHeaderError
        Limits that contradict the matrix, or interleaves that nobody counts.
    """
    limits = {}
    for counter in _COUNTERS:
        found = mrd.limits(counter)
        if found is None and counter == "line":
            found = _missing_lines(space, warnings, is_epi=is_epi, n_interleaves=n_interleaves)
        limits[counter] = found or Limits()
    if is_epi:
        _check_lines(limits["line"], space.phase_axis, warnings)
    _check_partitions(limits, space, warnings)
    return limits


def _missing_lines(space: EncodedSpace, warnings: list[str], *, is_epi: bool, n_interleaves: int | None) -> Limits:
    if is_epi:
        n_lines = space.phase_axis.n_encoded
        found = Limits(0, n_lines - 1, n_lines // 2)
        warnings.append(f"{_STEP_1} is missing: taken as lines 0 to {found.maximum}, centre {found.center}")
        return found
    if n_interleaves is None:
        raise ScanHeaderError(f"{_STEP_1} is missing: expected minimum and maximum of the interleaves")
    warnings.append(f"{_STEP_1} is missing: taken as the {n_interleaves} interleaves of trajectoryDescription")
    return Limits(0, n_interleaves - 1, 0)


def _check_lines(line: Limits, phase_axis: ImageAxis, warnings: list[str]) -> None:
    if line.count > phase_axis.n_encoded:
        raise ScanHeaderError(
            f"{_STEP_1}: lines {line.minimum} to {line.maximum} are more than the"
            f" {phase_axis.n_encoded} of encodedSpace.matrixSize.y"
        )
    if line.center == 0 and line.count > 1:
        warnings.append(f"{_STEP_1}.center is 0: k-space would begin at its centre")


def _check_partitions(limits: dict[str, Limits], space: EncodedSpace, warnings: list[str]) -> None:
    partition, axis = limits["partition"], space.partition_axis
    if axis is None:
        if partition.maximum > 0:
            raise ScanHeaderError(
                f"{_STEP_2}: expected a maximum of 0, encodedSpace.matrixSize.z is 1, got {partition.maximum}"
            )
        return
    if limits["slice"].count > 1:
        raise ScanHeaderError(
            f"encodingLimits.slice: expected one slab, encodedSpace.matrixSize.z is {axis.n_encoded},"
            f" got {limits['slice'].count}"
        )
    if partition.count > axis.n_encoded:
        raise ScanHeaderError(
            f"{_STEP_2}: partitions {partition.minimum} to {partition.maximum} are more than the"
            f" {axis.n_encoded} of encodedSpace.matrixSize.z"
        )
    if partition.center == 0 and partition.count > 1:
        warnings.append(f"{_STEP_2}.center is 0: k-space would begin at its centre")
