"""The planned reconstruction of an EPI slice against its sums, on both paths."""

from dataclasses import dataclass, field

import numpy as np
import pytest
from reference.epi_plan import epi_coil_images
from reference.nufft import relative_error
from reference.trajectories import complex_noise

from perfline.recon.coils.combination import apply_weights
from perfline.recon.coils.whitening import whiten
from perfline.recon.epi.ghost_phase import GhostPhase
from perfline.recon.epi.plan import EpiPlan
from perfline.recon.epi.ramp import make_readout_operator, readout_positions
from perfline.recon.errors import InputError
from perfline.recon.fourier import centred_positions, image_to_kspace
from perfline.recon.lanes.vector import lanes_available
from perfline.recon.parameters import ImageAxis, TrapezoidReadout

WIDE = pytest.param("wide", marks=pytest.mark.skipif(not lanes_available(), reason="no wide registers"))
PATHS = ["portable", WIDE]
SYMMETRIC = TrapezoidReadout(100e-6, 300e-6, 100e-6, 20e-6, 5e-6, 92, 46.0)
ODD = TrapezoidReadout(100e-6, 300e-6, 100e-6, 22.5e-6, 5e-6, 91, 45.5)
ASYMMETRIC = TrapezoidReadout(100e-6, 300e-6, 100e-6, 60e-6, 5e-6, 80, 36.0)
FLAT = TrapezoidReadout(0.0, 0.0, 0.0, 0.0, 5e-6, 40, 20.5)


@dataclass
class Case:
    """A slice: readout, axes, lines, coils."""

    trapezoid: TrapezoidReadout = SYMMETRIC
    x: ImageAxis = field(default_factory=lambda: ImageAxis(32, 200.0, 32, 200.0))
    y: ImageAxis = field(default_factory=lambda: ImageAxis(24, 180.0, 24, 180.0))
    center_line: int = 12
    line_numbers: np.ndarray = field(default_factory=lambda: np.arange(24))
    n_coils: int = 5
    shift_x: float = 0.0
    shift_y: float = 0.0
    discard: tuple[int, int] = (0, 0)
    n_shots: int = 1
    is_folded: bool = True

    def __post_init__(self):
        positions = readout_positions(self.trapezoid, self.x.n_encoded)
        before, after = self.discard
        self.readout = make_readout_operator(
            positions, self.x, shift=self.shift_x, n_discard_pre=before, n_discard_post=after
        )
        n_lines = len(self.line_numbers)
        self.is_reversed = np.arange(n_lines) % 2 == 1
        self.shots = np.arange(n_lines) * self.n_shots // n_lines
        self.ghost = [GhostPhase(0.7 - 0.3 * shot, 0.04 + 0.02 * shot) for shot in range(self.n_shots)]

    def plan(self, path, **options):
        return EpiPlan(
            self.readout,
            self.n_coils,
            self.line_numbers,
            self.is_reversed,
            self.center_line,
            self.y,
            shift=self.shift_y,
            shots=self.shots,
            path=path,
            **options,
        )

    def raw(self, *n_slices):
        return complex_noise(3, (*n_slices, len(self.line_numbers), self.n_coils, self.trapezoid.n_samples))

    def wanted(self, raw, ghost=None):
        phases = [((ghost or self.ghost)[shot].constant, (ghost or self.ghost)[shot].slope) for shot in self.shots]
        matrices = self.readout.forward.astype(complex), self.readout.reversed.astype(complex)
        return epi_coil_images(
            raw, matrices, self.line_numbers, self.is_reversed, self.center_line, self.y, self.shift_y, phases
        )


