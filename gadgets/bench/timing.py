"""Rivals in turn, so that what disturbs a machine for a while disturbs them all; and the bandwidth of its memory."""

import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["copy_bandwidth", "in_turn"]

_COPIES = 9


def in_turn(rivals: Mapping[str, Callable[[], Any]], rounds: int, pause: float = 0.0) -> dict[str, NDArray[np.float64]]:
    """Time each rival in each round, after one round to warm up.

    Parameters
    ----------
    rivals : mapping of str to callable
    rounds : int
    pause : float
        Before each call [s]. The threads of a matrix product wait busily for the next one for 25 ms, and would slow
        down whatever comes after it.

    Returns
    -------
    dict of str to float64 array (rounds,)
        Seconds.
    """
    times: dict[str, list[float]] = {name: [] for name in rivals}
    for number in range(rounds + 1):
        for name, run in rivals.items():
            time.sleep(pause)
            start = time.perf_counter()
            run()
            if number:
                times[name].append(time.perf_counter() - start)
    return {name: np.array(seconds) for name, seconds in times.items()}


def copy_bandwidth(megabytes: int) -> float:
    """Bytes read plus bytes written a second, copying on two threads; the best of some."""
    source, target = np.ones((2, 2, megabytes * 2**17))
    halves: list[Callable[[], None]] = [lambda i=i: np.copyto(target[i], source[i]) for i in range(2)]  # type: ignore[misc]
    with ThreadPoolExecutor(2) as pool:

        def copy() -> None:
            for future in [pool.submit(half) for half in halves]:
                future.result()

        seconds = in_turn({"copy": copy}, _COPIES)["copy"].min()
    return 2 * source.nbytes / float(seconds)
