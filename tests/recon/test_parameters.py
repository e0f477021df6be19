import pytest

from perfline.recon.errors import InputError
from perfline.recon.parameters import ImageAxis, TrapezoidReadout

TRAPEZOID = {
    "ramp_up_time": 160e-6,
    "flat_top_time": 240e-6,
    "ramp_down_time": 160e-6,
    "acquisition_delay": 32e-6,
    "dwell_time": 3.1e-6,
    "n_samples": 160,
    "center_sample": 80.0,
}


def test_voxel_size():
    assert ImageAxis(128, 400.0, 60, 180.0).voxel_size == 3.0


@pytest.mark.parametrize("field", ["n_encoded", "n_recon", "field_of_view_encoded", "field_of_view_recon"])
def test_an_axis_has_no_zero_size(field):
    values = {"n_encoded": 64, "field_of_view_encoded": 200.0, "n_recon": 64, "field_of_view_recon": 200.0, field: 0}
    with pytest.raises(InputError, match=f"{field}: expected a positive number"):
        ImageAxis(**values)


def test_duration():
    readout = TrapezoidReadout(**TRAPEZOID)
    assert readout.duration == pytest.approx(560e-6)
    assert readout.is_ramped


def test_no_trapezoid():
    readout = TrapezoidReadout(0, 0, 0, 0, 1e-5, 64, 32.0)
    assert not readout.is_ramped


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"ramp_up_time": -1e-6}, "ramp_up_time: expected zero or more"),
        ({"dwell_time": 0.0}, "dwell_time: expected a positive number"),
        ({"center_sample": 161.0}, "center_sample: expected 0 to 160, got 161"),
        ({"n_samples": 180}, "180 samples of 3.1 us after 32 us end at 590 us, after the gradient's end at 560 us"),
    ],
)
def test_what_does_not_fit_is_named(change, message):
    with pytest.raises(InputError, match=message):
        TrapezoidReadout(**{**TRAPEZOID, **change})
