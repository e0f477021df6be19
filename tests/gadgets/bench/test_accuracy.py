from pathlib import Path

import pytest

from perfline.gadgets.bench.accuracy import measure
from perfline.gadgets.bench.figures import Figure, Skipped


@pytest.fixture(scope="module")
def results() -> list:
    said: list[str] = []
    found = list(measure(rounds=1, is_small=True, data=Path("nowhere"), report=said.append))
    assert said == ["blood flow of clean", "blood flow of spiral"]
    return found


def test_the_aims_are_met_at_toy_size(results):
    with_aim = [one for one in results if isinstance(one, Figure) and one.aim is not None]
    assert {one.case for one in with_aim} == {
        "clean",
        "dM/M0 = 0.01",
        "readout of clean",
        "readout of realistic",
        "readout of bench",
    }
    assert [one for one in with_aim if not one.met] == []


def test_hand_worked_value(results):
    (value,) = [one.value for one in results if isinstance(one, Figure) and one.figure == "CBF"]
    # worked by hand to four decimals
    assert value == pytest.approx(86.2999, abs=1e-4)


def test_scanner_data_that_are_absent_are_skipped_with_the_reason(results):
    skipped = [one for one in results if isinstance(one, Skipped)]
    assert [one.case for one in skipped] == ["scanner EPI"]
    assert skipped[0].reason.startswith("no file nowhere")


def test_spirals_are_compared_too(results):
    errors = {one.figure: one.value for one in results if isinstance(one, Figure) and one.case == "spiral"}
    # the chain's own maps, a single shot of 48 x 44
    assert abs(errors["grey-matter CBF, median error"]) < 1
    assert errors["grey-matter CBF, median absolute error"] < 2
