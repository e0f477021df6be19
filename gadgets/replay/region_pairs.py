"""Which regions mirror each other."""

from collections.abc import Mapping

from perfline.gadgets.errors import ConfigurationError

__all__ = ["read_pairs"]


def read_pairs(text: str, names: Mapping[int, str], option: str = "--pairs") -> list[tuple[str, str]]:
    """Read ``LEFT=RIGHT,...``.

    Parameters
    ----------
    text : str
        Names of regions, or their labels.
    names : mapping
        Name by label.
    option : str
        Begins the text of an error.

    Returns
    -------
    list of (left, right)
        Names.

    Raises
    ------
    ConfigurationError
        No ``=``, or no such region.

    Examples
    --------
    >>> read_pairs("left insula=right insula, 3=4", {1: "left insula", 2: "right insula", 3: "a", 4: "b"})
    [('left insula', 'right insula'), ('a', 'b')]
    """
    pairs = []
    for entry in text.split(","):
        left, separator, right = entry.partition("=")
        if not separator:
            raise ConfigurationError(f"{option}: expected LEFT=RIGHT, got {entry!r}")
        pairs.append((_region(left.strip(), names, option), _region(right.strip(), names, option)))
    return pairs


def _region(word: str, names: Mapping[int, str], option: str) -> str:
    if word in names.values():
        return word
    if word.isdecimal() and int(word) in names:
        return names[int(word)]
    known = ", ".join(f"{label} {name}" for label, name in list(names.items())[:12])
    raise ConfigurationError(f"{option}: no region {word!r}; the image has {known}{', ...' if len(names) > 12 else ''}")
