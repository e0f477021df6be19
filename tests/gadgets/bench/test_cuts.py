import os
import subprocess
import sys
from pathlib import Path

import pytest

from perfline.gadgets.bench.cuts import measure
from perfline.gadgets.bench.process_table import children_of, has_open, n_descriptors, resident_bytes


@pytest.mark.slow
def test_cut_scans_leave_nothing_behind_but_their_spools():
    reports = []
    figures = {one.figure: one for one in measure(rounds=8, is_small=True, data=Path(), report=reports.append)}
    assert figures["scans cut"].value == 8
    assert all(one.met is not False for one in figures.values()), figures
    assert sum(one.aim is not None for one in figures.values()) == 4
    # each way of cutting twice
    assert sum("scan process killed" in text for text in reports) == 2


def test_what_the_kernel_knows(tmp_path):
    own, before = os.getpid(), n_descriptors(os.getpid())
    with (tmp_path / "a.file").open("w"):
        assert has_open(own, "a.file")
        assert n_descriptors(own) == before + 1
    assert not has_open(own, "a.file")
    assert not has_open(1 << 30, "a.file")
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        assert child.pid in children_of(own)
    assert child.pid not in children_of(own)
    assert resident_bytes(own) > 1 << 20
