import numpy as np
import pytest
from reference import motion as slow
from scipy.ndimage import map_coordinates

from perfline.recon.motion_kernels import gram_matrix, smooth_volume
from perfline.recon.rigid_motion import RigidMotion


@pytest.mark.parametrize("shape", [(4, 7, 5), (1, 6, 9), (2, 1, 3)])
@pytest.mark.parametrize("across", [False, True])
def test_smoothing_is_binomial(shape, across):
    image = np.random.default_rng(1).uniform(size=shape).astype(np.float32)
    out = np.empty_like(image)
    smooth_volume(image, across, np.zeros(shape[2] + 4, np.float32), out)
    np.testing.assert_allclose(out, slow.smoothed(image, across), rtol=1e-6)  # single precision


def test_products_are_those_of_numerical_derivatives():
    rng, shape, voxel = np.random.default_rng(2), (5, 9, 8), np.array([5.0, 3.0, 4.0])
    knots = rng.normal(size=shape)
    padded = np.pad(knots, (1, 2), mode="reflect").astype(np.float32)
    places = rng.uniform(-1, 1, (60, 3)) * 0.6 * voxel * (np.array(shape) - 1)
    values, scale = rng.normal(size=60).astype(np.float32), 1.7
    motion = RigidMotion.of(np.array([0.8, -0.6, 0.5]), np.array([0.05, -0.04, 0.03]))

    def model(step):
        """In the places, after a further small motion and change of scale; NaN outside."""
        back = motion.after(RigidMotion.of(step[:3], step[3:6])).inverse
        at = (places[:, ::-1] @ back.rotation.T + back.translation)[:, ::-1] / voxel + (np.array(shape) - 1) / 2
        inside = np.all((at >= 0) & (at <= np.array(shape) - 1), axis=1)
        found = map_coordinates(knots, at.T, order=3, mode="mirror", prefilter=False)
        return (scale + step[6]) * np.where(inside, found, np.nan)

    steps = 1e-4 * np.eye(7)
    derivatives = [(model(step) - model(-step)) / 2e-4 for step in steps]
    rows = np.stack([*derivatives, values - model(np.zeros(7)), np.ones(60)])
    rows = rows[:, np.isfinite(rows).all(axis=0)]
    assert 20 < rows.shape[1] < 60
    back = motion.inverse
    to_reference = np.hstack([back.rotation[::-1, ::-1], back.translation[::-1, None]])
    gram = np.empty((9, 9))
    gram_matrix(padded, places, values, np.ascontiguousarray(to_reference), voxel, scale, gram)
    # central differences of a cubic
    np.testing.assert_allclose(np.triu(gram), np.triu(rows @ rows.T), rtol=1e-4, atol=1e-3)
