"""The process of one scan: it gets ready, waits for a connection, serves it, and ends.

Started by `WorkerProcess` as ``python -m perfline.gadgets.server.worker FD``, where FD is its end of a pipe. Over the
pipe comes how scans are run, then a number and a connection; back go `READY`, `TAKEN`, where asked for the progress of
the scan once a second, `TOLD`, and the summary. A pipe that ends means that the server has gone: a worker that waits
ends too, a scan that runs is brought to its end.
"""

import contextlib
import gc
import logging
import os
import pickle
import signal
import socket
import sys
import threading
from collections.abc import Callable
from multiprocessing.connection import Connection
from multiprocessing.reduction import recv_handle
from types import FrameType

from perfline.gadgets.ready import get_ready
from perfline.gadgets.server.metrics_meter import ProgressReporter
from perfline.gadgets.server.metrics_progress import ScanProgress
from perfline.gadgets.server.scan_work import ScanRun, ScanWork
from perfline.gadgets.server.worker_process import READY, STOP_SECONDS, TAKEN, TOLD
from perfline.gadgets.summary import ScanSummary

__all__ = ["main", "serve_one"]


def main(descriptor: int) -> None:
    """Serve one scan.

    Parameters
    ----------
    descriptor : int
        File descriptor of the pipe.
    """
    # the server decides: an interrupt from the keyboard goes to the whole group of processes
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with Connection(descriptor) as pipe, contextlib.suppress(EOFError, ConnectionError):
        get_ready()
        work, log_level = _receive_work(pipe)
        logging.basicConfig(level=log_level, format=f"%(asctime)s {os.getpid()} %(levelname)s %(name)s: %(message)s")
        # what has been imported stays: a pass of the garbage collector over it, amid a scan, would take 30 ms
        gc.freeze()
        pipe.send(READY)
        number = pipe.recv()
        connection = socket.socket(fileno=recv_handle(pipe))
        pipe.send(TAKEN)
        pipe.send(serve_one(work, connection, number, pipe.send))


def serve_one(
    work: ScanWork, connection: socket.socket, number: int, send: Callable[[ScanProgress | str], None]
) -> ScanSummary:
    """Run the scan; SIGTERM ends it early, with everything saved that has come."""
    # the progress is told by a thread of its own
    lock = threading.Lock()

    def tell(message: ScanProgress | str) -> None:
        with lock:
            send(message)

    def tell_end() -> None:
        # the server may have gone; the scan comes to its end without
        with contextlib.suppress(OSError):
            tell(TOLD)

    run = ScanRun(work, connection, number, tell_end)

    def stop(signal_number: int, frame: FrameType | None) -> None:
        run.stop("the server is shut down", STOP_SECONDS)

    signal.signal(signal.SIGTERM, stop)
    with ProgressReporter(tell, run.progress) if work.has_progress else contextlib.nullcontext():
        return run.run()


def _receive_work(pipe: Connection) -> tuple[ScanWork, int]:
    """Read what the server has written to a file without a name, at any place in it, for all its workers."""
    descriptor = recv_handle(pipe)
    try:
        content = os.pread(descriptor, os.fstat(descriptor).st_size, 0)
    finally:
        os.close(descriptor)
    work, log_level = pickle.loads(content)
    return work, log_level


if __name__ == "__main__":
    main(int(sys.argv[1]))
