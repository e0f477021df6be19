from dataclasses import replace

import numpy as np
import pytest
from scan_headers import ASL, scan_header
from stage_items import SHAPE, geometry, of_type, run

from perfline.gadgets.errors import ScanHeaderError
from perfline.gadgets.stage_data import CbfVolume, DeltaMVolume, Notice, PerfusionAverage, TerritoryMap, VolumeKey
from perfline.gadgets.stages.average import Average
from perfline.gadgets.stages.territories import Territories
from perfline.recon.asl.encoding import decode, make_encoding

MATRIX = ((1.0, 1.0, 1.0), (-0.9, -0.8, 1.0), (-0.9, 0.7, 1.0), (0.8, -0.9, 1.0))


# rows at the edge are air
MASK = np.ones(SHAPE, np.bool_)
MASK[:, 0] = False
TRUTH = np.where(np.arange(SHAPE[2]) < 2, 1, 2) * np.ones(SHAPE, int)


def header():
    return scan_header(asl=replace(ASL, encoding_matrix=MATRIX))


def flow_of(average):
    """Blood flow as it follows an average."""
    return CbfVolume(
        cbf=average.mean,
        standard_error=average.mean,
        mask=MASK,
        unit="mL/100g/min",
        n_pairs=average.n_pairs,
        n_rejected=0,
        geometry=average.geometry,
        post_labeling_delay=1.8,
        labeling_duration=1.8,
        source=average.source,
        artery=average.artery,
    )


def blocks(n_blocks, noise=1.0):
    """Averages and blood flow of two arteries, block by block."""
    rng = np.random.default_rng(11)
    encoding = make_encoding(MATRIX)
    flow = np.stack([8.0 * (TRUTH == 1), 8.0 * (TRUTH == 2)])
    average, items = Average(), []
    for index in range(n_blocks):
        cycles = 500 + np.tensordot(encoding.components, flow / 2, axes=1) + rng.normal(0, noise, (4, *SHAPE))
        for artery, image in enumerate(decode(encoding, cycles), start=1):
            delta_m = DeltaMVolume(image, index, geometry(), 1.8, 1.8, (VolumeKey(index),), artery)
            for item in of_type(average.process(delta_m), PerfusionAverage):
                items += [item, flow_of(item)]
    return items


def without_flow(items):
    """The same blocks of a scan that saw nothing."""
    nothing = np.zeros(SHAPE, np.float32)
    return [replace(one, mean=nothing) if isinstance(one, PerfusionAverage) else one for one in items]


def test_territories_and_their_certainty_come_after_each_block_from_the_second_on():
    results = run(Territories(header()), blocks(4))
    maps = of_type(results, TerritoryMap)
    assert [found.n_blocks for found in maps] == [2, 3, 4]
    # signal 8 against a noise of about 1.2 / sqrt(4): nothing is in doubt at the end
    np.testing.assert_array_equal(maps[-1].artery, np.where(MASK, TRUTH, 0))
    assert maps[-1].probability.max(axis=0)[MASK].min() > 0.99
    assert of_type(results, Notice) == []


def test_there_is_nothing_in_the_air():
    found = of_type(run(Territories(header()), blocks(3)), TerritoryMap)[-1]
    assert not found.artery[~MASK].any()
    assert not found.probability[:, ~MASK].any()
    np.testing.assert_allclose(found.probability.sum(axis=0)[MASK], 1, rtol=1e-6)
    assert (found.artery.dtype, found.probability.dtype) == (np.int16, np.float32)


def test_blocks_without_noise_are_certain_and_that_is_told_once():
    results = run(Territories(header()), blocks(3, noise=0.0))
    maps = of_type(results, TerritoryMap)
    np.testing.assert_array_equal(maps[-1].artery, np.where(MASK, TRUTH, 0))
    np.testing.assert_array_equal(maps[-1].probability.max(axis=0), MASK)
    (notice,) = of_type(results, Notice)
    assert (notice.level, "exactly alike" in notice.text) == ("info", True)


@pytest.mark.parametrize(
    ("items", "text"),
    [
        (blocks(1), "one block doesn't tell its noise"),
        ([item for item in blocks(3) if isinstance(item, PerfusionAverage)], "blood flow of all of them is not known"),
        (without_flow(blocks(2)), "the territories are empty"),
    ],
    ids=["one block", "no flow", "all alike"],
)
def test_what_keeps_the_territories_from_being_known_is_told(items, text):
    results = run(Territories(header()), items)
    assert not any(found.artery.any() for found in of_type(results, TerritoryMap))
    notices = [notice for notice in of_type(results, Notice) if notice.level == "warning"]
    assert len(notices) == 1
    assert text in notices[0].text


def test_all_averages_pass_and_others_are_left_alone():
    items = of_type(run(Average(), [DeltaMVolume(np.ones(SHAPE, np.float32), 0, geometry(), 1.8, 1.8, ())]), object)
    results = run(Territories(header()), items)
    assert results == items
    assert of_type(results, PerfusionAverage)[0].artery is None


def test_a_scan_without_a_matrix_is_refused():
    with pytest.raises(ScanHeaderError, match="territories: the scan declares no EncodingMatrix"):
        Territories(scan_header())