CASES = {
    "ramped": Case(),
    "odd sizes": Case(ODD, ImageAxis(31, 200.0, 31, 200.0), ImageAxis(25, 180.0, 25, 180.0)),
    "asymmetric echo": Case(ASYMMETRIC, ImageAxis(40, 200.0, 36, 180.0), is_folded=False),
    "flat": Case(FLAT, ImageAxis(40, 200.0, 40, 200.0)),
    "flat, oversampled": Case(FLAT, ImageAxis(40, 400.0, 20, 200.0)),
    "discarded samples": Case(discard=(3, 1), is_folded=False),
    "both sides discarded": Case(discard=(2, 2)),
    "shifted": Case(shift_x=11.5, shift_y=-7.25),
    "shifted, flat": Case(FLAT, ImageAxis(40, 400.0, 20, 200.0), shift_x=3.0),
    "partial Fourier": Case(line_numbers=np.arange(7, 24)),
    "shuffled subset": Case(line_numbers=np.array([20, 3, 12, 11, 9, 22, 0, 13, 14]), n_shots=3),
    "oversampled lines": Case(y=ImageAxis(24, 180.0, 18, 135.0), shift_y=4.0),
    "finer pixels": Case(y=ImageAxis(24, 180.0, 30, 180.0)),
    "coarser pixels": Case(y=ImageAxis(24, 180.0, 16, 180.0)),
    "no whole number of pixels": Case(y=ImageAxis(24, 180.0, 17, 140.0), shift_y=2.0),
    "no fast length": Case(y=ImageAxis(26, 180.0, 26, 180.0), center_line=13, line_numbers=np.arange(2, 26)),
    "one coil": Case(n_coils=1),
    "33 coils": Case(n_coils=33),
}


@pytest.fixture(params=PATHS)
def path(request):
    return request.param


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_coil_images_are_the_sums(path, case):
    raw = case.raw()
    # single precision, some hundred terms
    assert relative_error(case.plan(path).coil_images(raw, case.ghost), case.wanted(raw)) < 2e-6


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_image_is_the_weighted_sum(path, case):
    raw, plan = case.raw(), case.plan(path)
    weights = complex_noise(4, (2, case.n_coils, plan.n_y, plan.n_x))
    image = plan.image(raw, case.ghost, plan.plan_weights(weights), 1)
    # single precision, some thousand terms
    assert relative_error(image, np.sum(weights[1] * case.wanted(raw), axis=0)) < 2e-6


@pytest.mark.parametrize("n_coils", [2, 15, 16, 17, 32])
@pytest.mark.parametrize("n_threads", [1, 2, 3])
def test_volume_is_its_slices(path, n_coils, n_threads):
    case = Case(n_coils=n_coils, n_shots=2)
    raw, plan = case.raw(3), case.plan(path, n_threads=n_threads)
    weights = complex_noise(4, (3, n_coils, plan.n_y, plan.n_x))
    ghost = [[GhostPhase(0.1 * i, 0.01), GhostPhase(-0.2, 0.02 * i)] for i in range(3)]
    images = plan.images(raw, ghost, plan.plan_weights(weights))
    for i in range(3):
        # single precision, some thousand terms
        assert relative_error(images[i], np.sum(weights[i] * case.wanted(raw[i], ghost[i]), axis=0)) < 2e-6


@pytest.mark.skipif(not lanes_available(), reason="no wide registers")
@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_symmetric_readouts_are_folded(case):
    assert case.plan("wide")._readout_tables.is_folded == case.is_folded


def test_cartesian_lines_give_the_object_back(path):
    axis_x, axis_y = ImageAxis(20, 200.0, 20, 200.0), ImageAxis(18, 180.0, 18, 180.0)
    readout = make_readout_operator(centred_positions(20), axis_x)
    coils = complex_noise(1, (3, 18, 20))
    raw = np.ascontiguousarray(image_to_kspace(coils).astype(np.complex64).transpose(1, 0, 2))
    plan = EpiPlan(readout, 3, np.arange(18), np.zeros(18, bool), 9, axis_y, path=path)
    # single precision
    assert relative_error(plan.coil_images(raw, [GhostPhase()]), coils) < 1e-6


def test_whitening_folds_into_the_weights(path):
    case = CASES["ramped"]
    raw, plan = case.raw(), case.plan(path)
    matrix = np.tril(complex_noise(5, (5, 5)))
    weights = complex_noise(6, (5, plan.n_y, plan.n_x))
    whitened = np.stack([whiten(line, matrix) for line in raw])
    wanted = apply_weights(plan.coil_images(whitened, case.ghost), weights)
    folded = np.einsum("dc,dyx->cyx", matrix, weights)
    # single precision
    assert relative_error(plan.image(raw, case.ghost, plan.plan_weights(folded[None])), wanted) < 2e-6


