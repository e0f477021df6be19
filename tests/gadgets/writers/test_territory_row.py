import numpy as np

from perfline.gadgets.writers.territory_row import territory_row


def test_only_a_certain_artery_has_a_colour():
    probability = np.zeros((3, 1, 2, 3), np.float32)
    artery = np.array([[[1, 2, 3], [0, 2, 1]]], np.int16)
    for place, number in np.ndenumerate(artery):
        probability[number - 1][place] = 0.95 if number else 0.0
    probability[1, 0, 1, 1] = 0.85
    row = territory_row(artery, probability)
    np.testing.assert_array_equal(row.volume, [[[1, 2, 3], [np.nan, np.nan, 1]]])
    assert row.levels == ("artery 1", "artery 2", "artery 3")
    # a step of the colours around each number
    assert (row.vmin, row.vmax) == (0.5, 3.5)
