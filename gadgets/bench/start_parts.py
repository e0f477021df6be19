"""A process that gets ready for a scan step by step and says how long each step took.

Started as ``python -m perfline.gadgets.bench.start_parts STARTED``, where STARTED is `time.monotonic` just before: what
comes first is the interpreter. It prints one JSON object, step by seconds.
"""

import json
import sys
import time
from collections.abc import Callable

__all__ = ["STEPS", "main"]


def _import_gadgetron() -> None:
    import gadgetron.external  # noqa: F401


def _import_host() -> None:
    import perfline.gadgets.server.worker  # noqa: F401


def _prepare() -> None:
    from perfline.gadgets.ready import get_ready

    get_ready()


def _load_spiral_kernels() -> None:
    from perfline.gadgets.ready import get_ready_for_spirals

    get_ready_for_spirals()


STEPS: dict[str, Callable[[], None]] = {
    "package gadgetron": _import_gadgetron,
    "host": _import_host,
    "stages and kernels": _prepare,
    "stages and kernels of spirals": _load_spiral_kernels,
}
"""After the interpreter, in this order."""


def main(started: float) -> dict[str, float]:
    """Take all steps.

    Parameters
    ----------
    started : float
        `time.monotonic` before this process was started.

    Returns
    -------
    dict of str to float
        Seconds of each step; the first is the interpreter's start.
    """
    seconds = {"interpreter": time.monotonic() - started}
    for name, step in STEPS.items():
        start = time.monotonic()
        step()
        seconds[name] = time.monotonic() - start
    return seconds


if __name__ == "__main__":
    sys.stdout.write(json.dumps(main(float(sys.argv[1]))))
