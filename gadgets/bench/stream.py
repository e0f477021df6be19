"""How fast a raw scan goes through a socket and the whole chain, against merely sending it.

The scan is the ``bench`` recipe: 16 coils, 12 slices, 64 x 64 with 128 samples, one M0 and 10 pairs. A sender in a
process of its own (`SenderProcess`) sends it over loopback, in turn into a sink in this process that throws the bytes
away, and into the server in this process that makes everything up to CBF and sends all images back.

Time runs in the sender, from just before it connects to CLOSE received, which the sink says after the last byte. The
latency is the one of the scan's summary, from the last readout of a pair being read from the socket to its CBF images
being handed to the socket; paced like a scan, the sender's view of it is given too. At full speed readouts also wait
in the socket's buffers: that is throughput, and not in the latency.

A second, larger scan (32 coils, 24 slices) is sent at the scanner's pace, and read by our reader and by that of the
`ismrmrd` package.
"""

import os
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Final

import numpy as np

from perfline.gadgets.bench.figures import Figure
from perfline.gadgets.bench.machine import OtherWork
from perfline.gadgets.bench.readers import measure_readers
from perfline.gadgets.bench.stream_sender import Order, Pace, SenderProcess, Sent
from perfline.gadgets.bench.stream_sinks import all_sinks
from perfline.gadgets.errors import ScanError
from perfline.gadgets.mrd.messages import Close
from perfline.gadgets.mrd.wire import encode
from perfline.gadgets.server.scan_work import ScanWork
from perfline.gadgets.server.server import Server
from perfline.gadgets.simulate.recipes import EPI_RECIPES
from perfline.gadgets.simulate.write_mrd import write_scan
from perfline.gadgets.summary import ScanSummary

__all__ = ["measure"]

_BENCH: Final = "stream"
_CHAIN: Final = "pcasl_epi"
_RATIO_AIM: Final = 1.15
"""Times what sending needs. Gadgetron's C++ EPI chain, without ASL, takes 1.38 times what its client needs."""

_LATENCY_AIM: Final = 15.0
_WORST_LATENCY_AIM: Final = 40.0
_SECONDS: Final = MappingProxyType({Pace.STEADY: 1.3, Pace.SCANNER: 0.1})
"""1.3 s is what the C++ client of Gadgetron took to read this scan and send it into a sink; 0.1 s is the pause between
volumes, which are seconds in a scan."""

_TOY_SECONDS: Final = MappingProxyType({Pace.STEADY: 0.05, Pace.SCANNER: 0.01})

_N_PACED_ROUNDS: Final = 2
_ACCEPT_TIMEOUT: Final = 60.0
_BUFFER: Final = 1 << 18
_COPY_BYTES: Final = 1 << 26

_TOY: Final = replace(
    EPI_RECIPES["bench"], n_coils=2, n_slices=2, matrix_x=16, matrix_y=20, n_samples=36, dwell_time=14e-6, n_pairs=2
)
_LARGE: Final = replace(EPI_RECIPES["bench"], n_coils=32, n_slices=24, repetition_time=5.0, n_pairs=3)
_LARGE_TOY: Final = replace(_TOY, n_coils=3, n_slices=3)
_CASES: Final = MappingProxyType(
    {Pace.FILE: "sent from file", Pace.STEADY: "sent in 1.3 s", Pace.MEMORY: "sent from memory"}
)
"""At full speed from the file, as our own client sends; at the pace of the C++ client; and with nothing to wait for."""

_WITH_RATIO_AIM: Final = (Pace.FILE, Pace.STEADY)


@dataclass(frozen=True)
class _ChainRun:
    """One scan through the chain."""

    sent: Sent
    summary: ScanSummary
    cpu_seconds: float
    other_processors: float


