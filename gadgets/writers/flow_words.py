"""Words that depend on what was scanned: a kidney's flow is not that of a head, encoded scans are counted in blocks."""

from collections.abc import Mapping
from typing import Any, Final

__all__ = ["acquired_in", "counted_in", "differences_in", "one_of", "place_name", "region_name", "words_for"]

_HEAD: Final = "head"
"""Name of the one region where none are given; its label is 0."""

_SINGULAR: Final = {"pairs": "pair", "blocks": "block", "sub-boli": "sub-bolus"}


def place_name(flow_name: str | None) -> str:
    """Where the mean over all voxels is of: ``flow_name`` is ``CBF``, or ``RBF`` of the kidney, which has no head.

    Examples
    --------
    >>> place_name("CBF"), place_name("RBF")
    ('head', 'mask')
    """
    return "mask" if flow_name == "RBF" else _HEAD


def region_name(name: str, flow_name: str | None, label: int = 0) -> str:
    """Name of a region; one that was given (its label is not 0) keeps its own.

    Examples
    --------
    >>> region_name("head, all arteries", "RBF"), region_name("head", "RBF", 3), region_name("head", "CBF")
    ('mask, all arteries', 'head', 'head')
    """
    first, comma, rest = name.partition(",")
    return f"{place_name(flow_name)}{comma}{rest}" if label == 0 and first == _HEAD else name


def words_for(words: str, flow_name: str | None, counted: str = "pairs") -> str:
    """Name of a figure, which is written for the pairs of a head, for another scan.

    Parameters
    ----------
    words : str
    flow_name : str or None
    counted : str
        ``pairs``, ``blocks`` or ``sub-boli``.

    Examples
    --------
    >>> words_for("CBF, mean of the head", "RBF"), words_for("temporal SNR of a pair, median", "CBF", "sub-boli")
    ('RBF, mean in the mask', 'temporal SNR of a sub-bolus, median')
    """
    one = one_of(counted)
    words = words.replace("a pair", f"a {one}").replace("/pair", f"/{one}")
    return words.replace("CBF", "RBF").replace("of the head", "in the mask") if flow_name == "RBF" else words


def counted_in(summary: Mapping[str, Any]) -> str:
    """What the numbers of pairs in a summary count: a fit of a time-encoded scan counts all sub-boli of a block.

    Examples
    --------
    >>> [counted_in({"n_pairs": 14, "n_blocks": n_blocks}) for n_blocks in (None, 14, 2)]
    ['pairs', 'blocks', 'sub-boli']
    """
    n_blocks = summary.get("n_blocks")
    if n_blocks is None:
        return "pairs"
    return "blocks" if n_blocks == summary.get("n_pairs") else "sub-boli"


def acquired_in(pairs_of_block: int | None) -> str:
    """What the pairs that are acquired are called; `pairs_of_block` as in `perfline.gadgets.viewer.wire.Began`.

    Examples
    --------
    >>> [acquired_in(number) for number in (None, 1, 7)]
    ['pairs', 'blocks', 'blocks']
    """
    return "pairs" if pairs_of_block is None else "blocks"


def differences_in(pairs_of_block: int | None) -> str:
    """What the differences that a map counts are called.

    Examples
    --------
    >>> [differences_in(number) for number in (None, 1, 7)]
    ['pairs', 'blocks', 'sub-boli']
    """
    return acquired_in(pairs_of_block) if pairs_of_block in (None, 1) else "sub-boli"


def one_of(counted: str) -> str:
    """The singular.

    Examples
    --------
    >>> one_of("sub-boli")
    'sub-bolus'
    """
    return _SINGULAR[counted]
