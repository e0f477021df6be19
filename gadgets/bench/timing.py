"""Rivals in turn, so that what disturbs a machine for a while disturbs them all; and the bandwidth of its memory."""

import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Copy", "copy_bandwidth", "in_turn"]

_COPIES = 9
_UNTIMED = 4


def in_turn(rivals: Mapping[str, Callable[[], Any]], rounds: int, pause: float = 0.0) -> dict[str, NDArray[np.float64]]:
    """Time each rival in each round, after one round to warm up.

    Parameters
    ----------
    rivals : mapping of str to callable
    rounds : int
    pause : float
        Before each call [s], followed by four calls that aren't timed. The threads of a matrix product wait busily for
        the next one and would slow down whatever comes after it; after a pause, in turn, processors are slow.

    Returns
    -------
    dict of str to float64 array (rounds,)
        Seconds.
    """
    times: dict[str, list[float]] = {name: [] for name in rivals}
    for number in range(rounds + 1):
        for name, run in rivals.items():
            if pause > 0:
                time.sleep(pause)
                for _ in range(_UNTIMED):
                    run()
            start = time.perf_counter()
            run()
            if number:
                times[name].append(time.perf_counter() - start)
    return {name: np.array(seconds) for name, seconds in times.items()}


class Copy:
    """Copy memory on two threads: a rival that does nothing but read and write once.

    Parameters
    ----------
    megabytes : int
        That are read, and written.
    """

    def __init__(self, megabytes: int) -> None:
        self._source, self._target = np.ones((2, 2, megabytes * 2**16))
        self._pool = ThreadPoolExecutor(2)
        self.n_bytes = 2 * self._source.nbytes

    def __call__(self) -> None:
        """Copy once."""
        halves = zip(self._target, self._source, strict=True)
        for future in [self._pool.submit(np.copyto, target, source) for target, source in halves]:
            future.result()


def copy_bandwidth(megabytes: int) -> float:
    """Bytes read plus bytes written a second, copying on two threads; the best of some."""
    copy = Copy(megabytes)
    return copy.n_bytes / float(in_turn({"copy": copy}, _COPIES)["copy"].min())
