"""Errors of messages, headers, streams and configuration.

::

    PerflineError                          perfline.recon.errors
    +-- InputError (ValueError)
    |   +-- ScanHeaderError                the MRD header can't be used; stops the scan at its start
    |   |   +-- MissingParameterError (LookupError)   a value is nowhere to be found
    |   |   +-- TimeUnitError              a time that can't be in seconds
    |   +-- ReadoutError                   one readout is bad; it is dropped and counted
    |   +-- ConfigurationError             chain XML, protocol TOML, command line
    +-- StreamError (ConnectionError)      the peer broke the protocol
    |   +-- TruncatedStreamError (EOFError)     the stream or file ended inside a message
    +-- ScanError (RuntimeError)           the scan as a whole can't give what was asked for
    +-- OutputError (OSError)              a result can't be written to disk
"""

from perfline.recon.errors import InputError, PerflineError

__all__ = [
    "ConfigurationError",
    "MissingParameterError",
    "OutputError",
    "ReadoutError",
    "ScanError",
    "ScanHeaderError",
    "StreamError",
    "TimeUnitError",
    "TruncatedStreamError",
]


class ScanHeaderError(InputError):
    """The MRD header can't be used: the scan stops before its first readout."""


class MissingParameterError(ScanHeaderError, LookupError):
    """A needed value is neither in the sidecar, nor in the header, and has no default."""


class TimeUnitError(ScanHeaderError):
    """A time is implausibly long: it was surely not given in seconds."""


class ReadoutError(InputError):
    """One readout is bad: it is dropped, counted and reported; the scan goes on."""


class ConfigurationError(InputError):
    """A chain, a protocol or an option can't be used."""


class StreamError(PerflineError, ConnectionError):
    """The peer sent something that the protocol doesn't allow."""


class TruncatedStreamError(StreamError, EOFError):
    """The stream or file ended in the middle of a message."""


class ScanError(PerflineError, RuntimeError):
    """The scan as a whole can't give what was asked for."""


class OutputError(PerflineError, OSError):
    """A result can't be written: folder not writable, disk full, file already there."""