def measure(*, rounds: int, is_small: bool, data: Path, report: Callable[[str], None]) -> Iterator[Figure]:
    """Measure.

    Parameters
    ----------
    rounds : int
        Sink and chain in turn, for each way of sending; at most two are made at the scanner's pace.
    is_small : bool
        A toy scan, without aims.
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
        A scan did not end well, so that its time says nothing.
    """
    yield _figure("machine", "processors", os.cpu_count() or 0, "")
    with tempfile.TemporaryDirectory(prefix="perfline-bench-") as folder:
        path = Path(folder) / "bench.h5"
        recipe = _TOY if is_small else EPI_RECIPES["bench"]
        report("writing the scan")
        write_scan(path, recipe)
        with SenderProcess(path) as sender:
            track = _Track(sender, recipe.n_pairs, _TOY_SECONDS if is_small else _SECONDS)
            sinks, chains, paced = _run_rounds(track, rounds, report)
            spooled = _run_spooled(track, rounds, Path(folder), report)
            saved, saved_at_pace = _run_with_sinks(track, rounds, Path(folder), report)
    for pace, case in _CASES.items():
        yield from _throughput(case, sinks[pace], chains[pace], with_aim=not is_small and pace in _WITH_RATIO_AIM)
        yield from _latency(case, chains[pace], with_aims=not is_small)
        yield from _shares(case, chains[pace])
    yield from _compared("with a spool", spooled)
    for pace, runs in saved.items():
        yield from _compared(f"{_CASES[pace]}, with all files and a page", runs)
    yield from _latency("with all files and a page, at the scanner's pace", saved_at_pace, with_aims=not is_small)
    yield from _paced("at the scanner's pace", paced, with_aims=not is_small)
    yield _figure("machine", "scan copied once in memory", _copying_time(sinks[Pace.FILE][0].n_bytes), "s")
    yield from _measure_large(rounds, is_small=is_small, report=report)


def _compared(case: str, pairs: Sequence[tuple[_ChainRun, _ChainRun]]) -> Iterator[Figure]:
    """Runs with something more, each against one without."""
    ratios = [run.sent.seconds / without.sent.seconds for run, without in pairs]
    yield _figure(case, "over without, median", float(np.median(ratios)), "")
    yield _figure(case, "over without, worst", max(ratios), "")
    yield from _latency(case, [run for run, _ in pairs], with_aims=False)


def _measure_large(rounds: int, *, is_small: bool, report: Callable[[str], None]) -> Iterator[Figure]:
    """The larger scan."""
    recipe = _LARGE_TOY if is_small else _LARGE
    with tempfile.TemporaryDirectory(prefix="perfline-bench-") as folder:
        path = Path(folder) / "large.h5"
        report(f"writing a scan of {recipe.n_coils} coils")
        write_scan(path, recipe)
        with SenderProcess(path) as sender:
            track = _Track(sender, recipe.n_pairs, _TOY_SECONDS if is_small else _SECONDS)
            report(f"{recipe.n_coils} coils at the scanner's pace")
            paced = [track.through_chain(Pace.SCANNER) for _ in range(min(rounds, _N_PACED_ROUNDS))]
        yield from _paced(f"{recipe.n_coils} coils at the scanner's pace", paced, with_aims=not is_small)
        report("readers in turn")
        yield from measure_readers(path, _BENCH, rounds, is_small=is_small)


def _paced(case: str, paced: Sequence[_ChainRun], *, with_aims: bool) -> Iterator[Figure]:
    """Latencies at the scanner's pace, ours and the sender's."""
    yield from _latency(case, paced, with_aims=with_aims)
    seen = [latency for run in paced for latency in run.sent.latencies]
    yield _figure(case, "CBF latency seen by the sender, median", 1e3 * float(np.median(seen)), "ms")
    yield _figure(case, "CBF latency seen by the sender, worst", 1e3 * max(seen), "ms")


