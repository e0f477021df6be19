from dataclasses import replace

import pytest
from scan_headers import ASL, scan_header

from perfline.gadgets.errors import ScanHeaderError
from perfline.gadgets.stage_data import Limits, ScanHeader, VolumeKey
from perfline.gadgets.stages.encoded_order import EncodedOrder
from perfline.recon.parameters import VolumeType

MATRIX = ((1.0, 1.0, 1.0, 1.0), (1.0, -1.0, 1.0, -1.0), (1.0, 1.0, -1.0, -1.0), (1.0, -1.0, -1.0, 1.0))
CONTROL, LABEL, M0 = VolumeType.CONTROL, VolumeType.LABEL, VolumeType.M0SCAN


def encoded_header(*, types=(), n_states=4, n_repetitions=2, matrix=MATRIX, **limits) -> ScanHeader:
    asl = replace(
        ASL, encoding_matrix=matrix, volume_types=types, labeling_duration=(1.0, 0.6, 0.4), post_labeling_delay=(0.9,)
    )
    header = scan_header(asl=asl)
    changed = {"set": Limits(0, n_states - 1), "repetition": Limits(0, n_repetitions - 1), **limits}
    return replace(header, limits={**header.limits, **changed})


def test_the_set_counter_is_the_row_and_the_repetition_the_block():
    order = EncodedOrder(encoded_header())
    m0 = order.describe(VolumeKey(0, is_m0=True), 0)
    assert (m0.volume_type, m0.pair, m0.cycle) == (M0, None, None)
    labels = [order.describe(VolumeKey(r, s), 1) for r, s in ((0, 0), (0, 3), (1, 2))]
    assert [(label.pair, label.cycle, label.volume_type) for label in labels] == [
        (0, 0, CONTROL),
        (0, 3, LABEL),
        (1, 2, LABEL),
    ]
    assert (labels[1].post_labeling_delay, labels[1].labeling_duration) == (0.9, 0.4)


def test_without_the_counter_volumes_are_counted_and_m0_stands_aside():
    order = EncodedOrder(encoded_header(n_states=1, types=(M0, *(LABEL,) * 8), n_repetitions=9))
    labels = [order.describe(VolumeKey(i), i) for i in range(9)]
    assert labels[0].volume_type is M0
    assert [(label.pair, label.cycle) for label in labels[1:]] == [(b, c) for b in (0, 1) for c in range(4)]


def test_a_lost_volume_keeps_its_row():
    order = EncodedOrder(encoded_header(n_states=1, n_repetitions=8))
    assert order.describe(VolumeKey(0), 0).cycle == 0
    # volumes 1 and 2 were lost, and counted by the stage
    assert order.describe(VolumeKey(3), 3).cycle == 3


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"n_states": 3}, "its 4 rows are counted by idx.set, but encodingLimits.set has 3 states"),
        ({"types": (M0, *(LABEL,) * 7)}, r"expected whole blocks of 4 cycles .* besides 1 M0 volumes, got 7"),
        ({"phase": Limits(0, 1)}, "encodingLimits.phase: expected one delay for an EncodingMatrix, got 2"),
        ({"matrix": ()}, "EncodingMatrix: the scan declares none"),
    ],
)
def test_what_does_not_fit_is_refused(changes, message):
    with pytest.raises(ScanHeaderError, match=message):
        EncodedOrder(encoded_header(**changes))


def test_a_row_or_a_volume_too_many_is_refused():
    with pytest.raises(ScanHeaderError, match="set: expected a row of the EncodingMatrix, 0 to 3"):
        EncodedOrder(encoded_header()).describe(VolumeKey(0, 4), 0)
    order = EncodedOrder(encoded_header(n_states=1, types=(LABEL,) * 4))
    with pytest.raises(ScanHeaderError, match="aslcontext: it has 4 volumes, but volume 4 came"):
        order.describe(VolumeKey(4), 4)
