"""Waveforms of a scan (pulse, breathing, triggers) in numbers."""

from dataclasses import dataclass

__all__ = ["WaveformStatistics"]


@dataclass(frozen=True)
class WaveformStatistics:
    """Waveforms of one ``waveform_id``: number of messages, samples of each channel, and their duration [s]."""

    n: int
    n_samples: int
    seconds: float
