import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from perfline.recon.errors import InputError
from perfline.recon.rigid_motion import RigidMotion, framewise_displacement, patient_parameters


def motion(translation=(1.0, -2.0, 3.0), vector=(0.1, -0.2, 0.3)):
    return RigidMotion.of(np.array(translation), np.array(vector))


@pytest.mark.parametrize("angle", [0.0, 1e-9, 1e-3, 0.7, 3.0])
def test_rotation_vectors_are_those_of_scipy(angle):
    vector = angle * np.array([2.0, -1.0, 2.0]) / 3
    one = motion(vector=vector)
    # double precision; near half a turn the sine loses a digit
    np.testing.assert_allclose(one.rotation, Rotation.from_rotvec(vector).as_matrix(), atol=1e-15)
    np.testing.assert_allclose(one.rotation_vector, vector, atol=1e-14)


def test_motions_follow_each_other():
    one, other = motion(), motion((0.5, 0.25, -1.0), (-0.3, 0.05, 0.2))
    place = np.array([10.0, 20.0, -30.0])
    stepwise = other.rotation @ (one.rotation @ place + one.translation) + other.translation
    both = other.after(one)
    # rounding
    np.testing.assert_allclose(both.rotation @ place + both.translation, stepwise, atol=1e-12)
    back = both.after(both.inverse)
    np.testing.assert_allclose(back.rotation, np.eye(3), atol=1e-15)
    np.testing.assert_allclose(back.translation, 0, atol=1e-15)


@pytest.mark.parametrize("is_left_handed", [False, True])
def test_patient_parameters_move_places_of_the_patient(is_left_handed):
    axes = Rotation.from_rotvec([0.3, -0.8, 0.4]).as_matrix()
    if is_left_handed:
        axes[:, 2] *= -1
    translation, rotation = patient_parameters(motion(), axes)
    place = np.array([10.0, 20.0, -30.0])
    moved = axes @ (motion().rotation @ place + motion().translation)
    # the same place, in the coordinates of the patient from the start; rounding
    np.testing.assert_allclose(
        Rotation.from_rotvec(rotation).as_matrix() @ (axes @ place) + translation, moved, atol=1e-12
    )


def test_in_the_plane_only_what_it_tells_is_known():
    nan = np.nan
    one = motion((1.0, -2.0, 0.0), (0.0, 0.0, 0.3))
    coronal = np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]])
    translation, rotation = patient_parameters(one, coronal, is_in_plane=True)
    np.testing.assert_allclose(translation, [1, nan, 2])
    np.testing.assert_allclose(rotation, [nan, 0.3, nan])
    # 10 degrees from P to S: only L lies in the plane
    tilted = Rotation.from_rotvec([np.radians(10), 0, 0]).as_matrix()
    translation, rotation = patient_parameters(one, tilted, is_in_plane=True)
    np.testing.assert_allclose(translation, [1, nan, nan])
    assert np.isnan(rotation).all()


def test_displacement_is_the_sum_of_all_differences():
    one, other = motion((1.0, 0, 0), (0.01, 0, 0)), motion((0.5, -0.25, 2.0), (0, 0, -0.02))
    # 0.5 + 0.25 + 2 mm, and 50 mm times 0.03
    assert framewise_displacement(one, other) == pytest.approx(2.75 + 1.5, rel=1e-9)
    swapped = np.array([[0.0, 1, 0], [0, 0, 1], [1, 0, 0]])
    assert framewise_displacement(one, other, swapped) == pytest.approx(4.25, rel=1e-9)
    assert framewise_displacement(one, one) == 0.0


def test_axes_are_checked():
    with pytest.raises(InputError, match=r"axes: expected \(3, 3\), got \(4, 4\)"):
        patient_parameters(motion(), np.eye(4))
