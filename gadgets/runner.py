"""Push items through stages, depth first, and keep the books: times, counts, drops, latencies.

One readout is taken through the whole chain before the next: what it completes leaves at once, and the time from its
arrival to the image being sent is the latency of that image. The clock is read here and nowhere below.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial

from perfline.gadgets.errors import ReadoutError
from perfline.gadgets.stage_data import (
    CbfVolume,
    Delivered,
    Dropped,
    M0Volume,
    PerfusionAverage,
    Readout,
    ReadoutBlock,
    Volume,
)
from perfline.gadgets.stages.stage import BlockStage, Stage
from perfline.gadgets.summary import StageStatistics

__all__ = ["Runner"]

_MAX_DROPS_KEPT = 1000
"""Drops that are listed one by one; later ones are only counted, so that memory stays bounded."""

_IMAGE_NAMES: dict[type, str] = {
    Volume: "volume",
    PerfusionAverage: "perfusion",
    CbfVolume: "cbf",
    M0Volume: "m0",
}


@dataclass
class _Books:
    """Counts of one stage."""

    n_in: int = 0
    n_out: int = 0
    n_dropped: int = 0
    seconds: float = 0.0


@dataclass
class Runner:
    """Run stages over items.

    Parameters
    ----------
    stages : sequence of Stage
    emit : callable
        Takes each item that leaves the last stage (drops and notices included), and sends what it becomes.
    keep : callable
        Takes the same items, each image followed by the `Delivered` that tells its latency, once all that a readout has
        completed is sent: nothing is saved before the last image of a pair has left.
    clock : callable
        Seconds, monotonic.
    """

    stages: Sequence[Stage]
    emit: Callable[[object], None]
    keep: Callable[[object], None] = lambda item: None
    clock: Callable[[], float] = time.perf_counter
    n_readouts: int = 0
    drops: list[Dropped] = field(default_factory=list)
    n_drops: int = 0
    latencies: dict[str, list[float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._books = [_Books() for _ in self.stages]
        self._block_stages = [stage if isinstance(stage, BlockStage) else None for stage in self.stages]
        self._emit_books = _Books()
        self._arrived = 0.0
        self._to_keep: list[object] = []

    def feed(self, item: object) -> None:
        """Take one item from the session through the chain.

        A bad readout is dropped, counted and reported; the scan goes on. Any other error is the caller's.
        """
        self._arrived = self.clock()
        try:
            if isinstance(item, Readout):
                self.n_readouts += 1
                self._push_readout(item, 0)
            elif isinstance(item, ReadoutBlock):
                self.n_readouts += len(item)
                self._push_block(item, 0)
            else:
                self._push(item, 0)
        finally:
            self._keep_all()

    def finish(self) -> None:
        """End the scan: every stage gives what it has left, in order."""
        for depth, stage in enumerate(self.stages):
            self._arrived = self.clock()
            try:
                self._take(stage.finish, depth)
            finally:
                self._keep_all()

    def stage_statistics(self) -> tuple[StageStatistics, ...]:
        """Return the books of each stage, and of sending and writing as the last entry."""
        names = [*(stage.name for stage in self.stages), "send_and_write"]
        books = [*self._books, self._emit_books]
        return tuple(
            StageStatistics(name, b.n_in, b.n_out, b.n_dropped, b.seconds) for name, b in zip(names, books, strict=True)
        )

    def _push_readout(self, readout: Readout, depth: int) -> None:
        try:
            self._push(readout, depth)
        except ReadoutError as error:
            self._emit(Dropped("readout", str(error), readout.volume_key, readout.counters.slice))

    def _push_block(self, block: ReadoutBlock, depth: int) -> None:
        """Take a block on, whole as far as the stage takes it, else readout by readout."""
        stage = self._block_stages[depth] if depth < len(self.stages) else None
        if stage is None:
            for readout in block:
                self._push_readout(readout, depth)
            return
        done = 0
        while done < len(block):
            n = self._push_part(stage, block, done, depth)
            if n == 0:
                self._push_readout(block[done], depth)
            done += max(n, 1)

    def _push_part(self, stage: BlockStage, block: ReadoutBlock, start: int, depth: int) -> int:
        """Have a stage take what it takes at once; return how many readouts."""
        book = self._books[depth]
        begin = self.clock()
        n, results = stage.take_block(block, start)
        book.seconds += self.clock() - begin
        book.n_in += n
        for result in results:
            if isinstance(result, ReadoutBlock):
                book.n_out += len(result)
                self._push_block(result, depth + 1)
                continue
            try:
                self._hand_on(result, depth)
            except ReadoutError as error:
                self._emit(Dropped("readout", str(error), block.key, block.slice))
        return n

    def _push(self, item: object, depth: int) -> None:
        if depth == len(self.stages):
            self._emit(item)
            return
        self._books[depth].n_in += 1
        self._take(partial(self.stages[depth].process, item), depth, item)

    def _take(self, make: Callable[[], Iterable[object]], depth: int, item: object = None) -> None:
        """Hand on each result of a stage before it is asked for the next: what can wait comes after what was made."""
        book = self._books[depth]
        results: Iterator[object] | None = None
        while True:
            start = self.clock()
            try:
                if results is None:
                    results = iter(make())
                result = next(results)
            except StopIteration:
                book.seconds += self.clock() - start
                return
            except ReadoutError:
                book.n_dropped += 1
                raise
            book.seconds += self.clock() - start
            self._hand_on(result, depth, item)

    def _hand_on(self, result: object, depth: int, item: object = None) -> None:
        book = self._books[depth]
        book.n_out += 1
        # what an earlier stage has dropped passes through, and counts there
        if isinstance(result, Dropped) and result is not item:
            book.n_dropped += 1
        self._push(result, depth + 1)

    def _emit(self, item: object) -> None:
        if isinstance(item, Dropped):
            self.n_drops += 1
            if len(self.drops) < _MAX_DROPS_KEPT:
                self.drops.append(item)
        start = self.clock()
        self.emit(item)
        sent = self.clock()
        self._to_keep.append(item)
        name = _IMAGE_NAMES.get(type(item))
        if name is not None:
            self.latencies.setdefault(name, []).append(sent - self._arrived)
            self._to_keep.append(Delivered(name, sent - self._arrived))
        self._emit_books.n_in += 1
        self._emit_books.seconds += sent - start

    def _keep_all(self) -> None:
        if not self._to_keep:
            return
        items, self._to_keep = self._to_keep, []
        start = self.clock()
        for item in items:
            self.keep(item)
        self._emit_books.seconds += self.clock() - start
