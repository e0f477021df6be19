from types import SimpleNamespace

import pytest

from perfline.gadgets.errors import ConfigurationError
from perfline.gadgets.server import worker_process
from perfline.gadgets.server.pool import WorkerPool
from perfline.gadgets.server.process_server import ProcessServer
from perfline.gadgets.server.scan_work import ScanWork
from perfline.gadgets.server.worker_process import WorkerProcess


@pytest.mark.parametrize("n", [0, -1])
def test_at_least_one_scan(n):
    with pytest.raises(ConfigurationError, match=f"max-scans: expected at least 1, got {n}"):
        WorkerPool(n)


def test_a_process_that_can_not_start_is_an_error_at_once(monkeypatch, caplog):
    monkeypatch.setattr(worker_process, "_WORKER_MODULE", "perfline.no_such_module")
    pool = WorkerPool(1)
    pool.warm()
    pool.set_work(ScanWork())
    with pytest.raises(ConfigurationError, match="the process for the first scan did not get ready"):
        ProcessServer(pool, port=0).bind()
    assert "a process that waits for a scan: its process ended with code 1" in caplog.text
    assert pool.pipes == []


def test_not_listening_before_it_serves():
    with pytest.raises(ConfigurationError, match="not listening yet"):
        _ = ProcessServer(WorkerPool(1)).address


def test_a_process_ends_with_its_pipe():
    worker = WorkerProcess()
    assert not worker.has_gone
    worker.close()
    worker.close()
    worker.process.wait(60)
    assert worker.has_gone
    worker.end(1)
    assert not worker.is_busy


@pytest.mark.parametrize(
    ("running", "finishing", "why"),
    [
        (0, 0, ""),
        (1, 3, ""),
        (2, 0, "at most 2 scans at once"),
        (0, 4, "files of 4 scans are still being written"),
    ],
)
def test_files_of_the_last_scan_don_t_take_the_place_of_the_next_one(running, finishing, why):
    pool = WorkerPool(2)
    pool._workers = [SimpleNamespace(is_busy=True, is_finishing=i >= running) for i in range(running + finishing)]
    # a process that has ended
    pool._workers.append(SimpleNamespace(is_busy=False, is_finishing=True))
    assert (pool.n_running, pool.n_busy) == (running, running + finishing)
    assert (pool.why_full, pool.is_full) == (why, bool(why))


def test_a_pool_that_is_stopped_starts_nothing_more():
    pool = WorkerPool(2)
    pool.warm()
    (pipe,) = pool.pipes
    assert pool.stop(0) == []
    assert pipe.closed
    assert pool.tend() == []
    assert pool.pipes == []
    assert pool.stop(0) == []
