"""What a stage is: items in, zero or more items out; no clock, no socket."""

from collections.abc import Iterable
from typing import Protocol, runtime_checkable

from perfline.gadgets.stage_data import ReadoutBlock

__all__ = ["BlockStage", "Stage"]


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


@runtime_checkable
class BlockStage(Stage, Protocol):
    """A stage that takes readouts in blocks, with the same results as one by one.

    Other stages never see a block: they get its readouts by `process`.
    """

    def take_block(self, block: ReadoutBlock, start: int) -> tuple[int, Iterable[object]]:
        """Take readouts of a block from `start` on, as many as go together.

        Returns
        -------
        n : int
            How many were taken; 0: the readout at `start` is for `process`.
        results : iterable
            What the last of them completed; nothing was completed by the others. A stage that lets readouts pass takes
            them all, and gives the block.
        """
        ...
