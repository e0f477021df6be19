from dataclasses import replace

import numpy as np
import pytest
from scan_headers import ASL, scan_header
from stage_items import SHAPE, geometry, of_type, run

from perfline.gadgets.errors import ScanHeaderError
from perfline.gadgets.stage_data import DeltaMVolume, Dropped, Notice, Volume, VolumeKey, VolumeLabel
from perfline.gadgets.stages.decode import Decode
from perfline.recon.asl.hadamard import hadamard_matrix
from perfline.recon.parameters import SubtractionDomain, VolumeType

RNG = np.random.default_rng(10)
HADAMARD = hadamard_matrix(4)
VESSELS = np.array([[1, 1, 1], [-0.9, -0.8, 1], [-0.9, 0.7, 1], [0.8, -0.9, 1]])
STATIC = RNG.uniform(700, 900, SHAPE)


def stage(matrix=HADAMARD, durations=(1.0, 0.6, 0.4), delays=(0.9,), domain=SubtractionDomain.MAGNITUDE):
    asl = replace(
        ASL,
        encoding_matrix=tuple(map(tuple, matrix.tolist())),
        labeling_duration=durations,
        post_labeling_delay=delays,
    )
    return Decode(scan_header(asl=asl), domain)


def block(matrix, differences, static_column, index=0, phase=1.0):
    """Volumes of a block: static tissue and half of each difference times its code."""
    codes = np.delete(matrix, static_column, axis=1)
    volumes = []
    for cycle, code in enumerate(codes):
        image = STATIC + np.tensordot(code, differences / 2, axes=1)
        label = VolumeLabel(VolumeType.LABEL, cycle, index, 0.9, 0.4, cycle)
        volumes.append(
            Volume((phase * image).astype(np.complex64), VolumeKey(index, cycle), geometry(), 0.0, 0.0, label)
        )
    return volumes


def test_sub_boli_come_out_with_their_own_times():
    differences = RNG.uniform(2, 9, (3, *SHAPE))
    results = run(stage(), block(HADAMARD, differences, 0, phase=np.exp(0.7j)))
    images = of_type(results, DeltaMVolume)
    # float32 volumes near 800: 800 * 6e-8 for each of four
    np.testing.assert_allclose([image.image for image in images], differences, atol=3e-4)
    assert [image.post_labeling_delay for image in images] == [1.9, 1.3, 0.9]
    assert [image.labeling_duration for image in images] == [1.0, 0.6, 0.4]
    assert {image.artery for image in images} == {None}
    assert "4 cycles, 3 sub-boli, condition number 1" in of_type(results, Notice)[0].text


def test_arteries_come_out_by_number():
    differences = RNG.uniform(0, 9, (2, *SHAPE))
    images = of_type(run(stage(VESSELS, (1.8,), (1.5,)), block(VESSELS, differences, 2)), DeltaMVolume)
    np.testing.assert_allclose([image.image for image in images], differences, atol=5e-4)
    assert [image.artery for image in images] == [1, 2]
    assert {(image.post_labeling_delay, image.labeling_duration) for image in images} == {(1.5, 1.8)}


def test_complex_images_are_decoded_along_their_common_phase():
    differences = RNG.uniform(2, 9, (3, *SHAPE))
    phase = np.exp(1j * RNG.uniform(-3, 3, SHAPE))
    decoder = stage(domain=SubtractionDomain.COMPLEX)
    images = of_type(run(decoder, block(HADAMARD, differences, 0, phase=phase)), DeltaMVolume)
    np.testing.assert_allclose([image.image for image in images], differences, atol=5e-4)


def test_cycles_may_come_in_any_order_and_blocks_interleaved():
    differences = RNG.uniform(2, 9, (3, *SHAPE))
    one, two = block(HADAMARD, differences, 0, 0), block(HADAMARD, 2 * differences, 0, 1)
    images = of_type(run(stage(), [one[3], two[0], one[0], two[2], one[1], one[2], two[1], two[3]]), DeltaMVolume)
    assert [image.index for image in images] == [0, 0, 0, 1, 1, 1]
    np.testing.assert_allclose(images[3].image, 2 * images[0].image, atol=1e-3)


def test_a_block_with_a_missing_cycle_is_dropped_and_counted():
    differences = RNG.uniform(2, 9, (3, *SHAPE))
    one, two, three = (block(HADAMARD, differences, 0, index) for index in range(3))
    results = run(stage(), [*one[:2], one[3], *two, three[1]])
    assert [image.index for image in of_type(results, DeltaMVolume)] == [1, 1, 1]
    assert [(drop.what, drop.reason) for drop in of_type(results, Dropped)] == [
        ("pair", "block 0: cycle 2 of the EncodingMatrix missing"),
        ("pair", "block 2: cycle 0, 2, 3 of the EncodingMatrix missing"),
    ]
    assert len(of_type(results, Volume)) == 8


def test_a_repeated_cycle_is_not_used():
    differences = RNG.uniform(2, 9, (3, *SHAPE))
    volumes = block(HADAMARD, differences, 0)
    results = run(stage(), [volumes[0], volumes[0], *volumes[1:]])
    assert [drop.reason for drop in of_type(results, Dropped)] == ["block 0: cycle 0 came twice"]
    assert len(of_type(results, DeltaMVolume)) == 3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"durations": (1.0, 0.6)}, r"LabelingDuration: expected one time \(arteries\) or 3 .*, got 2"),
        ({"delays": (1.0, 0.6)}, "PostLabelingDelay: expected one time or 3, got 2"),
        ({"durations": (1.8,), "delays": (1.0, 0.6, 0.5)}, "PostLabelingDelay: expected one time, got 3"),
    ],
)
def test_times_that_fit_no_encoding_are_refused(arguments, message):
    with pytest.raises(ScanHeaderError, match=message):
        stage(**arguments)


def test_a_scan_without_a_matrix_is_refused():
    with pytest.raises(ScanHeaderError, match="decode: the scan declares no EncodingMatrix"):
        Decode(scan_header(), SubtractionDomain.MAGNITUDE)


@pytest.mark.parametrize(
    ("matrix", "column", "times"), [(HADAMARD, 0, {}), (VESSELS, 2, {"durations": (1.8,), "delays": (1.5,)})]
)
def test_swapped_signs_are_said_loudly_with_the_first_block(matrix, column, times):
    differences = RNG.uniform(2, 9, (matrix.shape[1] - 1, *SHAPE))
    blocks = [one for index in range(2) for one in block(matrix, -differences, column, index)]
    results = run(stage(matrix, **times), blocks)
    swapped = [notice for notice in of_type(results, Notice) if notice.level == "warning"]
    assert len(swapped) == 1
    assert "LOOK SWAPPED" in swapped[0].text
    together = -np.mean(differences.sum(axis=0)) / np.mean(STATIC)
    # the mask of this even image is its brighter part
    assert float(swapped[0].text.split("together are ")[1].split("%")[0]) == pytest.approx(100 * together, rel=0.15)
    # said, not changed
    assert all(image.image.max() < 0 for image in of_type(results, DeltaMVolume))
    right = run(stage(matrix, **times), block(matrix, differences, column))
    assert [notice.level for notice in of_type(right, Notice)] == ["info"]
