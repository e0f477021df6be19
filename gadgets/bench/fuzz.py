"""Spoilt messages, headers, chains and whole scans, many of them: each must end in an answer or in an error of ours.

Nothing here measures speed. The aims are none of: an exception that isn't perfline's, a case that takes too long, and
memory that grows. In process, so that a crash of the interpreter is one of the benchmark, too.
"""

import gc
import io
import json
import logging
import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from importlib import resources
from pathlib import Path
from random import Random
from types import FrameType
from typing import Final

import numpy as np

from perfline.gadgets.bench.figures import Figure, Skipped
from perfline.gadgets.bench.mutations import mutated, mutated_in_step, mutated_stream, mutated_text
from perfline.gadgets.chain import build_stages, load_chain, parse_chain
from perfline.gadgets.errors import ReadoutError
from perfline.gadgets.mrd.incoming import IncomingStream
from perfline.gadgets.mrd.json_config import parse_json_config
from perfline.gadgets.mrd.layout import WAVEFORM_HEADER
from perfline.gadgets.mrd.messages import (
    Acquisition,
    Close,
    ConfigName,
    ConfigText,
    ErrorText,
    HeaderXml,
    Image,
    ImageHeader,
    Message,
    Text,
    Waveform,
)
from perfline.gadgets.mrd.scan_header import parse_scan_header
from perfline.gadgets.mrd.session import Incoming
from perfline.gadgets.mrd.wire import encode
from perfline.gadgets.scan import run_scan
from perfline.gadgets.simulate.header import scan_header_xml
from perfline.gadgets.simulate.messages import simulated_messages
from perfline.gadgets.simulate.recipes import EPI_RECIPES
from perfline.recon.errors import PerflineError

__all__ = ["Outcomes", "measure"]

_BENCH: Final = "fuzz"
_MESSAGES_A_ROUND: Final = 200_000
_SMALL: Final = 2000
_SHARES: Final = {"headers": 0.02, "chains": 0.02, "scans": 0.0005}
"""Cases of each kind for one message."""

_TIME_LIMIT: Final = 5.0
"""Of one case [s]."""

_MEMORY_AIM: Final = 5.0
"""[MB] in a million messages; what is noise of the allocator is less."""

_RECIPE: Final = replace(
    EPI_RECIPES["clean"], n_coils=2, n_slices=2, matrix_x=20, matrix_y=16, n_samples=36, dwell_time=13e-6, n_pairs=1
)


class _TooLong(BaseException):
    """A case took longer than allowed; not an Exception, so that nobody takes it for one of his own."""


@dataclass
class Outcomes:
    """How the cases of one kind ended, by the class of the error; ``bad`` are those that must not be."""

    ends: Counter[str] = field(default_factory=Counter)
    bad: Counter[str] = field(default_factory=Counter)
    slowest: float = 0.0

    @property
    def n(self) -> int:
        """Cases."""
        return sum(self.ends.values()) + sum(self.bad.values())


def measure(*, rounds: int, is_small: bool, data: Path, report: Callable[[str], None]) -> Iterator[Figure | Skipped]:
    """Measure.

    Parameters
    ----------
    rounds : int
        Of 200,000 messages each, 4,000 headers, 4,000 chains and 100 scans.
    is_small : bool
        Two thousand messages in all, and the others in proportion.
    data : Path
        Not used.
    report : callable
        Told what is going on.

    Yields
    ------
    Figure
        Of messages, headers, chains and scans: how many ended how, the slowest, and those that must not be; the growth
        of the resident memory.
    """
    n_messages = _SMALL if is_small else rounds * _MESSAGES_A_ROUND
    xml = scan_header_xml(_RECIPE)
    start = (encode(ConfigName("pcasl_epi")), encode(HeaderXml(xml)))
    stream = [encode(one) for one in simulated_messages(_RECIPE) if isinstance(one, Acquisition)]
    cases = {
        "messages": (n_messages, _message_case(_corpus(start, stream))),
        "headers": (round(n_messages * _SHARES["headers"]), _header_case(xml)),
        "chains": (round(n_messages * _SHARES["chains"]), _chain_case()),
        "scans": (max(round(n_messages * _SHARES["scans"]), 2), _scan_case(start, stream)),
    }
    for kind, (n, case) in cases.items():
        report(f"{n} spoilt {kind}")
        outcomes, growth = _run(case, n, report)
        yield from _figures(kind, outcomes)
        if kind == "messages":
            yield Figure(_BENCH, kind, "resident memory", growth, "MB/1e6", None if is_small else _MEMORY_AIM)


def _figures(kind: str, outcomes: Outcomes) -> Iterator[Figure]:
    yield Figure(_BENCH, kind, "cases", outcomes.n, "")
    for end, n in sorted(outcomes.ends.items()):
        yield Figure(_BENCH, kind, f"ended with {end}", n, "")
    yield Figure(_BENCH, kind, "slowest", 1e3 * outcomes.slowest, "ms", 1e3 * _TIME_LIMIT)
    yield Figure(_BENCH, kind, "must not be", sum(outcomes.bad.values()), "", 0.0)


