"""What a stranger may declare: the largest sizes of everything that comes over a stream, in one table.

A size beyond its limit ends the stream with an error before any memory is taken for what was declared.
"""

from dataclasses import dataclass, fields

from perfline.recon.errors import InputError

__all__ = ["WireLimits"]

_MIB = 1 << 20


@dataclass(frozen=True)
class WireLimits:
    """The largest sizes that a peer may declare.

    ========== ======= ================= ==============================================================================
    field      default message ids       what is limited
    ========== ======= ================= ==============================================================================
    config     8 MiB   2                 text of a configuration (names, id 1, have a fixed size of 1024 bytes)
    header     32 MiB  3                 XML of the MRD header
    text       1 MiB   5, 8              a text, an error text
    n_channels 1024    1008, 1022, 1026  channels of a readout, an image, a waveform
    readout    256 MiB 1008              samples and trajectory of one readout
    image      1 GiB   1022              pixels of one image
    meta       16 MiB  1022              meta attributes of one image
    waveform   64 MiB  1026              samples of one waveform
    ========== ======= ================= ==============================================================================

    How deep XML may be nested and how many elements it may have is said by `perfline.gadgets.mrd.safe_xml`.

    Parameters
    ----------
    config, header, text, readout, image, meta, waveform : int
        Bytes.
    n_channels : int

    Raises
    ------
    InputError
        A limit is not positive.
    """

    config: int = 8 * _MIB
    header: int = 32 * _MIB
    text: int = _MIB
    n_channels: int = 1024
    readout: int = 256 * _MIB
    image: int = 1024 * _MIB
    meta: int = 16 * _MIB
    waveform: int = 64 * _MIB

    def __post_init__(self) -> None:
        for field in fields(self):
            limit = getattr(self, field.name)
            if limit <= 0:
                raise InputError(f"limit {field.name}: expected a positive number, got {limit}")
