"""From the raw lines of an EPI slice to its image in one pass, planned once per scan."""

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from perfline.recon.checks import check_finite, check_positive, check_shape
from perfline.recon.coils.combination import apply_weights
from perfline.recon.epi import plan_kernels
from perfline.recon.epi.ghost_phase import GhostPhase
from perfline.recon.epi.line_lanes import BLOCK
from perfline.recon.epi.phase_encoding import make_phase_operator
from perfline.recon.epi.plan_kernels import Lines, SliceBuffers
from perfline.recon.epi.ramp import ReadoutOperator
from perfline.recon.epi.readout_tables import make_readout_tables
from perfline.recon.errors import InputError
from perfline.recon.fourier import centred_positions
from perfline.recon.lanes.fft import LANE_SIZES, FftTables, LaneFft
from perfline.recon.lanes.vector import CELL, LANES, aligned_zeros, lanes_available
from perfline.recon.parameters import ImageAxis

__all__ = ["EpiPathName", "EpiPlan", "PlannedWeights"]

EpiPathName = Literal["auto", "wide", "portable"]
_STAGGER = LANES
"""Floats added to a column, so that the cells of a line don't all fall into the same few sets of the cache."""
_WHOLE = 1e-6
"""Pixels: a size that comes from products of header values is whole up to this."""

# to type checkers a compiled function takes no starred arguments
_combined_images: Any = plan_kernels.combined_images
_combined_images_parallel: Any = plan_kernels.combined_images_parallel
_coil_images: Any = plan_kernels.coil_images


class PlannedWeights(NamedTuple):
    """Combination weights of all slices as the path of a plan reads them (`EpiPlan.plan_weights`)."""

    n_slices: int
    n_coils: int
    values: NDArray[Any]


