"""Long lists in short: ``m0scan,(label,control)*48``."""

import re
from typing import Final

from perfline.gadgets.errors import ConfigurationError

__all__ = ["read_repeated_list"]

_TOKENS: Final = re.compile(r"[(),*]|[^(),*\s]+")
_LONGEST: Final = 100_000
"""Entries; a mistyped count must not fill the memory."""


def read_repeated_list(text: str, what: str) -> tuple[str, ...]:
    """Write a list out.

    Parameters
    ----------
    text : str
        Words with commas between them; a word or a list in brackets may have ``*`` and a count behind it.
    what : str
        Begins the text of an error.

    Returns
    -------
    tuple of str

    Raises
    ------
    ConfigurationError
        A bracket, a comma or a count is out of place, or the list has more than 100000 entries.

    Examples
    --------
    >>> read_repeated_list("m0scan,(label,control)*2", "--aslcontext")
    ('m0scan', 'label', 'control', 'label', 'control')
    >>> read_repeated_list("0, (0.5*2, 1.0*2)*2", "--define")
    ('0', '0.5', '0.5', '1.0', '1.0', '0.5', '0.5', '1.0', '1.0')
    """
    tokens = _TOKENS.findall(text)
    entries = _read_terms(tokens, text, what)
    if tokens:
        raise _bad(text, what, f"{tokens[0]!r} is out of place")
    return tuple(entries)


def _read_terms(tokens: list[str], text: str, what: str) -> list[str]:
    """Terms up to a closing bracket or the end; takes them from the tokens."""
    entries: list[str] = []
    while True:
        entries += _read_term(tokens, text, what)
        if len(entries) > _LONGEST:
            raise _bad(text, what, f"more than {_LONGEST} entries")
        if not tokens or tokens[0] != ",":
            return entries
        tokens.pop(0)


def _read_term(tokens: list[str], text: str, what: str) -> list[str]:
    """One word or bracket, with its count."""
    if not tokens or tokens[0] in "),*":
        raise _bad(text, what, f"a word or a bracket is missing{f' before {tokens[0]!r}' if tokens else ' at the end'}")
    token = tokens.pop(0)
    if token == "(":
        entries = _read_terms(tokens, text, what)
        if not tokens or tokens.pop(0) != ")":
            raise _bad(text, what, "a bracket is not closed")
    else:
        entries = [token]
    if not tokens or tokens[0] != "*":
        return entries
    tokens.pop(0)
    count = tokens.pop(0) if tokens else ""
    if not count.isdecimal() or int(count) < 1:
        raise _bad(text, what, f"expected a count after *, got {count or 'nothing'!r}")
    if int(count) * len(entries) > _LONGEST:
        raise _bad(text, what, f"more than {_LONGEST} entries")
    return entries * int(count)


def _bad(text: str, what: str, reason: str) -> ConfigurationError:
    return ConfigurationError(f"{what}: {text!r}: {reason}; expected a list like m0scan,(label,control)*48")
