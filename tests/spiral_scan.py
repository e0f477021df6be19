"""A small spiral scan as messages: an ellipse in two coils, several repetitions, each readout with its trajectory."""

from functools import cache

import numpy as np
from mrd_headers import header_xml

from perfline.gadgets.mrd.layout import ACQUISITION_HEADER, AcquisitionFlag
from perfline.gadgets.mrd.messages import Acquisition
from perfline.gadgets.stage_data import HargreavesParameters
from perfline.gadgets.stages.header_design import header_design
from perfline.recon.phantom.ellipsoids import Ellipse, ellipse_kspace

__all__ = ["DESCRIPTION", "DESIGN", "ELLIPSE", "N_LINES", "N_X", "N_Y", "PIXEL", "arm", "readout", "spiral_scan_xml"]

N_Y, N_X, PIXEL, N_LINES = 40, 48, 5.0, 4
ELLIPSE = Ellipse(40, -15, 30, 20, 0.3)
DESIGN = header_design(HargreavesParameters(N_LINES, (24.0,), 3.0, 12000.0, 4e-6, 0.99))
DESCRIPTION = {"interleaves": N_LINES, "FOVCoeff_1_cm": 24.0, "krmax_per_cm": 0.99}
"""The changes of `hargreaves` that describe `DESIGN`."""


def spiral_scan_xml(n_repetitions=1, *, description="", trajectory="spiral", n_lines=N_LINES) -> bytes:
    """Header of the scan; without `description` its trajectories are normalized."""
    sizes = {"encoded": (N_X, N_Y, 1), "recon": (N_X, N_Y, 1)}
    extent = (N_X * PIXEL, N_Y * PIXEL, 5.0)
    limits = {"kspace_encoding_step_1": (0, n_lines - 1, 0), "repetition": (0, n_repetitions - 1, 0)}
    return header_xml(
        trajectory=trajectory,
        description=description,
        limits=limits,
        encoded_fov=extent,
        recon_fov=extent,
        **sizes,
    ).replace(b"<receiverChannels>4", b"<receiverChannels>2")


@cache
def arm(line: int, turn: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Trajectory of an interleaf, turned, in MRD's normalized form (n_samples, (x, y)), and what it samples."""
    y, x = DESIGN.trajectory[line].T / 1000
    k = np.stack([x * np.sin(turn) + y * np.cos(turn), x * np.cos(turn) - y * np.sin(turn)], axis=1)
    samples = ellipse_kspace(ELLIPSE, k[:, 0], k[:, 1])
    return np.ascontiguousarray((k * PIXEL)[:, ::-1], np.float32), np.stack([samples, 2 * samples]).astype(np.complex64)


def readout(line, repetition=0, *, trajectory="own", turn=0.0, data=None, flags=(), **fields) -> Acquisition:
    """One readout; `trajectory` is an array (n_samples, n_axes), ``own``, or None."""
    own, samples = arm(line, turn)
    samples = samples if data is None else data
    if trajectory is None:
        own = np.empty((samples.shape[1], 0), np.float32)
    elif not isinstance(trajectory, str):
        own = np.ascontiguousarray(trajectory, np.float32)
    head = np.zeros(1, ACQUISITION_HEADER)
    head["version"] = 1
    head["active_channels"], head["number_of_samples"] = samples.shape
    head["available_channels"] = samples.shape[0]
    head["trajectory_dimensions"], head["sample_time_us"] = own.shape[1], 4.0
    head["read_dir"], head["phase_dir"], head["slice_dir"] = np.eye(3)
    head["idx"]["kspace_encode_step_1"], head["idx"]["repetition"] = line, repetition
    for flag in flags:
        head["flags"] |= np.uint64(AcquisitionFlag[flag].mask)
    for name, value in fields.items():
        (head["idx"] if name in head["idx"].dtype.names else head)[name] = value
    return Acquisition(head.tobytes(), own, np.ascontiguousarray(samples))
