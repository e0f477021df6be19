"""What a stage is: items in, zero or more items out; no clock, no socket."""

from collections.abc import Iterable
from typing import Protocol

__all__ = ["Stage"]


class Stage(Protocol):
    """One step of a scan.

    An item of a type that the stage doesn't know is yielded unchanged, so that anything travels down the chain.
    A stage reports what it dropped by yielding a `Dropped`, and what the operator should know by yielding a `Notice`.
    """

    name: str

    def process(self, item: object) -> Iterable[object]:
        """Take one item, yield zero or more."""
        ...

    def finish(self) -> Iterable[object]:
        """The scan has ended: yield what is left."""
        ...
