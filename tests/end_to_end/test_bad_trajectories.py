"""Spiral scans with readouts whose trajectory can't be used: these are dropped and counted, the scan goes on."""

import re

import numpy as np
import pytest
from end_to_end.scans import run_messages
from spiral_headers import hargreaves
from spiral_scan import DESCRIPTION, DESIGN, ELLIPSE, N_LINES, N_X, N_Y, PIXEL, arm, readout, spiral_scan_xml

from perfline.gadgets.mrd.messages import Close, HeaderXml
from perfline.gadgets.scan import ScanOptions
from perfline.gadgets.stage_data import GivenTrajectory, SideData, Volume
from perfline.recon.nufft.trajectory import GOLDEN_ANGLE

OWN, SAMPLES = arm(2)


def run_readouts(readouts, n_repetitions=1, *, description="", options=None):
    xml = spiral_scan_xml(n_repetitions, description=description)
    # one thread: sums in one order
    return run_messages([HeaderXml(xml), *readouts, Close()], "spiral", options=options, n_threads=1)


def reasons(outcome, what):
    return [drop.reason for drop in outcome.summary.drops if drop.what == what]


def scan_with(bad, place=(1, 2)):
    """Three repetitions; `bad` stands in the place of one readout, or is left out."""
    readouts = []
    for repetition in range(3):
        for line in range(N_LINES):
            if (repetition, line) != place:
                readouts.append(readout(line, repetition))
            elif bad is not None:
                readouts.append(bad)
    return readouts


def centre_of(volume):
    """Centre (x, y) of what is bright [mm]."""
    image = np.abs(volume.image[0])
    rows, columns = np.nonzero(image > image.max() / 2)
    return (columns.mean() - N_X // 2) * PIXEL, (rows.mean() - N_Y // 2) * PIXEL


BAD = {
    "NaN": (np.where(np.arange(len(OWN))[:, None] == 9, np.nan, OWN), "expected finite values, got 2 that are NaN"),
    "out of range": (1.5 * OWN, r"declared normalized, expected -0.5 \.\.\. 0.5 on axis"),
    "another unit": (OWN * 1000 / PIXEL, r"declared normalized, expected -0.5 \.\.\. 0.5 on axis"),
    "one axis": (OWN[:, :1], "trajectory_dimensions: expected 2 or 3, got 1"),
    "three axes": (np.hstack([OWN, OWN[:, :1]]), "expected zeros on axis z of a 2D encoding"),
    "none": (None, "expected one in the readout as in those before, got none"),
}


@pytest.mark.parametrize("name", list(BAD))
def test_a_bad_trajectory_costs_its_readout_and_its_volume(name):
    trajectory, text = BAD[name]
    outcome = run_readouts(scan_with(readout(2, 1, trajectory=trajectory)), 3)
    assert outcome.summary.status == "success"
    volumes = outcome.sink.of(Volume)
    assert [volume.key.repetition for volume in volumes] == [0, 2]
    np.testing.assert_array_equal(volumes[0].image, volumes[1].image)
    (of_readout,) = reasons(outcome, "readout")
    assert re.search(text, of_readout), of_readout
    (of_volume,) = reasons(outcome, "volume")
    assert "interleaf 2" in of_volume or "interleaves 2" in of_volume


def test_a_missing_interleaf_costs_its_volume():
    outcome = run_readouts(scan_with(None), 3)
    assert [volume.key.repetition for volume in outcome.sink.of(Volume)] == [0, 2]
    assert len(reasons(outcome, "volume")) == 1


def test_an_interleaf_that_comes_twice_counts_once():
    readouts = scan_with(readout(2, 1))
    readouts.insert(7, readout(2, 1))
    outcome = run_readouts(readouts, 3)
    assert len(outcome.sink.of(Volume)) == 3
    assert len(reasons(outcome, "readout")) == 1


def test_a_foreign_acquisition_is_ignored_and_counted():
    foreign = readout(0, trajectory=np.ones((1, 3)), data=SAMPLES[:, :1], flags=["SURFACECOILCORRECTIONSCAN_DATA"])
    outcome = run_readouts([foreign, *scan_with(readout(2, 1))], 3)
    assert (outcome.summary.status, outcome.summary.drops) == ("success", ())
    assert len(outcome.sink.of(Volume)) == 3
    assert any("1 readouts were neither" in text for _, text in outcome.summary.notices)


def test_a_file_of_another_length_costs_every_readout():
    given = GivenTrajectory(DESIGN.trajectory[:, :-3], "per_m", "short.npz")
    options = ScanOptions(side=SideData(trajectory=given))
    readouts = [readout(line, trajectory=None) for line in range(N_LINES)]
    outcome = run_readouts(readouts, options=options)
    assert outcome.summary.status == "fail"
    n = len(OWN)
    found = reasons(outcome, "readout")
    assert len(found) == N_LINES
    assert all(f"trajectory: expected {n} samples as in the data, got {n - 3}" in reason for reason in found)


def test_discarded_samples_may_be_anything():
    n_pre, n_post = 3, 7
    junk = [np.full((n, 2), 99.0, np.float32) for n in (n_pre, n_post)]
    readouts = []
    for line in range(N_LINES):
        own, samples = arm(line)
        readouts.append(
            readout(
                line,
                trajectory=np.vstack([junk[0], own, junk[1]]),
                data=np.hstack([1e3 * junk[0].T, samples, 1e3 * junk[1].T]).astype(np.complex64),
                discard_pre=n_pre,
                discard_post=n_post,
            )
        )
    plain = run_readouts([readout(line) for line in range(N_LINES)])
    outcome = run_readouts(readouts)
    np.testing.assert_array_equal(outcome.sink.of(Volume)[0].image, plain.sink.of(Volume)[0].image)


def test_a_trajectory_that_changes_with_each_repetition():
    readouts = [
        readout(line, repetition, turn=repetition * GOLDEN_ANGLE / N_LINES)
        for repetition in range(3)
        for line in range(N_LINES)
    ]
    outcome = run_readouts(readouts, 3)
    assert outcome.summary.drops == ()
    volumes = outcome.sink.of(Volume)
    assert len(volumes) == 3
    # of the same object, to a quarter of a pixel
    for volume in volumes:
        assert centre_of(volume) == pytest.approx((ELLIPSE.x, ELLIPSE.y), abs=1.25)


def test_a_design_that_leaves_the_matrix_stops_the_scan():
    description = hargreaves(**(DESCRIPTION | {"krmax_per_cm": 1.2}))
    outcome = run_readouts([readout(0, trajectory=None)], description=description)
    assert outcome.summary.status == "fail"
    assert "krmax_per_cm: expected at most half a cycle per pixel of encodedSpace" in outcome.summary.reason
