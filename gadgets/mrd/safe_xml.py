"""XML that comes from outside, parsed with care."""

import xml.etree.ElementTree as ElementTree

from perfline.recon.errors import InputError

__all__ = ["parse_xml"]


def parse_xml(document: bytes, what: str) -> ElementTree.Element:
    """Parse XML from a stranger: no document type, hence no entities to expand; namespaces are taken off.

    Parameters
    ----------
    document : bytes
    what : str
        Its name in error messages.

    Returns
    -------
    Element
        Tags without namespace: files in use differ in it, or lack it.

    Raises
    ------
    InputError
        Not XML, or it declares a document type or entities.
    """
    # zeros inside would mean UTF-16 or UTF-32, which could hide a declaration from the search below
    if b"\0" in document:
        raise InputError(f"{what}: expected XML in UTF-8, got zero bytes")
    if b"<!DOCTYPE" in document or b"<!ENTITY" in document:
        raise InputError(f"{what}: a document type or entity declaration isn't allowed")
    try:
        root = ElementTree.fromstring(document)
    except (ElementTree.ParseError, LookupError, ValueError) as error:
        raise InputError(f"{what}: not XML ({error}), it begins with {document[:60]!r}") from error
    for element in root.iter():
        element.tag = element.tag.rsplit("}", 1)[-1]
    return root
