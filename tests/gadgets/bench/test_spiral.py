from pathlib import Path

import pytest

from perfline.gadgets.bench.figures import Figure
from perfline.gadgets.bench.spiral import measure


@pytest.mark.slow
def test_every_figure_of_the_toy_is_measured():
    # the kernels of the NUFFT may have to be loaded first
    said: list[str] = []
    figures = list(measure(rounds=2, is_small=True, data=Path(), report=said.append))
    assert all(isinstance(one, Figure) and one.bench == "spiral" and one.aim is None for one in figures)
    values = {(one.case, one.figure): one.value for one in figures}
    assert 0 < values["toy", "last readout to image, median"] <= values["toy", "last readout to image, 95th percentile"]
    assert values["toy", "last readout to CBF, median"] > 0
    assert [value > 0 for (case, _), value in values.items() if case.startswith("SENSE R = 2")] == [True]
    assert said == ["scan toy", "CG-SENSE of a volume"]
