import subprocess
import sys
import time
from pathlib import Path
from random import Random

import pytest

from perfline.gadgets.bench import fuzz
from perfline.gadgets.bench.figures import Figure
from perfline.gadgets.errors import StreamError


@pytest.mark.slow
def test_at_toy_size_nothing_is_amiss():
    said: list[str] = []
    figures = list(fuzz.measure(rounds=1, is_small=True, data=Path(), report=said.append))
    assert all(isinstance(one, Figure) and one.bench == "fuzz" for one in figures)
    values = {(one.case, one.figure): one.value for one in figures}
    assert len(values) == len(figures)
    assert {case for case, _ in values} == {"messages", "headers", "chains", "scans"}
    for case, n in (("messages", 2000), ("headers", 40), ("chains", 40), ("scans", 2)):
        assert values[case, "cases"] == n
        assert values[case, "must not be"] == 0, said
        ends = [value for (of, name), value in values.items() if of == case and name.startswith("ended with")]
        assert sum(ends) == n
    assert [one.figure for one in figures if one.met is False] == []
    # errors of several kinds, and some that got through
    assert {"ended with StreamError", "ended with TruncatedStreamError", "ended with CLOSE"} <= {
        name for case, name in values if case == "messages"
    }


def run(case, n=1):
    said: list[str] = []
    outcomes, _ = fuzz._run(case, n, said.append)
    return outcomes, said


def test_an_exception_of_another_kind_is_what_must_not_be():
    def case(random: Random) -> str:
        if random.random() < 0.5:
            raise KeyError("no such thing")
        raise StreamError("as it should be")

    outcomes, said = run(case, 30)
    assert outcomes.n == 30
    assert outcomes.ends.keys() == {"StreamError"}
    assert outcomes.bad["KeyError"] == len(said) > 5
    assert said[0].endswith("KeyError: 'no such thing'")


def test_a_case_that_hangs_is_ended(monkeypatch):
    monkeypatch.setattr(fuzz, "_TIME_LIMIT", 0.05)

    def case(random: Random) -> str:
        while True:
            try:
                time.sleep(0.001)
            except Exception:
                continue

    outcomes, said = run(case)
    assert outcomes.bad == {"_TooLong": 1}
    assert said == ["case 0: _TooLong: more than 0.05 s"]
    assert 0.05 <= outcomes.slowest < 1


@pytest.mark.slow
def test_growing_memory_is_seen():
    # in a process of its own: here, memory that other tests have given back would be used again
    code = (
        "from perfline.gadgets.bench import fuzz\n"
        "kept = []\n"
        "def case(random):\n"
        "    kept.append(random.randbytes(150_000))\n"
        "    return 'kept'\n"
        "outcomes, growth = fuzz._run(case, 1000, print)\n"
        "assert outcomes.ends == {'kept': 1000}, outcomes.ends\n"
        "print(growth)\n"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    # 150 kB each are 150 GB in a million
    assert 50_000 < float(result.stdout.split()[-1]) < 400_000
