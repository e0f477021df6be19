"""The MRD header as XML, read leniently: values by path, user parameters, encoding limits.

The schema's own parser refuses real files (a user parameter without value, another namespace), so this one looks only
at what is asked for, and its errors name the field.
"""

import json
import xml.etree.ElementTree as ElementTree
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from perfline.gadgets.errors import ScanHeaderError
from perfline.gadgets.mrd.safe_xml import parse_xml
from perfline.gadgets.stage_data import Limits
from perfline.recon.errors import InputError

__all__ = ["MrdHeader"]

# our counter name -> the element's name; both spellings of the encoding steps occur in files
_LIMIT_NAMES = MappingProxyType(
    {
        "line": ("kspace_encoding_step_1", "kspace_encode_step_1"),
        "partition": ("kspace_encoding_step_2", "kspace_encode_step_2"),
        "slice": ("slice",),
        "contrast": ("contrast",),
        "phase": ("phase",),
        "repetition": ("repetition",),
        "set": ("set",),
        "segment": ("segment",),
        "average": ("average",),
    }
)


_NO_JSON = ".GIRF_kernel"
"""Complex numbers, as Gadgetron writes them."""


class MrdHeader:
    """An MRD header.

    Parameters
    ----------
    xml : bytes
        The header as it came.

    Raises
    ------
    ScanHeaderError
        There is no header, it isn't XML, isn't an MRD header, or has no encoding.
    """

    def __init__(self, xml: bytes) -> None:
        xml = xml.rstrip(b"\0")
        if not xml.strip():
            raise ScanHeaderError("MRD header: there is none, or it is empty")
        try:
            root = parse_xml(xml, "MRD header")
        except InputError as error:
            raise ScanHeaderError(str(error)) from error
        if root.tag != "ismrmrdHeader":
            raise ScanHeaderError(f"MRD header: expected an ismrmrdHeader document, got {root.tag}")
        encoding = root.find("encoding")
        if encoding is None:
            raise ScanHeaderError("MRD header: encoding is missing")
        self._root = root
        self._encoding = encoding
        self.warnings: list[str] = []
        """What was odd but could be passed over."""

        self.user_parameters = self._read_parameters(root.find("userParameters"), "userParameters")
        """Name to number, text, or what the JSON in a text stands for."""

        self.trajectory_parameters = self._read_parameters(
            encoding.find("trajectoryDescription"), "encoding.trajectoryDescription"
        )
        """The same for ``trajectoryDescription``."""

    def text(self, path: str) -> str | None:
        """Text of an element such as ``encoding/trajectory``, or None where it is absent or empty."""
        element = self._find(path)
        return (element.text or "").strip() or None if element is not None else None

    def numbers(self, path: str) -> tuple[float, ...]:
        """All numbers under a path, such as the echo times.

        Raises
        ------
        ScanHeaderError
            One isn't a finite number.
        """
        return tuple(
            _number(path, (element.text or "").strip()) for element in self._root.findall(path) if element.text
        )

    def number(self, path: str) -> float | None:
        """Number of an element, or None where it is absent or empty.

        Raises
        ------
        ScanHeaderError
            It isn't a finite number.
        """
        text = self.text(path)
        return None if text is None else _number(path, text)

    def whole(self, path: str) -> int | None:
        """Whole number of an element, or None where it is absent or empty.

        Raises
        ------
        ScanHeaderError
            It isn't a whole number.
        """
        value = self.number(path)
        if value is not None and value != int(value):
            raise ScanHeaderError(f"{_dotted(path)}: expected a whole number, got {value}")
        return None if value is None else int(value)

    def required(self, path: str) -> float:
        """Number of an element that must be there and positive.

        Raises
        ------
        ScanHeaderError
            It is missing, or not a positive number.
        """
        value = self.number(path)
        if value is None:
            raise ScanHeaderError(f"MRD header: {_dotted(path)} is missing")
        if value <= 0:
            raise ScanHeaderError(f"{_dotted(path)}: expected a positive number, got {value:g}")
        return value

    def limits(self, counter: str) -> Limits | None:
        """Encoding limits of one of our counters (``line``, ``slice``, ...), or None where the header has none.

        Raises
        ------
        ScanHeaderError
            A limit is negative, or the maximum below the minimum, or the centre outside.
        """
        for name in _LIMIT_NAMES[counter]:
            path = f"encoding/encodingLimits/{name}"
            if self._find(path) is None:
                continue
            minimum, maximum, center = (self.whole(f"{path}/{part}") or 0 for part in ("minimum", "maximum", "center"))
            if minimum < 0 or maximum < minimum:
                raise ScanHeaderError(f"{_dotted(path)}: expected 0 <= minimum <= maximum, got {minimum} and {maximum}")
            if not 0 <= center <= maximum:
                raise ScanHeaderError(f"{_dotted(path)}.center: expected 0 to {maximum}, got {center}")
            return Limits(minimum, maximum, center)
        return None

    def _find(self, path: str) -> ElementTree.Element | None:
        if path.startswith("encoding/"):
            return self._encoding.find(path.removeprefix("encoding/"))
        return self._root.find(path)

    def _read_parameters(self, parent: ElementTree.Element | None, where: str) -> Mapping[str, Any]:
        found: dict[str, Any] = {}
        for kind in ("userParameterLong", "userParameterDouble", "userParameterString"):
            for element in [] if parent is None else parent.findall(kind):
                name = (element.findtext("name") or "").strip()
                text = (element.findtext("value") or "").strip()
                if not name or not text:
                    self.warnings.append(f"{where}.{kind} {name or '(no name)'} has no {'value' if name else 'name'}")
                elif name in found:
                    self.warnings.append(f"{where}.{name} occurs twice, the first is used")
                elif kind == "userParameterString":
                    found[name] = _value_of_text(f"{where}.{name}", text)
                else:
                    found[name] = _number(f"{where}.{name}", text)
        return MappingProxyType(found)


def _value_of_text(where: str, text: str) -> Any:
    """Lists and objects are JSON; any other text stays text, and so does what has a notation of its own."""
    if text[0] not in "[{" or where.endswith(_NO_JSON):
        return text
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise ScanHeaderError(f"{where}: expected JSON, got {text[:60]!r} ({error})") from error


def _number(path: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not abs(value) < float("inf"):
        raise ScanHeaderError(f"{_dotted(path)}: expected a number, got {text!r}")
    return value


def _dotted(path: str) -> str:
    return path.replace("/", ".")
