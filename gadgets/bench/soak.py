"""Thousands of volumes through one connection to ``perfline serve``: does its process grow?

The scan is small, so that ten thousand volumes take a minute or two: what would grow is kept by the volume or by the
pair, whatever their size. Spooling is on. The memory, the open files and the threads of the scan's process are looked
at after every so many images; the slope of the memory is fitted after a warm-up, in which buffers grow to their sizes.
"""

import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from perfline.gadgets.bench.figures import Figure
from perfline.gadgets.bench.process_table import cpu_seconds, n_descriptors, n_threads, resident_bytes
from perfline.gadgets.bench.server_process import ServerProcess, serving
from perfline.gadgets.errors import ScanError
from perfline.gadgets.mrd.client import run_client
from perfline.gadgets.mrd.images import Series
from perfline.gadgets.mrd.messages import Acquisition, ConfigName, HeaderXml, Image, Message
from perfline.gadgets.simulate.messages import simulated_messages
from perfline.gadgets.simulate.recipes import EPI_RECIPES
from perfline.gadgets.simulate.scan_recipe import SimulationRecipe

__all__ = ["growth", "measure"]

_BENCH: Final = "soak"
_CASE: Final = "small scan, spooled"
_VOLUMES_A_ROUND: Final = 2000
_VOLUMES_A_TOY_ROUND: Final = 100
_WARM_UP: Final = 0.2
"""Share of the scan that is not looked at."""

_N_SAMPLES: Final = 200
_SLOPE_AIM: Final = 1.0
"""Growth for a thousand volumes [MB]."""

_PATIENCE: Final = 120.0
_RECIPE: Final = replace(
    EPI_RECIPES["clean"], n_coils=2, n_slices=2, matrix_x=16, matrix_y=20, n_samples=36, dwell_time=14e-6
)


@dataclass
class _Watch:
    """Looks at the process of the scan each time so many volumes have come back."""

    server: ServerProcess
    every: int
    n_volumes: int = 0
    pid: int | None = None
    samples: list[tuple[float, ...]] = field(default_factory=list)

    def see(self, message: Message) -> None:
        """Count an image; called by the thread that receives."""
        if not isinstance(message, Image) or message.header.image_series_index != Series.MAGNITUDE:
            return
        if message.header.slice != 0:
            return
        self.n_volumes += 1
        if self.n_volumes % self.every == 0:
            self._look()

    def _look(self) -> None:
        self.pid = self.pid or self.server.scan_process
        if self.pid is None:
            return
        try:
            looks = (resident_bytes(self.pid), n_descriptors(self.pid), n_threads(self.pid), cpu_seconds(self.pid))
        except OSError:
            # the last volumes are read when it has ended
            return
        self.samples.append((self.n_volumes, *looks))


def measure(*, rounds: int, is_small: bool, data: Path, report: Callable[[str], None]) -> Iterator[Figure]:
    """Measure.

    Parameters
    ----------
    rounds : int
        Each of 2,000 volumes, all in one scan.
    is_small : bool
        Of 100 volumes, without an aim for the slope, which needs thousands.
    data : Path
        Not used.
    report : callable
        Told what is going on.

    Yields
    ------
    Figure

    Raises
    ------
    ScanError
        The scan did not end well.
    """
    n_volumes = rounds * (_VOLUMES_A_TOY_ROUND if is_small else _VOLUMES_A_ROUND)
    recipe = replace(_RECIPE, n_pairs=n_volumes // 2)
    with tempfile.TemporaryDirectory(prefix="perfline-bench-") as folder, serving(Path(folder)) as server:
        watch = _Watch(server, max(1, n_volumes // _N_SAMPLES))
        report(f"{n_volumes} volumes through one connection")
        start = time.perf_counter()
        _play(server, recipe, watch)
        seconds = time.perf_counter() - start
        n_spooled = sum(path.stat().st_size for path in Path(folder).iterdir())
    yield _figure("volumes", watch.n_volumes, "")
    yield _figure("time", seconds, "s")
    yield _figure("spool", n_spooled / 1e6, "MB")
    yield from growth(np.array(watch.samples), with_aim=not is_small)


def _play(server: ServerProcess, recipe: SimulationRecipe, watch: _Watch) -> None:
    messages = simulated_messages(recipe)
    header = next(messages)
    if not isinstance(header, HeaderXml):
        raise ScanError(f"bench: a simulated scan began with {header!r}")
    result = run_client(
        server.address,
        ConfigName("pcasl_epi"),
        header.xml,
        (one for one in messages if isinstance(one, Acquisition)),
        on_message=watch.see,
        timeout=_PATIENCE,
    )
    if not result.was_closed or result.failure or result.errors or any(text.startswith("ERR") for text in result.texts):
        raise ScanError(f"bench: the scan was not served: {result.failure} {result.errors} {result.texts[:3]}")


def growth(samples: NDArray[np.float64], *, with_aim: bool) -> Iterator[Figure]:
    """Judge what was seen after the warm-up.

    Parameters
    ----------
    samples : float64 array (n_samples, 5)
        Volumes so far, resident memory [bytes], open descriptors, threads, processor time [s].
    with_aim : bool
        False: too few volumes for the slope of the memory to say anything.

    Yields
    ------
    Figure
    """
    late = samples[samples[:, 0] >= _WARM_UP * samples[-1, 0]]
    volumes, memory, descriptors, threads, processor = late.T
    slope = float(np.polynomial.polynomial.polyfit(volumes, memory, 1)[1])
    yield _figure("memory after the warm-up", memory[0] / 1e6, "MB")
    yield _figure("memory at the end", memory[-1] / 1e6, "MB")
    yield _figure("growth for 1,000 volumes", slope * 1e3 / 1e6, "MB", _SLOPE_AIM if with_aim else None)
    yield _figure("change of open descriptors", float(np.ptp(descriptors)), "", 0)
    yield _figure("change of threads", float(np.ptp(threads)), "", 0)
    halves = [0, len(late) // 2, -1]
    per_volume = np.diff(processor[halves]) / np.diff(volumes[halves])
    yield _figure("processor time a volume, first half", 1e3 * float(per_volume[0]), "ms")
    yield _figure("processor time a volume, second half", 1e3 * float(per_volume[1]), "ms")


def _figure(figure: str, value: float, unit: str, aim: float | None = None) -> Figure:
    return Figure(_BENCH, _CASE, figure, float(value), unit, aim)