class EpiPlan:
    """Reconstruct slices that share readout, lines and polarities.

    Parameters
    ----------
    readout : ReadoutOperator
        Of `make_readout_operator`.
    n_coils : int
    line_numbers : int array (n_lines,)
        Number of each acquired line (``kspace_encode_step_1``), in the order of the lines' array; those that were not
        acquired count as zero.
    is_reversed : bool array (n_lines,)
        Polarity of each line.
    center_line : int
        The number of the line at k = 0.
    axis : ImageAxis
        The phase direction.
    shift : float
        Where the centre of the reconstructed field of view lies on the encoded one, along y [mm].
    shots : int array (n_lines,), optional
        Which ghost phase corrects a line. Default: 0 for all.
    n_threads : int
        Threads of a call with several slices.
    path : {"auto", "wide", "portable"}
        The wide path needs a processor with vector registers and at least 8 samples and pixels along x; "auto" takes it
        where it applies and else matrix products. Both give the same numbers within single-precision rounding.

    Raises
    ------
    InputError
        Wrong shapes, a line outside the encoded k-space or twice, or the wide path is demanded where it does not apply.

    Notes
    -----
    With the matrices R of `make_readout_operator` (of the line's polarity) and F of `make_phase_operator`, the phase
    phi of the line's shot and its sign (+ forward, - reversed), as in `apply_ghost_phase`:
    ``d_c(y, x) = sum_l F(y, l) exp(+-i phi_l(x) / 2) sum_j raw(l, c, j) R(j, x)``, and the image is ``sum_c w_c d_c``.

    Whitening is linear in the coils, too: with the matrix W of `whitening_matrix` and the weights w of whitened coils
    give ``W^T w`` (``np.einsum("dc,dyx->cyx", W, w)``), and no sample needs to be whitened.

    The wide path multiplies by the dense readout operator, folded by its symmetries (`readout_tables`), and transforms
    along y by the fast transform of the lanes where its length (encoded field of view over voxel size) is one of
    `LANE_SIZES`, else by the dense matrix.

    The plan holds the buffers of a call and serves one caller at a time.

    Examples
    --------
    >>> from perfline.recon.epi.ramp import make_readout_operator
    >>> axis = ImageAxis(16, 200.0, 16, 200.0)
    >>> readout = make_readout_operator(centred_positions(16), axis)
    >>> plan = EpiPlan(readout, 1, range(16), np.arange(16) % 2 == 1, 8, axis)
    >>> raw = np.zeros((16, 1, 16), np.complex64)
    >>> raw[8, 0, 8] = 16
    >>> image = plan.image(raw, [GhostPhase()], plan.plan_weights(np.ones((1, 1, 16, 16), np.complex64)))
    >>> bool(np.allclose(image, 1, atol=1e-6))
    True
    """

    def __init__(
        self,
        readout: ReadoutOperator,
        n_coils: int,
        line_numbers: ArrayLike,
        is_reversed: ArrayLike,
        center_line: int,
        axis: ImageAxis,
        *,
        shift: float = 0.0,
        shots: ArrayLike | None = None,
        n_threads: int = 1,
        path: EpiPathName = "auto",
    ) -> None:
        check_positive("n_coils", n_coils)
        check_positive("n_threads", n_threads)
        self.n_coils, self.n_threads = int(n_coils), int(n_threads)
        self._readout = readout
        self._operator = make_phase_operator(line_numbers, center_line, axis, shift=shift)
        self.n_y, self.n_lines = self._operator.shape
        self.n_samples, self.n_x = readout.forward.shape
        self._is_reversed = np.array(is_reversed, np.bool_)
        check_shape("is_reversed", self._is_reversed, (self.n_lines,))
        self._shots = np.zeros(self.n_lines, np.int64) if shots is None else np.array(shots, np.int64)
        check_shape("shots", self._shots, (self.n_lines,))
        if self._shots.min() < 0:
            raise InputError(f"shots: expected 0 or more, got {self._shots.min()}")
        self.n_shots = int(self._shots.max()) + 1
        if path not in ("auto", "wide", "portable"):
            raise InputError(f"path: expected auto, wide or portable, got {path!r}")
        is_possible = lanes_available() and min(self.n_samples, self.n_x) >= BLOCK
        if path == "wide" and not is_possible:
            raise InputError(
                f"path: the wide path does not apply to {self.n_samples} samples and {self.n_x} pixels on this"
                " processor"
            )
        self.path_name: Literal["wide", "portable"] = "wide" if is_possible and path != "portable" else "portable"
        if self.path_name == "wide":
            k = np.asarray(line_numbers).astype(np.int64) - int(center_line)
            self._make_tables(k, axis, shift)

    def _make_tables(self, k: NDArray[np.int64], axis: ImageAxis, shift: float) -> None:
        """Tables and buffers of the kernels."""
        self._readout_tables = make_readout_tables(self._readout)
        size = axis.field_of_view_encoded / axis.voxel_size
        n_grid = round(size)
        is_fast = abs(size - n_grid) < _WHOLE * size and n_grid in LANE_SIZES and self.n_y <= n_grid
        self._fft: FftTables = _transform(axis, n_grid, self.n_y) if is_fast else _transform(axis, LANE_SIZES[0], 1)
        phases = np.exp(2j * np.pi * k * shift / axis.field_of_view_encoded) if is_fast else np.ones(k.size)
        # a line beyond the Nyquist limit of a coarse matrix is a column of zeros
        cells = np.where(self._operator.any(axis=0), k % n_grid, -1) if is_fast else np.arange(k.size)
        n_cells = n_grid if is_fast else k.size
        stride = n_cells * CELL + _STAGGER
        self._lines = Lines(
            self.n_coils,
            self.n_x,
            self.n_y,
            n_cells,
            stride,
            cells.astype(np.int64),
            self._is_reversed,
            self._shots,
            phases.astype(np.complex64).view(np.float32),
            np.empty(0, np.float32) if is_fast else self._operator.reshape(-1).view(np.float32),
        )
        n = self.n_threads
        self._buffers = SliceBuffers(
            aligned_zeros(n, (self.n_samples + 1) * CELL),
            aligned_zeros(n, (self.n_x + 1) * stride),
            aligned_zeros(n, self.n_y * CELL),
            aligned_zeros(n, max(n_cells, LANE_SIZES[0]) * CELL),
            aligned_zeros(n, self.n_lines * (self.n_x + 1) * 2),
            np.zeros((n, LANES), np.int64),
            np.arange(LANES, dtype=np.int64) * LANES,
        )

    def plan_weights(self, weights: NDArray[np.complex64]) -> PlannedWeights:
        """Bring the weights of all slices into the order in which the images read them.

        Parameters
        ----------
        weights : complex64 array (n_slices, n_coils, n_y, n_x)
            Of `combination_weights`; the whitening matrix may be folded in (Notes of the class).

        Returns
        -------
        PlannedWeights

        Raises
        ------
        InputError
            Wrong shape or type.
        """
        check_shape("weights", weights, ("n_slices", self.n_coils, self.n_y, self.n_x))
        if weights.dtype != np.complex64:
            raise InputError(f"weights: expected complex64, got {weights.dtype}")
        if self.path_name == "portable":
            return PlannedWeights(len(weights), self.n_coils, np.ascontiguousarray(weights))
        n_units = -(-self.n_coils // LANES)
        values = aligned_zeros(len(weights), n_units, self.n_x, self.n_y, 2, LANES)
        for unit in range(n_units):
            of_unit = weights[:, unit * LANES : (unit + 1) * LANES].transpose(0, 3, 2, 1)
            values[:, unit, :, :, 0, : of_unit.shape[-1]] = of_unit.real
            values[:, unit, :, :, 1, : of_unit.shape[-1]] = of_unit.imag
        return PlannedWeights(len(weights), self.n_coils, values)

    def image(
        self,
        raw: NDArray[np.complex64],
        ghost: Sequence[GhostPhase],
        weights: PlannedWeights,
        slice_: int = 0,
        out: NDArray[np.complex64] | None = None,
    ) -> NDArray[np.complex64]:
        """Reconstruct one slice, on the caller's thread.

        Parameters
        ----------
        raw : complex64 array (n_lines, n_coils, n_samples)
            In time order, not whitened.
        ghost : sequence of GhostPhase
            One per shot.
        weights : PlannedWeights
            Of this plan.
        slice_ : int
            Which of the weights.
        out : complex64 array (n_y, n_x), optional
            C-contiguous; overwritten.

        Returns
        -------
        complex64 array (n_y, n_x)
            `out` where given.

        Raises
        ------
        InputError
            Wrong shape, type or layout.
        """
        self._check_weights(weights)
        if not 0 <= slice_ < weights.n_slices:
            raise InputError(f"slice_: expected 0 to {weights.n_slices - 1}, got {slice_}")
        source, phases = self._check_raw(raw, (self.n_lines,)), self._ghost_table([ghost], 1)
        image = _output(out, (self.n_y, self.n_x))
        if self.path_name == "portable":
            apply_weights(self._products(raw, ghost), weights.values[slice_], image)
            return image
        values = weights.values.reshape(-1)
        begin = slice_ * (values.size // weights.n_slices)
        target = image.reshape(-1).view(np.float32)
        _combined_images(0, 1, 0, source, phases, values, begin, *self._tables, target)
        return image

    def images(
        self,
        raw: NDArray[np.complex64],
        ghost: Sequence[Sequence[GhostPhase]],
        weights: PlannedWeights,
        out: NDArray[np.complex64] | None = None,
    ) -> NDArray[np.complex64]:
        """Reconstruct a volume, slices spread over the threads.

        Parameters
        ----------
        raw : complex64 array (n_slices, n_lines, n_coils, n_samples)
        ghost : sequence of sequence of GhostPhase
            Per slice, one per shot.
        weights : PlannedWeights
            Of as many slices.
        out : complex64 array (n_slices, n_y, n_x), optional
            C-contiguous; overwritten.

        Returns
        -------
        complex64 array (n_slices, n_y, n_x)
            `out` where given.

        Raises
        ------
        InputError
            Wrong shape, type or layout.
        """
        self._check_weights(weights)
        source = self._check_raw(raw, (weights.n_slices, self.n_lines))
        phases = self._ghost_table(ghost, weights.n_slices)
        images = _output(out, (weights.n_slices, self.n_y, self.n_x))
        if self.path_name == "portable":
            for index in range(weights.n_slices):
                apply_weights(self._products(raw[index], ghost[index]), weights.values[index], images[index])
            return images
        target, values = images.reshape(-1).view(np.float32), weights.values.reshape(-1)
        _combined_images_parallel(self.n_threads, weights.n_slices, source, phases, values, *self._tables, target)
        return images

    def coil_images(
        self, raw: NDArray[np.complex64], ghost: Sequence[GhostPhase], out: NDArray[np.complex64] | None = None
    ) -> NDArray[np.complex64]:
        """Images of all coils of one slice, for the estimation of maps.

        Parameters
        ----------
        raw : complex64 array (n_lines, n_coils, n_samples)
        ghost : sequence of GhostPhase
            One per shot.
        out : complex64 array (n_coils, n_y, n_x), optional
            C-contiguous; overwritten.

        Returns
        -------
        complex64 array (n_coils, n_y, n_x)
            `out` where given.

        Raises
        ------
        InputError
            Wrong shape, type or layout.
        """
        source, phases = self._check_raw(raw, (self.n_lines,)), self._ghost_table([ghost], 1)
        images = _output(out, (self.n_coils, self.n_y, self.n_x))
        if self.path_name == "portable":
            images[:] = self._products(raw, ghost)
            return images
        pixels = aligned_zeros(self.n_y * self.n_x * CELL)
        _coil_images(source, phases, *self._tables, pixels, images.reshape(-1).view(np.float32))
        return images

    @property
    def _tables(self) -> tuple[Any, ...]:
        return self._lines, self._readout_tables, self._fft, self._buffers

    def _products(self, raw: NDArray[np.complex64], ghost: Sequence[GhostPhase]) -> NDArray[np.complex64]:
        """Portable: coil images by matrix products."""
        lines = np.empty((self.n_lines, self.n_coils, self.n_x), np.complex64)
        phasors = np.exp(0.5j * np.stack([phase.at(self.n_x) for phase in ghost])).astype(np.complex64)[self._shots]
        for polarity, matrix in ((False, self._readout.forward), (True, self._readout.reversed)):
            chosen = self._is_reversed == polarity
            phasor = phasors[chosen].conj() if polarity else phasors[chosen]
            lines[chosen] = (raw[chosen] @ matrix) * phasor[:, None, :]
        return np.matmul(self._operator, lines.transpose(1, 0, 2))

    def _check_raw(self, raw: NDArray[np.complex64], leading: tuple[int, ...]) -> NDArray[np.float32]:
        """Flat raw data as pairs of floats."""
        check_shape("raw", raw, (*leading, self.n_coils, self.n_samples))
        # another type or layout would be compiled anew in the middle of a scan
        if raw.dtype != np.complex64 or not raw.flags.c_contiguous or not raw.flags.writeable:
            raise InputError(f"raw: expected writeable C-contiguous complex64, got {raw.dtype}, {raw.strides}")
        return raw.reshape(-1).view(np.float32)

    def _check_weights(self, weights: PlannedWeights) -> None:
        n_units = -(-self.n_coils // LANES)
        is_wide = self.path_name == "wide"
        shape = (n_units, self.n_x, self.n_y, 2, LANES) if is_wide else (self.n_coils, self.n_y, self.n_x)
        if weights.n_coils != self.n_coils or weights.values.shape[1:] != shape:
            raise InputError("weights: expected those of this plan (plan_weights), got another plan's")

    def _ghost_table(self, ghost: Sequence[Sequence[GhostPhase]], n_slices: int) -> NDArray[np.float64]:
        """Constant and slope of each slice and shot, flat."""
        got = [len(of_slice) for of_slice in ghost]
        if got != [self.n_shots] * n_slices:
            raise InputError(f"ghost: expected {self.n_shots} phases for each of {n_slices} slices, got {got}")
        table = np.array([(phase.constant, phase.slope) for of_slice in ghost for phase in of_slice])
        check_finite("ghost", table)
        return table.reshape(-1)


def _transform(axis: ImageAxis, n_grid: int, n_y: int) -> FftTables:
    """The fast transform along y, or a stand-in where none is used."""
    bins = centred_positions(n_y).astype(np.int64) % n_grid
    return LaneFft(n_grid, bins, np.full(n_y, axis.n_encoded**-0.5, np.float32)).tables


def _output(out: NDArray[np.complex64] | None, shape: tuple[int, ...]) -> NDArray[np.complex64]:
    """The array to write to."""
    if out is None:
        return np.empty(shape, np.complex64)
    check_shape("out", out, shape)
    if out.dtype != np.complex64 or not out.flags.c_contiguous:
        raise InputError(f"out: expected C-contiguous complex64, got {out.dtype}, {out.strides}")
    return out
