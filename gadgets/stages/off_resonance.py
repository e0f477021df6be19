"""Which off-resonance correction a scan gets: from a map that was given, from its two echoes, or none."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from perfline.gadgets.errors import ConfigurationError, ScanHeaderError
from perfline.gadgets.settings import Settings
from perfline.gadgets.stage_data import FieldMap, ScanHeader
from perfline.gadgets.stages.coil_images import SpiralLayout
from perfline.gadgets.stages.encoded_grid import kept_pixels

__all__ = ["echo_difference", "given_field_maps"]

_ECHOES: Final = 2


def echo_difference(header: ScanHeader) -> float:
    """Time between the first two echoes [s].

    Raises
    ------
    ScanHeaderError
        The header has fewer than two echoes, or the second is not after the first.
    """
    n_contrasts = header.limits["contrast"].count
    if n_contrasts < _ECHOES:
        raise ScanHeaderError(
            f"off_resonance is dual_echo: expected two echoes in encodingLimits.contrast, got {n_contrasts}"
        )
    if len(header.echo_times) < _ECHOES or header.echo_times[1] <= header.echo_times[0]:
        times = ", ".join(f"{1e3 * time:g}" for time in header.echo_times) or "none"
        raise ScanHeaderError(
            f"off_resonance is dual_echo: expected two ascending echo times in sequenceParameters.TE, got {times}"
        )
    return header.echo_times[1] - header.echo_times[0]


def given_field_maps(
    header: ScanHeader, settings: Settings, field_map: FieldMap | None, layout: SpiralLayout
) -> NDArray[np.float32] | None:
    """The map that was given, on the encoded field of view.

    Parameters
    ----------
    header : ScanHeader
    settings : Settings
        Uses ``off_resonance``.
    field_map : FieldMap, optional
    layout : SpiralLayout

    Returns
    -------
    float32 array (n_slices, n_y, n_x) [Hz], of a 3D trajectory (1, n_z, n_y, n_x); None for no correction
        Beyond the image it goes on as at its edge.

    Raises
    ------
    ConfigurationError
        A map is demanded, and none was given.
    ScanHeaderError
        The map has another grid than the images.
    """
    if settings.off_resonance == "field_map" and field_map is None:
        raise ConfigurationError("off_resonance is field_map: expected a file with the map (--field-map), got none")
    if settings.off_resonance not in ("auto", "field_map") or field_map is None:
        return None
    expected = (header.n_slices, header.phase_axis.n_recon, header.readout_axis.n_recon)
    if field_map.frequency.shape != expected:
        raise ScanHeaderError(
            f"{field_map.name}: expected the grid of the images {expected} (slices, y, x),"
            f" got {field_map.frequency.shape}"
        )
    margins = [(0, 0)]
    for name, axis in (("y", header.phase_axis), ("x", header.readout_axis)):
        kept = kept_pixels(name, axis)
        margins.append((kept.start, axis.n_encoded - kept.stop))
    if layout is not SpiralLayout.VOLUME or header.partition_axis is None:
        return np.pad(field_map.frequency, margins, mode="edge").astype(np.float32)
    kept = kept_pixels("z", header.partition_axis)
    margins[0] = (kept.start, header.partition_axis.n_encoded - kept.stop)
    return np.pad(field_map.frequency, margins, mode="edge").astype(np.float32)[None]
