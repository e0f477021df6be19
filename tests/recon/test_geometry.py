import numpy as np
import pytest

from perfline.recon.errors import InputError
from perfline.recon.geometry import corner_distance, lps_affine, slice_step, stack_positions

# an oblique right-handed set: rotation about a skew axis, so that no entry is zero
_ANGLE = 0.4
_AXIS = np.array([1.0, 2.0, -2.0]) / 3
_CROSS = np.array([[0, -_AXIS[2], _AXIS[1]], [_AXIS[2], 0, -_AXIS[0]], [-_AXIS[1], _AXIS[0], 0]])
OBLIQUE = np.eye(3) + np.sin(_ANGLE) * _CROSS + (1 - np.cos(_ANGLE)) * _CROSS @ _CROSS
VOXEL_SIZE = (3.0, 2.5, 6.0)
SHAPE = (7, 10)
N_SLICES = 5


def stack(normal: np.ndarray, spacing: float, start: tuple[float, float, float] = (11.0, -23.0, 31.0)) -> np.ndarray:
    return np.array(start) + np.arange(N_SLICES)[:, None] * spacing * normal


def lps_of_voxel(positions: np.ndarray, read: np.ndarray, phase: np.ndarray, at: tuple[int, int, int]) -> np.ndarray:
    # worked slice by slice, from the position of the very slice
    x, y, z = at
    in_plane = (x - SHAPE[0] // 2) * VOXEL_SIZE[0] * read + (y - SHAPE[1] // 2) * VOXEL_SIZE[1] * phase
    return positions[z] + in_plane


@pytest.mark.parametrize("spacing", [6.0, 7.5, -6.0])
@pytest.mark.parametrize("handedness", [1, -1])
@pytest.mark.parametrize("at", [(3, 5, 0), (0, 0, 0), (6, 1, 4), (1, 9, 2)])
def test_voxel_lands_at_its_patient_coordinates(spacing: float, handedness: int, at: tuple[int, int, int]) -> None:
    read, phase = OBLIQUE[:, 0], handedness * OBLIQUE[:, 1]
    positions = stack(OBLIQUE[:, 2], spacing)
    affine = lps_affine(positions, read, phase, OBLIQUE[:, 2], VOXEL_SIZE, SHAPE)
    left, back, up = lps_of_voxel(positions, read, phase, at)
    # rounding of a few float64 operations on numbers of about 100
    np.testing.assert_allclose((affine @ [*at, 1])[:3], [-left, -back, up], atol=1e-11)
    np.testing.assert_array_equal(affine[3], [0, 0, 0, 1])


def test_unsymmetric_phantom_is_found_where_it_was_put() -> None:
    # one bright voxel off every centre in an image (slice, y, x); its NIfTI array is the transpose
    positions = stack(np.array([0.0, 0.0, 1.0]), 6.0)
    image = np.zeros((N_SLICES, SHAPE[1], SHAPE[0]))
    image[1, 2, 6] = 1  # +x is LEFT for a readout along +L: negative in RAS
    nifti = image.transpose(2, 1, 0)
    voxel = np.argwhere(nifti)[0]
    affine = lps_affine(positions, [1, 0, 0], [0, 1, 0], [0, 0, 1], VOXEL_SIZE, SHAPE)
    # by hand: L = 11 + 3 * 3 = 20, P = -23 - 3 * 2.5 = -30.5, S = 31 + 6 = 37; exact in binary
    np.testing.assert_array_equal((affine @ [*voxel, 1])[:3], [-20.0, 30.5, 37.0])


def test_determinant_tells_handedness() -> None:
    positions = stack(OBLIQUE[:, 2], 6.0)
    right = lps_affine(positions, OBLIQUE[:, 0], OBLIQUE[:, 1], OBLIQUE[:, 2], VOXEL_SIZE, SHAPE)
    left = lps_affine(positions, -OBLIQUE[:, 0], OBLIQUE[:, 1], OBLIQUE[:, 2], VOXEL_SIZE, SHAPE)
    volume = 3.0 * 2.5 * 6.0
    # rounding of a 3x3 determinant
    np.testing.assert_allclose([np.linalg.det(right), np.linalg.det(left)], [volume, -volume], rtol=1e-12)


def test_single_slice_takes_the_thickness() -> None:
    affine = lps_affine([[1, 2, 3]], OBLIQUE[:, 0], OBLIQUE[:, 1], OBLIQUE[:, 2], VOXEL_SIZE, SHAPE)
    # rounding
    np.testing.assert_allclose(affine[:3, 2], 6.0 * OBLIQUE[:, 2] * [-1, -1, 1], rtol=1e-14)


def test_float32_header_values_are_accepted() -> None:
    directions = OBLIQUE.astype(np.float32)
    positions = stack(OBLIQUE[:, 2], 6.0).astype(np.float32)
    affine = lps_affine(positions, directions[:, 0], directions[:, 1], directions[:, 2], VOXEL_SIZE, SHAPE)
    exact = lps_affine(stack(OBLIQUE[:, 2], 6.0), OBLIQUE[:, 0], OBLIQUE[:, 1], OBLIQUE[:, 2], VOXEL_SIZE, SHAPE)
    # float32 of coordinates up to 100 mm: 4e-6 mm each
    np.testing.assert_allclose(affine, exact, atol=3e-5)


def test_slice_step_bridges_gaps_and_descends() -> None:
    normal = OBLIQUE[:, 2]
    # rounding
    np.testing.assert_allclose(slice_step(stack(normal, -7.5), normal, 6.0), -7.5 * normal, atol=1e-13)


def test_unequal_spacing_is_refused() -> None:
    positions = stack(OBLIQUE[:, 2], 6.0)
    positions[3] += 0.5 * OBLIQUE[:, 2]
    with pytest.raises(InputError, match=r"equal steps along one line, but slice 3 is 0\.5 mm"):
        slice_step(positions, OBLIQUE[:, 2], 6.0)


def test_interleaved_order_is_refused() -> None:
    positions = stack(OBLIQUE[:, 2], 6.0)[[0, 2, 4, 1, 3]]
    with pytest.raises(InputError, match="positions: expected equal steps"):
        slice_step(positions, OBLIQUE[:, 2], 6.0)


def test_stack_aside_of_the_normal_is_refused() -> None:
    with pytest.raises(InputError, match="positions: expected steps along slice_dir"):
        slice_step(stack(OBLIQUE[:, 1], 6.0), OBLIQUE[:, 2], 6.0)


def test_stack_around_one_position() -> None:
    normal = OBLIQUE[:, 2]
    positions = stack_positions([11.0, -23.0, 31.0], normal, 6.0, N_SLICES)
    # rounding
    np.testing.assert_allclose(positions, stack(normal, 6.0) - 2 * 6.0 * normal, atol=1e-12)
    even = stack_positions([11.0, -23.0, 31.0], normal, 6.0, 4)
    np.testing.assert_allclose(even.mean(axis=0), [11.0, -23.0, 31.0], atol=1e-12)
    np.testing.assert_allclose(slice_step(even, normal, 1.0), 6.0 * normal, atol=1e-12)


def test_stack_needs_sizes() -> None:
    with pytest.raises(InputError, match="slice_spacing: expected a positive number"):
        stack_positions([0, 0, 0], [0, 0, 1], 0.0, 3)
    with pytest.raises(InputError, match="n_slices: expected a positive number"):
        stack_positions([0, 0, 0], [0, 0, 1], 5.0, 0)
    with pytest.raises(InputError, match=r"position: expected \(3,\), got \(2,\)"):
        stack_positions([0, 0], [0, 0, 1], 5.0, 3)


def test_coinciding_slices_are_refused() -> None:
    with pytest.raises(InputError, match="positions: expected 5 places, but the first and the last"):
        slice_step(np.zeros((N_SLICES, 3)), [0, 0, 1], 6.0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"positions": np.zeros((2, 2))}, r"positions: expected \(n_slices, 3\), got \(2, 2\)"),
        ({"positions": np.zeros((0, 3))}, "positions: expected one slice or more"),
        ({"positions": [[0, 0, np.nan]]}, "positions: expected finite"),
        ({"read_dir": [2, 0, 0]}, "read_dir: expected a unit vector, got length 2"),
        ({"phase_dir": [0.6, 0.8, 0]}, "read_dir, phase_dir: expected a right angle, got cosine 0.6"),
        ({"slice_dir": [0, 0, 0]}, "slice_dir: expected a unit vector, got length 0"),
        ({"slice_dir": [0, 0, np.nan]}, "slice_dir: expected finite"),
        ({"slice_dir": [0, 1]}, r"slice_dir: expected \(3,\), got \(2,\)"),
        ({"voxel_size": (3.0, 0.0, 6.0)}, "voxel_size y: expected a positive number"),
        ({"voxel_size": (3.0, 2.0, -6.0)}, "slice_thickness: expected a positive number"),
        ({"voxel_size": (3.0, 2.0)}, "voxel_size: expected"),
        ({"shape": (0, 4)}, "shape n_x: expected a positive number"),
        ({"shape": (4, 4, 4)}, "shape: expected"),
    ],
)
def test_bad_input(change: dict[str, object], message: str) -> None:
    arguments: dict[str, object] = {
        "positions": [[0, 0, 0]],
        "read_dir": [1, 0, 0],
        "phase_dir": [0, 1, 0],
        "slice_dir": [0, 0, 1],
        "voxel_size": (3.0, 2.0, 6.0),
        "shape": (4, 6),
    }
    with pytest.raises(InputError, match=message):
        lps_affine(**{**arguments, **change})  # type: ignore[arg-type]


def test_corners_tell_how_far_two_affines_are_apart():
    one = np.diag([-3.0, 2.5, 6.0, 1.0])
    moved = one.copy()
    moved[:3, 3] = 3.0, -4.0, 12.0
    assert corner_distance((4, 10, 12), one, moved) == pytest.approx(13.0)
    # slices turned about x = 0, y = 0: only the last ones move, by 3 steps of 1 mm
    turned = one.copy()
    turned[0, 2] = 1.0
    assert corner_distance((4, 10, 12), one, turned) == pytest.approx(3.0)
    with pytest.raises(InputError, match=r"other: expected \(4, 4\)"):
        corner_distance((4, 10, 12), one, np.eye(3))
    with pytest.raises(InputError, match=r"shape: expected \(n_slices, n_y, n_x\)"):
        corner_distance((4, 10), one, one)
