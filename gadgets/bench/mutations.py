"""Valid messages spoilt at random: the raw material of fuzzing."""

import re
import struct
from collections.abc import Callable, Sequence
from random import Random
from typing import Final

__all__ = ["MUTATIONS", "mutated", "mutated_in_step", "mutated_stream", "mutated_text"]

_EXTREMES: Final = {
    2: (0, 1, 0x7FFF, 0x8000, 0xFFFF),
    4: (0, 1, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF),
    8: (0, 1, 0x7FFFFFFFFFFFFFFF, 0xFFFFFFFFFFFFFFFF, 1 << 32),
}
_VALUES: Final = (
    *("", "0", "-1", "1", "1e999", "-1e-320", "nan", "inf", "0x10", "65536", "4294967296", "9" * 40, "1.5", "true"),
    *("[]", "[1, 2]", '["control", "label"]', "{", "null", "\u00e9", "&lt;", "PASL", "Separate", "epi", "1 2"),
)
_VALUE: Final = re.compile(rb"(?<=>)[^<>\s][^<>]*(?=<)|(?<=\")[^\"<>]*(?=\")")
"""Text of an element, or between quotation marks."""

_VERSION_END: Final = 4
_HEADER_END: Final = 342
_SIZE_FIELDS: Final = (range(36, 38), range(40, 42), range(178, 180))
"""Of an acquisition message with its id: number_of_samples, active_channels, trajectory_dimensions."""

_FORMATS: Final = {2: "<H", 4: "<I", 8: "<Q"}


def _flip_bits(data: bytes, random: Random) -> bytes:
    spoilt = bytearray(data)
    for _ in range(random.randint(1, 8)):
        place = random.randrange(len(spoilt))
        spoilt[place] ^= 1 << random.randrange(8)
    return bytes(spoilt)


def _truncate(data: bytes, random: Random) -> bytes:
    return data[: random.randrange(len(data))]


def _write_extreme(data: bytes, random: Random) -> bytes:
    """Put an extreme number where a length may stand, mostly near the front."""
    size = random.choice((2, 4, 8))
    reach = min(len(data), random.choice((16, 64, 400, len(data)))) - size
    place = random.randint(0, max(reach, 0))
    number = struct.pack(_FORMATS[size], random.choice(_EXTREMES[size]))
    return data[:place] + number + data[place + size :]


def _insert(data: bytes, random: Random) -> bytes:
    place = random.randint(0, len(data))
    return data[:place] + random.randbytes(random.randint(1, 16)) + data[place:]


def _remove(data: bytes, random: Random) -> bytes:
    place = random.randrange(len(data))
    return data[:place] + data[place + random.randint(1, 16) :]


def _double(data: bytes, random: Random) -> bytes:
    return data + data


def _repeat_part(data: bytes, random: Random) -> bytes:
    """Double a piece: of XML an element, perhaps with what is around it."""
    start = random.randrange(len(data))
    end = min(len(data), start + random.randint(1, 200))
    return data[:end] + data[start:end] + data[end:]


MUTATIONS: Final[Sequence[Callable[[bytes, Random], bytes]]] = (
    _flip_bits,
    _truncate,
    _write_extreme,
    _write_extreme,
    _insert,
    _remove,
    _double,
    _repeat_part,
)
"""Lengths are tried twice as often as the rest: they are what a parser trusts."""


def mutated(data: bytes, random: Random) -> bytes:
    """Spoil a message in one way, or two.

    Parameters
    ----------
    data : bytes
        Not empty.
    random : Random

    Examples
    --------
    >>> mutated(b"<configuration/>", Random(3)) != b"<configuration/>"
    True
    """
    for _ in range(random.choice((1, 1, 1, 2))):
        if data:
            data = random.choice(MUTATIONS)(data, random)
    return data


def mutated_in_step(acquisition: bytes, random: Random) -> bytes:
    """Flip bits of an acquisition message that leave its size as it is: flags, counters, places, samples.

    Parameters
    ----------
    acquisition : bytes
        With its id.
    random : Random
    """
    spoilt = bytearray(acquisition)
    for _ in range(random.randint(1, 8)):
        # the header is small beside the data, and holds most of what matters
        reach = random.choice((_HEADER_END, len(spoilt)))
        place = random.randrange(_VERSION_END, reach)
        if not any(place in sizes for sizes in _SIZE_FIELDS):
            spoilt[place] ^= 1 << random.randrange(8)
    return bytes(spoilt)


def mutated_text(data: bytes, random: Random) -> bytes:
    """Spoil XML or JSON: mostly values, so that it stays what it is and gets past the parser; else as `mutated`.

    Parameters
    ----------
    data : bytes
    random : Random

    Examples
    --------
    >>> mutated_text(b"<n>3</n>", Random(5))
    b'<n>-1e-320</n>'
    """
    if random.random() < 0.3:
        return mutated(data, random)
    for _ in range(random.randint(1, 4)):
        places = [match.span() for match in _VALUE.finditer(data)]
        if places:
            start, end = random.choice(places)
            data = data[:start] + random.choice(_VALUES).encode() + data[end:]
    return data


def mutated_stream(messages: Sequence[bytes], random: Random, n_mutations: int) -> bytes:
    """Join messages of which some are spoilt, left out, doubled or moved.

    Parameters
    ----------
    messages : sequence of bytes
    random : Random
    n_mutations : int
    """
    parts = list(messages)
    for _ in range(n_mutations):
        place = random.randrange(len(parts))
        how = random.random()
        if how < 0.8:
            parts[place] = mutated(parts[place], random) if parts[place] else b""
        elif how < 0.9:
            parts.insert(place, random.choice(parts))
        else:
            other = random.randrange(len(parts))
            parts[place], parts[other] = parts[other], parts[place]
    return b"".join(parts)