def _run(case: Callable[[Random], str], n: int, report: Callable[[str], None]) -> tuple[Outcomes, float]:
    """Run cases; the growth of memory is a line through the second half, when caches are full."""
    outcomes = Outcomes()
    at, resident = [], []
    with _quiet():
        for number in range(n):
            _run_one(case, number, outcomes, report)
            if number % max(n // 20, _SMALL // 20) == 0 and number >= n // 2:
                # readers refer to themselves, and wait for the collector
                gc.collect()
                at.append(number)
                resident.append(_resident_megabytes())
    slope = float(np.polyfit(at, resident, 1)[0]) if len(at) > 2 else float("nan")
    return outcomes, 1e6 * slope


def _run_one(case: Callable[[Random], str], number: int, outcomes: Outcomes, report: Callable[[str], None]) -> None:
    start = time.perf_counter()
    try:
        with _time_limit():
            outcomes.ends[case(Random(number))] += 1
    except PerflineError as error:
        outcomes.ends[type(error).__name__] += 1
    except (Exception, _TooLong) as error:
        # what is looked for: to be told with the number that makes it again
        outcomes.bad[type(error).__name__] += 1
        report(f"case {number}: {type(error).__name__}: {str(error)[:200]}")
    outcomes.slowest = max(outcomes.slowest, time.perf_counter() - start)


def _message_case(corpus: Sequence[bytes]) -> Callable[[Random], str]:
    """One spoilt message between two good ones, through parser and session up to readouts and images."""
    close = encode(Close())

    def case(random: Random) -> str:
        spoilt = mutated(random.choice(corpus), random)
        stream = IncomingStream(io.BytesIO(random.choice(corpus) + spoilt + random.choice(corpus) + close).readinto)
        n_bad = 0
        while not stream.has_ended:
            try:
                stream.read()
            except ReadoutError:
                n_bad += 1
        return "CLOSE, readouts refused" if n_bad else "CLOSE" if stream.was_closed else "the last byte"

    return case


def _header_case(xml: bytes) -> Callable[[Random], str]:
    """A header, and the stages that it asks for."""
    chain = load_chain("pcasl_epi")

    def case(random: Random) -> str:
        header = parse_scan_header(mutated_text(xml, random))
        build_stages(chain.gadgets, header, chain.settings())
        return "a header"

    return case


def _chain_case() -> Callable[[Random], str]:
    folder = resources.files("perfline.config") / "chains"
    texts = [entry.read_bytes() for entry in sorted(folder.iterdir(), key=str) if entry.name.endswith(".xml")]
    choice = json.dumps({"parameters": {"config": "pcasl_epi", "subtraction_order": "surround", "n_threads": "2"}})

    def case(random: Random) -> str:
        if random.random() < 0.2:
            found = parse_json_config(mutated_text(choice.encode(), random))
            if found is None:
                return "no JSON"
            load_chain(found.chain or "pcasl_epi").settings().with_values(found.settings, "JSON")
        else:
            parse_chain(mutated_text(random.choice(texts), random)).settings()
        return "a chain"

    return case


def _scan_case(start: Sequence[bytes], stream: Sequence[bytes]) -> Callable[[Random], str]:
    """A whole scan of which a few messages are spoilt, now and then the first ones too."""

    def case(random: Random) -> str:
        if random.random() < 0.5:
            body = mutated_stream(stream, random, random.randint(1, 6))
        else:
            # what a broken stream hides: nonsense that gets as far as the stages
            body = b"".join(mutated_in_step(one, random) if random.random() < 0.03 else one for one in stream)
        head = mutated_stream(start, random, 1) if random.random() < 0.1 else b"".join(start)
        session = _BytesSession(head + body + encode(Close()))
        summary = run_scan(session, lambda config: load_chain("pcasl_epi"))
        if "internal error" in summary.reason:
            raise _BadScan(summary.reason)
        if summary.status != "success" and not session.errors:
            raise _BadScan("a scan that failed did not tell its peer")
        return summary.status

    return case


class _BadScan(RuntimeError):
    """A scan ended in a way that must not be; not an error of perfline's own kind, which would count as an end."""


class _BytesSession:
    """A session on a string of bytes that throws images away."""

    def __init__(self, data: bytes) -> None:
        self._incoming = IncomingStream(io.BytesIO(data).readinto)
        self.errors: list[str] = []

    @property
    def was_closed(self) -> bool:
        return self._incoming.was_closed

    def read(self) -> Incoming | None:
        return self._incoming.read()

    def send(self, images: Sequence[Image]) -> None:
        for image in images:
            encode(image)

    def send_text(self, level: str, text: str) -> None:
        pass

    def send_error(self, text: str) -> None:
        self.errors.append(text)
        self.drain()

    def drain(self) -> None:
        self._incoming.drain()

    def close(self) -> None:
        pass


def _corpus(start: Sequence[bytes], stream: Sequence[bytes]) -> list[bytes]:
    """Messages of all kinds; readouts, of which a scan has most, several times."""
    image = Image(ImageHeader(slice=1), b"<ismrmrdMeta/>", np.ones((1, 1, 6, 5), np.float32))
    waveform = np.zeros(1, WAVEFORM_HEADER)
    waveform["version"], waveform["number_of_samples"], waveform["channels"] = 1, 7, 2
    others: tuple[Message, ...] = (
        ConfigText(b"<configuration/>"),
        Text("DBG text"),
        ErrorText("error"),
        image,
        Waveform(waveform.tobytes(), np.zeros((2, 7), np.uint32)),
        HeaderXml(b"<ismrmrdHeader/>"),
        Close(),
    )
    return [*start, *map(encode, others), *stream[: 2 * len(others)]]


@contextmanager
def _quiet() -> Iterator[None]:
    """Nobody reads the log of a million broken scans."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(before)


@contextmanager
def _time_limit() -> Iterator[None]:
    former = signal.signal(signal.SIGALRM, _stop)
    signal.setitimer(signal.ITIMER_REAL, _TIME_LIMIT)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, former)


def _stop(number: int, frame: FrameType | None) -> None:
    raise _TooLong(f"more than {_TIME_LIMIT:g} s")


def _resident_megabytes() -> float:
    """Resident memory of this process; NaN on a system that doesn't tell."""
    path = Path("/proc/self/statm")
    if not path.exists():
        return float("nan")
    return int(path.read_text("ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6
