"""Meta attributes of MRD images: a small XML document of names and values.

The document is written in ASCII (anything else as character references): one of the readers in use decodes it strictly
as ASCII. Empty values are left out, because a server in between turns them into the word ``None``.
"""

import re
from collections.abc import Mapping, Sequence

import numpy as np

from perfline.gadgets.mrd.safe_xml import parse_xml
from perfline.recon.errors import InputError

__all__ = ["MetaValue", "decode_meta", "encode_meta"]

MetaValue = str | int | float | bool | Sequence[str] | Sequence[int] | Sequence[float]

_HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n<ismrmrdMeta>'
_ILLEGAL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "\r": "&#13;"})


def encode_meta(meta: Mapping[str, MetaValue]) -> bytes:
    """Write meta attributes as XML.

    Parameters
    ----------
    meta : mapping
        A value is text, a number, a truth value (``true`` / ``false``), or a sequence of these.

    Returns
    -------
    bytes
        ASCII. Empty for empty meta.

    Raises
    ------
    InputError
        A name is empty, or a text holds a character that XML does not allow.

    Examples
    --------
    >>> encode_meta({"DataRole": ["Image", "Quantitative"], "note": "a<b"}).split(b"\\n")[1][13:]
    b'<meta><name>DataRole</name><value>Image</value><value>Quantitative</value></meta><meta><name>note</name><value>a&lt;b</value></meta></ismrmrdMeta>'
    """
    parts = [_HEAD]
    for name, value in meta.items():
        values = [value] if isinstance(value, (str, int, float, np.number, np.bool_)) else list(value)
        texts = [text for text in (_text_of(one) for one in values) if text]
        if not name:
            raise InputError("meta: expected a name for each value, got an empty one")
        if texts:
            body = "".join(f"<value>{_escape(name, text)}</value>" for text in texts)
            parts.append(f"<meta><name>{_escape(name, name)}</name>{body}</meta>")
    if len(parts) == 1:
        return b""
    parts.append("</ismrmrdMeta>")
    return "".join(parts).encode("ascii", "xmlcharrefreplace")


def decode_meta(attributes: bytes) -> dict[str, str | list[str]]:
    """Read meta attributes.

    Parameters
    ----------
    attributes : bytes
        As they stand in an image message; trailing zeros are ignored.

    Returns
    -------
    dict
        Text, or a list where a name has several values.

    Raises
    ------
    InputError
        The text isn't XML, or not an ``ismrmrdMeta`` document.
    """
    attributes = attributes.rstrip(b"\0")
    if not attributes.strip():
        return {}
    root = parse_xml(attributes, "image meta")
    if root.tag != "ismrmrdMeta":
        raise InputError(f"image meta: expected an ismrmrdMeta document, got {root.tag}")
    found: dict[str, list[str]] = {}
    for entry in root:
        names = [child.text or "" for child in entry if child.tag == "name"]
        values = [child.text or "" for child in entry if child.tag == "value"]
        if names and names[0]:
            found.setdefault(names[0], []).extend(values)
    return {name: values[0] if len(values) == 1 else values for name, values in found.items()}


def _text_of(value: object) -> str:
    if isinstance(value, (bool, np.bool_)):
        return "true" if value else "false"
    if isinstance(value, np.generic):
        value = value.item()
    return value if isinstance(value, str) else repr(value)


def _escape(name: str, text: str) -> str:
    if _ILLEGAL.search(text):
        raise InputError(f"meta {name}: expected text without control characters, got {text!r}")
    return text.translate(_ESCAPES)