def _run_rounds(
    track: "_Track", rounds: int, report: Callable[[str], None]
) -> tuple[dict[Pace, list[Sent]], dict[Pace, list[_ChainRun]], list[_ChainRun]]:
    """Run everything in turn after a warm-up; what is returned last is at the scanner's pace."""
    report("warm-up")
    for pace in _CASES:
        track.into_sink(pace)
        track.through_chain(pace)
    sinks: dict[Pace, list[Sent]] = {pace: [] for pace in _CASES}
    chains: dict[Pace, list[_ChainRun]] = {pace: [] for pace in _CASES}
    for number in range(rounds):
        report(f"round {number + 1} of {rounds}")
        for pace in _CASES:
            sinks[pace].append(track.into_sink(pace))
            chains[pace].append(track.through_chain(pace))
    paced = []
    n_paced = min(rounds, _N_PACED_ROUNDS)
    for number in range(n_paced):
        report(f"at the scanner's pace, {number + 1} of {n_paced}")
        paced.append(track.through_chain(Pace.SCANNER))
    return sinks, chains, paced


def _run_spooled(
    track: "_Track", rounds: int, folder: Path, report: Callable[[str], None]
) -> list[tuple[_ChainRun, _ChainRun]]:
    """Run with everything that arrives kept on disk, in turn with runs without."""
    runs = []
    for number in range(rounds):
        report(f"with a spool, {number + 1} of {rounds}")
        with tempfile.TemporaryDirectory(dir=folder) as spool:
            with_spool = track.through_chain(Pace.FILE, ScanWork(spool=Path(spool)))
        runs.append((with_spool, track.through_chain(Pace.FILE)))
    return runs


def _run_with_sinks(
    track: "_Track", rounds: int, folder: Path, report: Callable[[str], None]
) -> tuple[dict[Pace, list[tuple[_ChainRun, _ChainRun]]], list[_ChainRun]]:
    """Run with files of every kind and a page that shows the scan, in turn with runs without; then at its pace."""
    with tempfile.TemporaryDirectory(dir=folder) as out, all_sinks(Path(out), report) as make_sinks:
        work = ScanWork(make_sinks=make_sinks)
        runs: dict[Pace, list[tuple[_ChainRun, _ChainRun]]] = {pace: [] for pace in _WITH_RATIO_AIM}
        for number in range(rounds):
            report(f"with all files and a page, {number + 1} of {rounds}")
            for pace, of_pace in runs.items():
                of_pace.append((track.through_chain(pace, work), track.through_chain(pace)))
        report("with all files and a page, at the scanner's pace")
        paced = [track.through_chain(Pace.SCANNER, work) for _ in range(min(rounds, _N_PACED_ROUNDS))]
    return runs, paced


@dataclass(frozen=True)
class _Track:
    """What a scan is sent through."""

    sender: SenderProcess
    n_pairs: int
    seconds: Mapping[Pace, float]

    def into_sink(self, pace: Pace) -> Sent:
        """Throw the scan away."""
        with socket.create_server(("127.0.0.1", 0)) as listener:
            listener.settimeout(_ACCEPT_TIMEOUT)
            with _beside(lambda: _discard(listener)):
                return self._send(listener.getsockname()[:2], pace)

    def through_chain(self, pace: Pace, work: ScanWork | None = None) -> _ChainRun:
        """Make CBF of the scan in a server."""
        summaries: list[ScanSummary] = []
        server = Server(work or ScanWork(), port=0, on_summary=summaries.append)
        server.bind()
        cpu, others = time.process_time(), OtherWork()
        with _beside(lambda: server.serve(1)):
            try:
                sent = self._send(server.address, pace)
            finally:
                server.stop()
        cpu = time.process_time() - cpu
        other_processors = others.processors(cpu + sent.cpu_seconds)
        (summary,) = summaries
        if summary.status != "success" or summary.n_pairs != self.n_pairs or summary.drops:
            raise ScanError(f"bench: {summary.status}, {summary.n_pairs} pairs: {summary.reason} {summary.drops[:3]}")
        return _ChainRun(sent, summary, cpu, other_processors)

    def _send(self, address: tuple[str, int], pace: Pace) -> Sent:
        return self.sender.send(Order(address, pace, _CHAIN, self.seconds.get(pace, 0.0)))


