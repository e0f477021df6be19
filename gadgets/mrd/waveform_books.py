"""How many waveforms of which kind came with a scan, and how long they last."""

import struct
from dataclasses import dataclass, field
from typing import Final

from perfline.gadgets.mrd.convert import seconds_from_microseconds
from perfline.gadgets.mrd.messages import Waveform
from perfline.gadgets.summary import WaveformStatistics

__all__ = ["WaveformBooks"]

# number_of_samples, sample_time_us, waveform_id
_FIELDS: Final = struct.Struct("<28xH2xfH2x")


@dataclass
class WaveformBooks:
    """Counts waveforms by ``waveform_id``.

    Examples
    --------
    >>> import numpy as np
    >>> books = WaveformBooks()
    >>> head = _FIELDS.pack(100, 2500.0, 4)
    >>> books.add(Waveform(head, np.zeros((1, 100), np.uint32)))
    >>> books.by_id
    {4: WaveformStatistics(n=1, n_samples=100, seconds=0.25)}
    """

    by_id: dict[int, WaveformStatistics] = field(default_factory=dict)

    def add(self, waveform: Waveform) -> None:
        """Count one message."""
        n_samples, sample_time_us, ident = _FIELDS.unpack(waveform.head)
        former = self.by_id.get(ident, WaveformStatistics(0, 0, 0.0))
        seconds = n_samples * seconds_from_microseconds(sample_time_us)
        self.by_id[ident] = WaveformStatistics(former.n + 1, former.n_samples + n_samples, former.seconds + seconds)

    @property
    def n(self) -> int:
        """Messages of all kinds."""
        return sum(one.n for one in self.by_id.values())
