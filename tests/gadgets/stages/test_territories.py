from dataclasses import replace

import numpy as np
import pytest
from scan_headers import ASL, scan_header
from stage_items import SHAPE, geometry, of_type, run

from perfline.gadgets.errors import ScanHeaderError
from perfline.gadgets.stage_data import DeltaMVolume, PerfusionAverage, TerritoryMap, VolumeKey
from perfline.gadgets.stages.average import Average
from perfline.gadgets.stages.territories import Territories
from perfline.recon.asl.encoding import decode, make_encoding

MATRIX = ((1.0, 1.0, 1.0), (-0.9, -0.8, 1.0), (-0.9, 0.7, 1.0), (0.8, -0.9, 1.0))


def header():
    return scan_header(asl=replace(ASL, encoding_matrix=MATRIX))


def test_territories_and_their_certainty_come_after_each_block_from_the_second_on():
    rng = np.random.default_rng(11)
    encoding = make_encoding(MATRIX)
    truth = np.where(np.arange(SHAPE[2]) < 2, 1, 2) * np.ones(SHAPE, int)
    flow = np.stack([8.0 * (truth == 1), 8.0 * (truth == 2)])
    average, stage, maps = Average(), Territories(header()), []
    for index in range(4):
        cycles = 500 + np.tensordot(encoding.components, flow / 2, axes=1) + rng.normal(0, 1, (4, *SHAPE))
        for artery, image in enumerate(decode(encoding, cycles), start=1):
            delta_m = DeltaMVolume(image, index, geometry(), 1.8, 1.8, (VolumeKey(index),), artery)
            for item in average.process(delta_m):
                maps += of_type(stage.process(item), TerritoryMap)
    assert [found.n_blocks for found in maps] == [2, 3, 4]
    # signal 8 against a noise of about 1.2 / sqrt(4): nothing is in doubt at the end
    np.testing.assert_array_equal(maps[-1].artery, truth)
    assert maps[-1].probability.max(axis=0).min() > 0.99


def test_all_averages_pass_and_others_are_left_alone():
    items = of_type(run(Average(), [DeltaMVolume(np.ones(SHAPE, np.float32), 0, geometry(), 1.8, 1.8, ())]), object)
    results = run(Territories(header()), items)
    assert results == items
    assert of_type(results, PerfusionAverage)[0].artery is None


def test_a_scan_without_a_matrix_is_refused():
    with pytest.raises(ScanHeaderError, match="territories: the scan declares no EncodingMatrix"):
        Territories(scan_header())
