import time

import pytest

from perfline.gadgets.bench import machine
from perfline.gadgets.bench.machine import OtherWork


def test_other_work_is_what_is_left_of_the_busy_time(monkeypatch, tmp_path):
    statistics = tmp_path / "stat"
    ticks = 100
    monkeypatch.setattr(machine, "_STATISTICS", statistics)
    monkeypatch.setattr(machine.os, "sysconf", lambda name: ticks)
    clock = iter([10.0, 12.0])
    monkeypatch.setattr(machine.time, "perf_counter", lambda: next(clock))
    # user nice system idle iowait irq softirq steal guest guest_nice
    statistics.write_text("cpu  100 10 20 999 50 1 2 3 77 0\ncpu0 1 1 1\n")
    watch = OtherWork()
    statistics.write_text("cpu  300 60 70 5000 900 11 22 33 99 0\ncpu0 1 1 1\n")
    # 200 + 50 + 50 + 10 + 20 + 30 ticks are 3.6 s in 2 s, of which 1 s is our own
    assert watch.processors(own_seconds=1.0) == pytest.approx(1.3)


def test_a_system_that_does_not_tell_gives_nan(monkeypatch, tmp_path):
    monkeypatch.setattr(machine, "_STATISTICS", tmp_path / "none")
    watch = OtherWork()
    time.sleep(0.001)
    assert str(watch.processors(0.0)) == "nan"
