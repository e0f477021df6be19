"""XML that comes from outside, parsed with care."""

import xml.etree.ElementTree as ElementTree
from typing import Any

from perfline.recon.errors import InputError

__all__ = ["MAX_DEPTH", "MAX_ELEMENTS", "parse_xml"]

MAX_DEPTH = 64
"""Deepest nesting; MRD headers need 8."""

MAX_ELEMENTS = 1_000_000
"""Most elements of a document; an MRD header with all that scanners put into it has some thousands."""


def parse_xml(document: bytes, what: str) -> ElementTree.Element:
    """Parse XML from a stranger: no document type, hence no entities to expand; namespaces are taken off.

    Parameters
    ----------
    document : bytes
        Its size is limited where it comes from (`WireLimits`).
    what : str
        Its name in error messages.

    Returns
    -------
    Element
        Tags without namespace: files in use differ in it, or lack it.

    Raises
    ------
    InputError
        Not XML, it declares a document type or entities, or it is nested deeper than `MAX_DEPTH` or has more than
        `MAX_ELEMENTS` elements, which is found out before the whole of it has been built.

    Examples
    --------
    >>> parse_xml(b"<a xmlns='urn:x'><b>1</b></a>", "it").findtext("b")
    '1'
    """
    # zeros inside would mean UTF-16 or UTF-32, which could hide a declaration from the search below
    if b"\0" in document:
        raise InputError(f"{what}: expected XML in UTF-8, got zero bytes")
    if b"<!DOCTYPE" in document or b"<!ENTITY" in document:
        raise InputError(f"{what}: a document type or entity declaration isn't allowed")
    parser = ElementTree.XMLParser(target=_BoundedBuilder(what))
    try:
        parser.feed(document)
        root: ElementTree.Element = parser.close()
    except InputError:
        # of the builder: a ValueError too
        raise
    except (ElementTree.ParseError, LookupError, ValueError) as error:
        raise InputError(f"{what}: not XML ({error}), it begins with {document[:60]!r}") from error
    return root


class _BoundedBuilder(ElementTree.TreeBuilder):
    """Builds the tree, without namespaces and up to a depth and a size."""

    def __init__(self, what: str) -> None:
        super().__init__()
        self._what = what
        self._depth = 0
        self._n_elements = 0

    def start(self, tag: Any, attributes: Any, /) -> ElementTree.Element:
        self._depth += 1
        self._n_elements += 1
        if self._depth > MAX_DEPTH:
            raise InputError(f"{self._what}: XML nested deeper than {MAX_DEPTH} elements isn't allowed")
        if self._n_elements > MAX_ELEMENTS:
            raise InputError(f"{self._what}: XML of more than {MAX_ELEMENTS} elements isn't allowed")
        return super().start(tag.rsplit("}", 1)[-1], attributes)

    def end(self, tag: str, /) -> ElementTree.Element:
        self._depth -= 1
        return super().end(tag.rsplit("}", 1)[-1])