def _figure(case: str, figure: str, value: float, unit: str, aim: float | None = None) -> Figure:
    return Figure(_BENCH, case, figure, float(value), unit, aim)


def _discard(listener: socket.socket) -> None:
    connection, _ = listener.accept()
    buffer = bytearray(_BUFFER)
    with connection:
        while connection.recv_into(buffer):
            continue
        connection.sendall(encode(Close()))


@contextmanager
def _beside(work: Callable[[], None]) -> Iterator[None]:
    """Work in a thread while the block, which only waits for the sender, runs."""
    thread = threading.Thread(target=work, name="bench-receiver")
    thread.start()
    try:
        yield
    finally:
        thread.join()


def _throughput(case: str, sinks: Sequence[Sent], chains: Sequence[_ChainRun], *, with_aim: bool) -> Iterator[Figure]:
    sink_times = np.array([sent.seconds for sent in sinks])
    chain_times = np.array([run.sent.seconds for run in chains])
    typical = float(np.median(chain_times))
    # of each round by itself: what disturbs a machine for a while then disturbs both
    ratios = chain_times / sink_times
    yield _figure(case, "into a sink, median", float(np.median(sink_times)), "s")
    yield _figure(case, "into a sink, worst", sink_times.max(), "s")
    yield _figure(case, "through the chain, median", typical, "s")
    yield _figure(case, "through the chain, worst", chain_times.max(), "s")
    yield _figure(case, "chain over sink, median", float(np.median(ratios)), "", _RATIO_AIM if with_aim else None)
    yield _figure(case, "chain over sink, worst", ratios.max(), "")
    yield _figure(case, "readouts through the chain", chains[0].summary.n_readouts / typical, "1/s")
    yield _figure(case, "data through the chain", chains[0].sent.n_bytes / 1e6 / typical, "MB/s")
    yield _figure(case, "processor time of the server", float(np.median([run.cpu_seconds for run in chains])), "s")
    sender_times = [run.sent.cpu_seconds for run in chains]
    yield _figure(case, "processor time of the sender", float(np.median(sender_times)), "s")
    yield _figure(
        case, "processors busy with other work", float(np.median([run.other_processors for run in chains])), ""
    )


def _latency(case: str, runs: Sequence[_ChainRun], *, with_aims: bool) -> Iterator[Figure]:
    of_flow = [run.summary.latency["cbf"] for run in runs]
    median_aim, worst_aim = (_LATENCY_AIM, _WORST_LATENCY_AIM) if with_aims else (None, None)
    median = float(np.median([one.median for one in of_flow]))
    yield _figure(case, "CBF latency, median", 1e3 * median, "ms", median_aim)
    yield _figure(case, "CBF latency, worst", 1e3 * max(one.worst for one in of_flow), "ms", worst_aim)


def _shares(case: str, runs: Sequence[_ChainRun]) -> Iterator[Figure]:
    """Share of each stage in the time of the scan; what is left is waiting, receiving and parsing."""
    of_runs = [_shares_of(run.summary) for run in runs]
    for name in of_runs[0]:
        yield _figure(case, f"share of {name}", float(np.median([shares[name] for shares in of_runs])), "%")


def _shares_of(summary: ScanSummary) -> Mapping[str, float]:
    shares = {stage.name: 100 * stage.seconds / summary.seconds for stage in summary.stages}
    return {**shares, "waiting, receiving, parsing": 100 - sum(shares.values())}


def _copying_time(n_bytes: int) -> float:
    """Time to copy as many bytes within memory: the floor for anything that touches all of them [s]."""
    source, target = np.ones(_COPY_BYTES, np.uint8), np.ones(_COPY_BYTES, np.uint8)
    times = []
    for _ in range(5):
        start = time.perf_counter()
        np.copyto(target, source)
        times.append(time.perf_counter() - start)
    return float(np.median(times)) * n_bytes / _COPY_BYTES
