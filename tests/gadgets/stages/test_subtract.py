import numpy as np
import pytest
from stage_items import SHAPE, of_type, run, volume

from perfline.gadgets.errors import MissingParameterError
from perfline.gadgets.stage_data import ControlLabelPair, DeltaMVolume, Notice
from perfline.gadgets.stages.subtract import Subtract
from perfline.recon.parameters import SubtractionDomain, VolumeType


def pair(control, label, index=0, **of_label):
    halves = (
        volume(control, VolumeType.CONTROL, index, 2 * index),
        volume(label, VolumeType.LABEL, index, 2 * index + 1, **of_label),
    )
    return ControlLabelPair(*halves, index, tuple(half.key for half in halves))


def head(value, background=0.0):
    """A bright block in a dark surround, so that a mask exists."""
    image = np.full(SHAPE, background, np.complex64)
    image[:, 1:4, 1:3] = value
    return image


def test_magnitudes_are_subtracted_control_minus_label():
    (delta,) = of_type(run(Subtract(SubtractionDomain.MAGNITUDE), [pair(head(-10j), head(8))]), DeltaMVolume)
    assert delta.image.dtype == np.float32
    assert delta.image == pytest.approx(head(2).real)


def test_complex_subtraction_keeps_the_sign():
    turn = np.exp(0.7j)
    (delta,) = of_type(run(Subtract(SubtractionDomain.COMPLEX), [pair(head(8 * turn), head(10 * turn))]), DeltaMVolume)
    assert delta.image == pytest.approx(head(-2).real, abs=1e-5)  # float32 of numbers near 10


def test_delay_and_duration_come_from_the_label():
    (delta,) = of_type(
        run(Subtract(SubtractionDomain.MAGNITUDE), [pair(head(10), head(9), delay=2.0, duration=1.4)]), DeltaMVolume
    )
    assert (delta.post_labeling_delay, delta.labeling_duration) == (2.0, 1.4)


def test_a_missing_delay_is_an_error():
    with pytest.raises(MissingParameterError, match="PostLabelingDelay, LabelingDuration: none known for pair 0"):
        run(Subtract(SubtractionDomain.MAGNITUDE), [pair(head(10), head(9), delay=None)])


def test_swapped_order_is_said_loudly_once_and_changes_nothing():
    items = [pair(head(9.9), head(10), i) for i in range(6)]
    results = run(Subtract(SubtractionDomain.MAGNITUDE), items)
    (notice,) = of_type(results, Notice)
    assert notice.level == "warning"
    assert "LOOK SWAPPED" in notice.text
    assert "-1.0" in notice.text
    assert all(delta.image.min() < 0 for delta in of_type(results, DeltaMVolume))


@pytest.mark.parametrize("n_pairs", [1, 2])
def test_swapped_order_of_few_pairs_is_said_at_the_end(n_pairs):
    results = run(Subtract(SubtractionDomain.MAGNITUDE), [pair(head(9.9), head(10), i) for i in range(n_pairs)])
    assert isinstance(results[-1], Notice)
    assert f"LOOK SWAPPED: mean (control - label)/control is -1.01% by the first {n_pairs} pair(s)" in results[-1].text


def test_the_right_order_is_silent():
    for n_pairs in (2, 6):
        items = [pair(head(10), head(9.9), i) for i in range(n_pairs)]
        assert of_type(run(Subtract(SubtractionDomain.MAGNITUDE), items), Notice) == []