def test_writes_to_out_whatever_came_before(path):
    case = CASES["partial Fourier"]
    plan = case.plan(path)
    weights = complex_noise(4, (1, case.n_coils, plan.n_y, plan.n_x))
    planned = plan.plan_weights(weights)
    for scale in (1, 2j):
        raw = np.ascontiguousarray(scale * case.raw(), np.complex64)
        wanted = case.wanted(raw)
        image, images = np.full((2, 1, plan.n_y, plan.n_x), np.nan, np.complex64)
        coils = np.full(wanted.shape, np.nan, np.complex64)
        assert plan.image(raw, case.ghost, planned, out=image[0]).base is image.base
        assert plan.images(raw[None], [case.ghost], planned, out=images) is images
        assert plan.coil_images(raw, case.ghost, out=coils) is coils
        # single precision
        assert relative_error(coils, wanted) < 2e-6
        assert relative_error(image[0], np.sum(weights[0] * wanted, axis=0)) < 2e-6
        assert relative_error(images[0], np.sum(weights[0] * wanted, axis=0)) < 2e-6


def test_takes_the_portable_path_where_sizes_are_tiny():
    axis = ImageAxis(4, 200.0, 4, 200.0)
    readout = make_readout_operator(centred_positions(4), axis)
    arguments = (readout, 2, np.arange(4), np.zeros(4, bool), 2, axis)
    assert EpiPlan(*arguments).path_name == "portable"
    with pytest.raises(InputError, match="4 samples and 4 pixels"):
        EpiPlan(*arguments, path="wide")


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"n_coils": 0}, "n_coils"),
        ({"n_threads": 0}, "n_threads"),
        ({"path": "fast"}, "path"),
        ({"is_reversed": [True]}, "is_reversed"),
        ({"shots": [0]}, "shots"),
        ({"shots": np.arange(24) - 1}, "shots: expected 0 or more, got -1"),
        ({"line_numbers": np.zeros(24, int)}, "got line 0 24 times"),
        ({"center_line": 30}, "line_numbers: expected 18 to 41"),
    ],
)
def test_refuses_a_plan_that_cannot_be(options, text):
    case = CASES["ramped"]
    arguments = {
        "readout": case.readout,
        "n_coils": 5,
        "line_numbers": case.line_numbers,
        "is_reversed": case.is_reversed,
        "center_line": 12,
        "axis": case.y,
    }
    with pytest.raises(InputError, match=text):
        EpiPlan(**(arguments | options))


def test_refuses_wrong_arrays(path):
    case = CASES["ramped"]
    plan, raw = case.plan(path), case.raw()
    weights = np.ones((2, 5, plan.n_y, plan.n_x), np.complex64)
    planned = plan.plan_weights(weights)
    with pytest.raises(InputError, match="weights: expected complex64"):
        plan.plan_weights(weights.astype(complex))
    with pytest.raises(InputError, match="weights"):
        plan.plan_weights(weights[:, :4])
    with pytest.raises(InputError, match=r"raw: expected \(24, 5, 92\)"):
        plan.image(raw[:23], case.ghost, planned)
    with pytest.raises(InputError, match="raw: expected writeable C-contiguous complex64"):
        plan.coil_images(raw.astype(complex), case.ghost)
    with pytest.raises(InputError, match="raw"):
        plan.images(raw[None], [case.ghost], planned)
    with pytest.raises(InputError, match=r"ghost: expected 1 phases for each of 1 slices, got \[2\]"):
        plan.image(raw, case.ghost * 2, planned)
    with pytest.raises(InputError, match="ghost"):
        plan.image(raw, [GhostPhase(np.nan)], planned)
    with pytest.raises(InputError, match="slice_: expected 0 to 1, got 2"):
        plan.image(raw, case.ghost, planned, 2)
    with pytest.raises(InputError, match="another plan"):
        plan.image(raw, case.ghost, CASES["one coil"].plan(path).plan_weights(weights[:, :1]))
    with pytest.raises(InputError, match="out"):
        plan.coil_images(raw, case.ghost, out=weights[0, :4])
