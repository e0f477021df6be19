import numpy as np
import pytest
from reference import ghost as reference

from perfline.recon.epi import kernels


def random_complex(rng: np.random.Generator, *shape: int) -> np.ndarray:
    return (rng.standard_normal(shape) + 1j * rng.standard_normal(shape)).astype(np.complex64)


def test_apply_phasor():
    rng = np.random.default_rng(1)
    lines, flags = random_complex(rng, 5, 3, 7), np.array([True, False, False, True, False])
    x = np.arange(7) - 3
    out = np.empty_like(lines)
    kernels.apply_phasor(lines, flags, np.exp(0.5j * (0.4 - 0.1 * x)).astype(np.complex64), out)
    # single precision products
    np.testing.assert_allclose(out, reference.apply_phase(lines, flags, 0.4, -0.1), atol=2e-6)


@pytest.mark.parametrize(
    "flags",
    ["01", "10", "001", "010", "0110", "01011", "10010", "0101010", "110011"],
    ids="polarities {}".format,
)
def test_navigator_product(flags):
    is_reversed = np.array([flag == "1" for flag in flags])
    navigators = random_complex(np.random.default_rng(5), len(flags), 3, 7)
    product = np.empty(7, np.complex128)
    kernels.navigator_product(navigators, is_reversed, product)
    # the same in double precision
    np.testing.assert_allclose(product, reference.navigator_product(navigators, is_reversed), rtol=1e-11)


def test_an_empty_pixel_of_three_navigators_stays_empty():
    navigators = random_complex(np.random.default_rng(6), 3, 2, 5)
    navigators[:, :, 2] = 0
    product = np.empty(5, np.complex128)
    kernels.navigator_product(navigators, np.array([False, True, False]), product)
    assert product[2] == 0
    assert np.isfinite(product).all()


def test_fit_product_is_the_most_likely_phase():
    x = np.arange(11) - 5
    rng = np.random.default_rng(7)
    product = rng.uniform(0, 3, 11) * np.exp(1j * (0.7 - 0.11 * x + 0.2 * rng.standard_normal(11)))
    fit = np.empty(3)
    kernels.fit_product(product, 20, fit)
    constant, slope, weight = fit

    def likelihood(constant, slope):
        return float(np.sum(product * np.exp(-1j * (constant + slope * x))).real)

    best = likelihood(constant, slope)
    for step in ((1e-4, 0), (-1e-4, 0), (0, 3e-5), (0, -3e-5)):
        assert likelihood(constant + step[0], slope + step[1]) < best
    assert abs(constant - 0.7) < 0.3
    assert weight == pytest.approx(np.abs(product).sum(), rel=1e-12)


def test_fit_product_without_signal():
    fit = np.ones(3)
    kernels.fit_product(np.zeros(4, np.complex128), 5, fit)
    assert not fit.any()


def test_power_and_product():
    rng = np.random.default_rng(2)
    forward, backward = random_complex(rng, 6, 3, 5), random_complex(rng, 6, 3, 5)
    power, product = np.empty((6, 5)), np.empty((6, 5), np.complex128)
    kernels.power_and_product(forward, backward, power, product)
    expected = reference.power_and_product(forward, backward)
    # products are rounded to single precision, then summed in double
    np.testing.assert_allclose(power, expected[0], rtol=1e-6)
    np.testing.assert_allclose(product, expected[1], atol=1e-5)


def test_tabulate_magnitude():
    rng = np.random.default_rng(3)
    power, product = reference.power_and_product(random_complex(rng, 6, 2, 5), random_complex(rng, 6, 2, 5))
    table = np.empty((8, 5))
    kernels.tabulate_magnitude(power, product, 1e-3, table)
    np.testing.assert_allclose(table, reference.magnitude_table(power, product, 1e-3, 8), rtol=1e-12)


def test_refine_phase_goes_down_to_a_stationary_point():
    rng = np.random.default_rng(4)
    power, product = reference.power_and_product(random_complex(rng, 9, 4, 11), random_complex(rng, 9, 4, 11))
    x = np.arange(11) - 5

    def total(constant: float, slope: float) -> float:
        squared = power + 2 * (product * np.exp(1j * (constant + slope * x))).real
        return float(np.sqrt(np.maximum(squared, 0) + 1e-6).sum())

    phase, sums = np.array([0.2, 0.1]), []
    for _ in range(60):
        sums.append(total(*phase))
        kernels.refine_phase(power, product, 1e-6, 1, phase)
    assert np.all(np.diff(sums) < 1e-9)
    kernels.refine_phase(power, product, 1e-6, 500, phase)
    for constant, slope in ((1e-3, 0), (-1e-3, 0), (0, 3e-4), (0, -3e-4)):
        assert total(phase[0] + constant, phase[1] + slope) > total(*phase)


def test_warm_up_compiles_every_kernel():
    kernels.warm_up()
    for name in kernels.__all__:
        if name != "warm_up":
            # without the JIT there is nothing to compile
            assert getattr(getattr(kernels, name), "signatures", True)
