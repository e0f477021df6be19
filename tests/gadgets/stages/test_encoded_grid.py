import re
from dataclasses import replace

import pytest
from scan_headers import scan_header
from spiral_scans import GaussianScan

from perfline.gadgets.errors import ScanHeaderError
from perfline.gadgets.settings import Settings
from perfline.gadgets.stage_data import Limits
from perfline.gadgets.stages.encoded_grid import kept_pixels, partition_notice, stack_transform, uses_homodyne
from perfline.recon.parameters import ImageAxis


@pytest.mark.parametrize(("n_encoded", "n_recon", "start"), [(12, 8, 2), (12, 7, 3), (13, 8, 2), (13, 7, 3), (9, 9, 0)])
def test_the_centre_stays_the_centre(n_encoded, n_recon, start):
    kept = kept_pixels("x", ImageAxis(n_encoded, 2.0 * n_encoded, n_recon, 2.0 * n_recon))
    assert (kept.start, kept.stop) == (start, start + n_recon)
    assert n_encoded // 2 - kept.start == n_recon // 2


def test_another_pixel_size_is_refused():
    with pytest.raises(ScanHeaderError, match=r"reconSpace y: expected at most 12 pixels of 20 mm .* got 24 of 10 mm"):
        kept_pixels("y", ImageAxis(12, 240.0, 24, 240.0))
    with pytest.raises(ScanHeaderError, match="got 14 of 20 mm"):
        kept_pixels("y", ImageAxis(12, 240.0, 14, 280.0))
    # a header of few digits
    kept_pixels("y", ImageAxis(12, 240.0, 8, 160.1))


def test_a_stack_needs_partitions():
    assert stack_transform(GaussianScan(n_partitions=8, n_slices=6).header, 1).n_recon == 6
    with pytest.raises(ScanHeaderError, match="expected partitions of a stack of spirals, got 1"):
        stack_transform(scan_header(), 1)


def partial_header(limits, **fields):
    header = GaussianScan(n_partitions=12, n_slices=12).header
    return replace(header, limits={**header.limits, "partition": limits}, **fields)


@pytest.mark.parametrize(
    ("limits", "level", "text"),
    [
        (
            Limits(3, 11, 6),
            "warning",
            "3 of 12, at one end of k-space: homodyne .* phase of the 7 in the m",
        ),
        (
            Limits(0, 7, 6),
            "warning",
            "4 of 12, at one end of k-space: homodyne .* phase of the 3 in the m",
        ),
        (Limits(6, 11, 6), "warning", "6 of 12, at one end of k-space; they count as zero: .* too low"),
        (Limits(1, 11, 6), "info", "1 of 12; they count as zero, slices are interpolated"),
        (Limits(2, 9, 6), "info", "4 of 12; they count as zero, slices are interpolated"),
    ],
)
def test_partitions_that_are_not_measured_are_named(limits, level, text):
    notice = partition_notice(partial_header(limits), Settings(), is_corrected=False)
    assert notice.level == level
    assert re.search(text, notice.text)


def test_full_partitions_need_no_word():
    assert partition_notice(partial_header(Limits(0, 11, 6)), Settings(), is_corrected=False) is None


def test_where_homodyne_does_not_apply_zeros_are_named():
    one_sided = partial_header(Limits(3, 11, 6))
    assert uses_homodyne(one_sided, Settings())
    for header, settings, is_corrected in (
        (one_sided, Settings(), True),
        (replace(one_sided, acceleration=2), Settings(), False),
        (one_sided, Settings(coil_combination="sum_of_squares"), False),
        (one_sided, Settings(sense_start="previous"), False),
    ):
        assert is_corrected or not uses_homodyne(header, settings)
        assert "they count as zero" in partition_notice(header, settings, is_corrected=is_corrected).text
