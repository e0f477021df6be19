import hashlib
import json
from pathlib import Path

import ismrmrd
import numpy as np
import pytest

from perfline.gadgets.simulate.raw_data import scan_blocks, scan_truth
from perfline.gadgets.simulate.recipes import RECIPES
from perfline.gadgets.simulate.samples import SAMPLE_FILES, expected_numbers, write_samples

FOLDER = Path(__file__).parents[3] / "sample_raw"
EXPECTED = json.loads((FOLDER / "expected.json").read_text(encoding="ascii"))


@pytest.mark.parametrize("name", SAMPLE_FILES)
def test_file_is_the_one_that_was_described(name):
    content = (FOLDER / name).read_bytes()
    assert hashlib.sha256(content).hexdigest() == EXPECTED[name]["sha256"]
    # a commit may hold 5 MB
    assert len(content) == EXPECTED[name]["n_bytes"] < 5e6


@pytest.mark.slow
@pytest.mark.parametrize("name", SAMPLE_FILES)
def test_recipe_makes_the_values_in_the_file(name):
    with ismrmrd.File(FOLDER / name, mode="r") as file:
        acquisitions = list(file["dataset"].acquisitions)
    number = 0
    for heads, samples, _ in scan_blocks(RECIPES[SAMPLE_FILES[name]]):
        peak = np.abs(samples).max()
        for head, data in zip(heads, samples, strict=True):
            assert bytes(acquisitions[number].getHead()) == head.tobytes()
            # processors differ in the last bits of sums and of float32: 1e-7 of the largest
            np.testing.assert_allclose(acquisitions[number].data, data, rtol=0, atol=1e-6 * peak)
            number += 1
    assert number == len(acquisitions) == EXPECTED[name]["n_readouts"]


@pytest.mark.parametrize("name", SAMPLE_FILES)
def test_expected_numbers_are_those_of_the_truth(name):
    recipe = RECIPES[SAMPLE_FILES[name]]
    numbers = expected_numbers(recipe, scan_truth(recipe))
    assert numbers["grey_matter"].keys() == EXPECTED[name]["grey_matter"].keys()
    for key, value in EXPECTED[name]["grey_matter"].items():
        # written with six digits, of which processors may round the last one differently; NaN: no grey matter there
        np.testing.assert_allclose(np.array(numbers["grey_matter"][key], float), np.array(value, float), rtol=1e-5)
    assert {key: EXPECTED[name][key] for key in numbers if key != "grey_matter"} == {
        key: value for key, value in numbers.items() if key != "grey_matter"
    }


@pytest.mark.slow
def test_written_again_they_are_the_same_bytes(tmp_path):
    once, again = write_samples(tmp_path / "one"), write_samples(tmp_path / "two")
    assert once == again
    assert json.loads((tmp_path / "two" / "expected.json").read_text(encoding="ascii")) == once
