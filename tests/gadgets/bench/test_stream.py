from pathlib import Path

import pytest

from perfline.gadgets.bench import stream
from perfline.gadgets.bench.figures import Figure


@pytest.mark.slow
def test_every_way_of_sending_is_measured():
    # a spawned process needs more than a second to import its modules
    said: list[str] = []
    figures = list(stream.measure(rounds=1, is_small=True, data=Path(), report=said.append))
    assert all(isinstance(one, Figure) and one.bench == "stream" for one in figures)
    values = {(one.case, one.figure): one.value for one in figures}
    assert len(values) == len(figures)
    for case in ("sent from file", "sent in 1.3 s", "sent from memory"):
        assert values[case, "readouts through the chain"] > 0
        shares = [value for (of, name), value in values.items() if of == case and name.startswith("share of")]
        assert sum(shares) == pytest.approx(100)
        assert min(shares) >= 0
    paced = ("at the scanner's pace", "3 coils at the scanner's pace")
    for case in ("sent from file", "sent in 1.3 s", "sent from memory", *paced):
        assert 0 < values[case, "CBF latency, median"] <= values[case, "CBF latency, worst"]
    for case in paced:
        assert values[case, "CBF latency seen by the sender, median"] > 0
    for medium in ("stream", "file"):
        assert values[f"3 coils, 36 samples, from a {medium}", "time over that of ismrmrd"] > 0
    assert [one for one in figures if one.aim is not None] == []
    assert said[0] == "writing the scan"
