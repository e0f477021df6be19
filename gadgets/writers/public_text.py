"""Texts that may be kept where nobody's name belongs: what a stranger may have put into them is taken out.

Messages of this project quote what they were sent; that may be the name of a chain, a file or a person. What is quoted,
what follows "got", paths, long numbers, and every word of the header that tells who was scanned, where and by whom, is
replaced by three dots.
"""

import re
from collections.abc import Iterator
from typing import Final
from xml.etree.ElementTree import Element

from perfline.gadgets.mrd.safe_xml import parse_xml
from perfline.recon.errors import InputError

__all__ = ["PublicText"]

_LEFT_OUT: Final = "..."

_STRANGE: Final = re.compile(
    r"""b?'(?:[^'\\]|\\.)*' | b?"(?:[^"\\]|\\.)*"            # what is quoted
    | (?<=reports[ ]an[ ]error:[ ]).* | (?<=not[ ]used:[ ]).*  # words of the peer
    | (?<=\bgot[ ])(?![-+.\d(\[]|none\b|nan\b|inf\b)[^;]*     # values, but numbers and shapes
    | <[^<>]*>                                             # elements of XML
    | (?<![\w/])~?\.{0,2}/\S* | (?!mL/)\b\w\S*/\S*/\S*      # paths, files
    | \S+\.(?:nii|gz|json|tsv|h5|hdf5|npz|seq|toml|dcm|mrdstream)\b
    | (?<![\w.])\d{6,}(?![\w.]*\d) | \d{4}-\d\d-\d\d""",  # numbers of people and things, dates
    re.VERBOSE | re.DOTALL,
)

_OF_PERSONS: Final = (
    "subjectInformation",
    "studyInformation",
    "measurementInformation",
    "acquisitionSystemInformation",
)

_OF_MACHINES: Final = frozenset(
    {
        "patientPosition",
        "systemVendor",
        "systemModel",
        "systemFieldStrength_T",
        "relativeReceiverNoiseBandwidth",
        "receiverChannels",
        "coilLabel",
    }
)

_WORD: Final = re.compile(r"\w{3,}")


class PublicText:
    """Takes out of a text what may tell a person, a place or a file.

    Parameters
    ----------
    header : bytes
        The MRD header, whose words on subject, study, measurement and scanner may stand in no text; empty where none
        is known.

    Examples
    --------
    >>> public = PublicText(b"<h><subjectInformation><patientName>Doe^Jane</patientName></subjectInformation></h>")
    >>> public("chain: no installed chain 'jane'; installed: epi")
    'chain: no installed chain ...; installed: epi'
    >>> public("set: expected 0 or 1, got 2 (doe)")
    'set: expected 0 or 1, got 2 (...)'
    """

    def __init__(self, header: bytes = b"") -> None:
        words = sorted(_words_of(header), key=len, reverse=True)
        # whole words, but for underscores
        either = "|".join(map(re.escape, words))
        self._words = re.compile(rf"(?<![^\W_])(?:{either})(?![^\W_])", re.IGNORECASE) if words else None

    def __call__(self, text: str) -> str:
        """Return the text without them, on one line."""
        public = _STRANGE.sub(_LEFT_OUT, " ".join(text.split()))
        return public if self._words is None else self._words.sub(_LEFT_OUT, public)


def _words_of(header: bytes) -> set[str]:
    if not header:
        return set()
    try:
        root = parse_xml(header, "MRD header")
    except InputError:
        return set()
    texts = (text for section in _OF_PERSONS for found in root.iter(section) for text in _texts_of(found))
    return {word for text in texts for word in _WORD.findall(text.replace("_", " "))}


def _texts_of(element: Element) -> Iterator[str]:
    if element.tag in _OF_MACHINES:
        return
    yield element.text or ""
    for child in element:
        yield from _texts_of(child)
