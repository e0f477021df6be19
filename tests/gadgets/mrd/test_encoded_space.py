import pytest
from mrd_headers import header_xml

from perfline.gadgets.errors import ScanHeaderError
from perfline.gadgets.mrd.encoded_space import read_encoded_space, read_limits
from perfline.gadgets.mrd.mrd_header import MrdHeader
from perfline.gadgets.stage_data import Limits
from perfline.recon.parameters import ImageAxis

SLAB = {"encoded": (96, 64, 12), "encoded_fov": (240.0, 192.0, 96.0), "recon_fov": (200.0, 180.0, 80.0)}


def space_of(*, is_epi=False, **options):
    return read_encoded_space(MrdHeader(header_xml(**options)), is_epi=is_epi)


def limits_of(limits, *, is_epi=False, n_interleaves=None, warnings=None, **options):
    mrd = MrdHeader(header_xml(limits=limits, **options))
    space = read_encoded_space(mrd, is_epi=is_epi)
    return read_limits(mrd, space, [] if warnings is None else warnings, is_epi=is_epi, n_interleaves=n_interleaves)


@pytest.mark.parametrize("is_epi", [True, False])
def test_slices_of_a_2d_scan_are_as_thick_as_the_field_of_view(is_epi):
    space = space_of(is_epi=is_epi)
    assert space.readout_axis == ImageAxis(96, 240.0, 80, 200.0)
    assert space.phase_axis == ImageAxis(64, 192.0, 60, 180.0)
    assert (space.partition_axis, space.slice_thickness) == (None, 5.0)


def test_a_slab_is_as_thick_as_its_partitions():
    space = space_of(recon=(80, 60, 10), **SLAB)
    assert space.partition_axis == ImageAxis(12, 96.0, 10, 80.0)
    assert space.slice_thickness == 8.0
    # one slice out of the middle of a slab
    assert space_of(recon=(80, 60, 1), **SLAB).partition_axis == ImageAxis(12, 96.0, 1, 80.0)


def test_epi_has_no_slab():
    with pytest.raises(ScanHeaderError, match=r"matrixSize.z: expected 1, this version reconstructs 2D EPI, got 12"):
        space_of(is_epi=True, **SLAB)


def test_interleaves_are_no_lines():
    warnings = []
    limits = limits_of({"kspace_encoding_step_1": (0, 99, 0)}, warnings=warnings)
    assert limits["line"] == Limits(0, 99, 0)
    assert warnings == []
    with pytest.raises(ScanHeaderError, match=r"lines 0 to 99 are more than the 64 of encodedSpace.matrixSize.y"):
        limits_of({"kspace_encoding_step_1": (0, 99, 50)}, is_epi=True)


def test_missing_interleaves_are_those_of_the_description():
    warnings = []
    assert limits_of({}, n_interleaves=7, warnings=warnings)["line"] == Limits(0, 6, 0)
    assert len(warnings) == 1
    with pytest.raises(ScanHeaderError, match="kspace_encoding_step_1 is missing: expected minimum and maximum"):
        limits_of({})


def test_partitions_have_a_centre():
    lines = {"kspace_encoding_step_1": (0, 3, 0)}
    warnings = []
    limits = limits_of(lines | {"kspace_encoding_step_2": (0, 11, 0)}, warnings=warnings, **SLAB)
    assert limits["partition"].count == 12
    assert warnings == ["encodingLimits.kspace_encoding_step_2.center is 0: k-space would begin at its centre"]
    with pytest.raises(ScanHeaderError, match=r"encodingLimits.slice: expected one slab, .* is 12, got 2"):
        limits_of(lines | {"slice": (0, 1, 0)}, **SLAB)
