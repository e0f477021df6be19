import pytest
from scan_headers import scan_header
from spiral_scans import GaussianScan

from perfline.gadgets.errors import ScanHeaderError
from perfline.gadgets.stages.encoded_grid import kept_pixels, stack_transform
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
