"""A spiral of an independent simulator (JEMRIS): 15 arms of a brain slice, clean and with off-resonance.

Its header is not right in several places: the trajectory is declared ``other`` and has no unit, the limits count 79
interleaves of which the last 15 come, field strength, times and directions are zero, and the first acquisition is a
single foreign sample. What it really is must be said: the unit, and that incomplete volumes are wanted.
"""

from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
from end_to_end.scans import Outcome, run_messages
from numpy.typing import NDArray

from perfline.gadgets.mrd.file_session import FileSession
from perfline.gadgets.stage_data import Volume

FOLDER = Path(__file__).resolve().parents[3] / "shared" / "data" / "spiral_jemris"

pytestmark = [
    pytest.mark.skipif(not FOLDER.is_dir(), reason=f"the simulator's data are not here: {FOLDER}"),
    # the density weights of 74,000 samples take some seconds
    pytest.mark.slow,
]

DECLARED = {
    "trajectory_units": "cycles_per_fov",
    "incomplete_volumes": "zero_fill",
}


def run_case(case: str, **settings: object) -> Outcome:
    return run_messages(FileSession(FOLDER / f"signals_spiralout_{case}_slc30.h5"), "spiral", **settings)


@pytest.fixture(scope="module", params=["clean", "Susc70Mhz"])
def both(request) -> tuple[Outcome, NDArray[np.float64]]:
    """Ours, and the magnitude of the other author's reconstruction."""
    with h5py.File(FOLDER / f"reco_spiralout_{request.param}_slc30.h5") as file:
        theirs = np.asarray(file["images/image_1/data"][0, 0, 0], np.float64)
    return run_case(request.param, **DECLARED), theirs


def image_of(outcome: Outcome) -> NDArray[np.float64]:
    (volume,) = outcome.sink.of(Volume)
    return np.abs(volume.image[0]).astype(np.float64)


def likeness(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    return float(np.corrcoef(one.ravel(), other.ravel())[0, 1])


def test_image_is_that_of_the_other_reconstruction(both):
    outcome, theirs = both
    ours = image_of(outcome)
    assert ours.shape == theirs.shape == (220, 220)
    # 0.9925 and 0.9893: the corners differ, where 15 arms no longer cover the field of view
    assert likeness(ours, theirs) > 0.985
    y, x = np.indices(ours.shape) - 110
    centre = np.hypot(y, x) < 80
    assert likeness(ours[centre], theirs[centre]) > 0.998


def test_image_is_the_right_way_up(both):
    ours, theirs = image_of(both[0]), both[1]
    right = likeness(ours, theirs)
    turns: list[Callable[[NDArray[np.float64]], NDArray[np.float64]]] = [
        np.flipud,
        np.fliplr,
        np.transpose,
        np.rot90,
        lambda image: image[::-1, ::-1],
    ]
    for turn in turns:
        assert likeness(turn(ours), theirs) < 0.9 * right
    # nor is it shifted by a pixel
    for axis in (0, 1):
        for step in (-1, 1):
            assert likeness(np.roll(ours, step, axis), theirs) < 0.97 * right


def test_what_is_odd_is_said(both):
    summary = both[0].summary
    assert (summary.status, summary.n_readouts, summary.n_volumes, summary.drops) == ("success", 16, 1, ())
    notices = [text for _, text in summary.notices]
    assert any("systemFieldStrength_T is 0" in text for text in notices)
    assert any("slice 0 lacks interleaves 0, 1, 2, 3 and 60 more; used with what is there" in text for text in notices)
    assert "1 readouts were neither imaging nor noise, and not used" in notices


def test_the_unit_of_the_header_is_believed_and_refused():
    summary = run_case("clean").summary
    assert summary.status == "fail"
    reasons = [drop.reason for drop in summary.drops if drop.what == "readout"]
    assert len(reasons) == 15
    assert all("trajectory: declared normalized, expected -0.5 ... 0.5 on axis" in reason for reason in reasons)
