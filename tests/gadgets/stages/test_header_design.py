import numpy as np

from perfline.gadgets.stage_data import HargreavesParameters
from perfline.gadgets.stages.header_design import header_design
from perfline.recon.nufft.spiral_design import design_hargreaves_vds2000

PARAMETERS = HargreavesParameters(3, (24.0, -5.0), 3.5, 14000.0, 4e-6, 1.5)


def gadgetrons_trajectory(gradients_of_arm, interleaves, sampling_time):
    """As Gadgetron's ``SpiralToGenericGadget`` comes to it [1/m], (interleaf, sample, (x, y)).

    ``calculate_vds`` turns the gradients round, ``create_rotations`` turns them for each interleaf, and
    ``calculate_trajectories`` adds them up, the gradient of a sample included.
    """
    turned_round = -gradients_of_arm
    arms = []
    for interleaf in range(interleaves):
        angle = 2 * np.pi * interleaf / interleaves
        x, y = turned_round
        rotated = (x * np.cos(angle) + y * np.sin(angle), -x * np.sin(angle) + y * np.cos(angle))
        arms.append(np.stack([42.58e6 * sampling_time * np.cumsum(g) for g in rotated], axis=-1))
    return np.stack(arms)


def test_the_sign_is_gadgetrons():
    design = design_hargreaves_vds2000(3, (24.0, -5.0), 3.5, 14000.0, 4e-6, 1.5)
    expected = gadgetrons_trajectory(design.gradients[0].T[::-1], 3, 4e-6)
    found = header_design(PARAMETERS)
    # Gadgetron calls the position at the end of an interval that of its sample; float64
    np.testing.assert_allclose(found.trajectory[:, 1:, ::-1], expected[:, :-1], atol=1e-9)
    assert np.abs(found.trajectory).max() > 100


def test_gradients_and_trajectory_agree():
    found = header_design(PARAMETERS)
    step = found.gyromagnetic_ratio * found.sampling_time
    assert found.sampling_time == 4e-6
    # sums against differences in float64
    np.testing.assert_allclose(np.diff(found.trajectory, axis=1), found.gradients[:, :-1] * step, atol=1e-9)
