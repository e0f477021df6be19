import numpy as np
import pytest
from numba.core.registry import CPUDispatcher
from reference.off_resonance import smooth_field
from reference.row_products import row_products
from reference.trajectories import complex_noise, scattered

from perfline.recon.nufft import NufftPlan, OffResonancePlan, row_product_kernels
from perfline.recon.nufft.row_products import add_rows, multiply_rows


@pytest.mark.parametrize("n_threads", [1, 2, 3])
@pytest.mark.parametrize("is_conjugate", [False, True])
@pytest.mark.parametrize("n_rows", [1, 2, 7])
def test_products_and_sums(n_threads, is_conjugate, n_rows):
    rows, factors, out = complex_noise(0, (n_rows, 13)), complex_noise(1, 13), complex_noise(2, (n_rows, 13))
    wanted = row_products(rows, factors, is_conjugate)
    total = out + wanted
    add_rows(n_threads, rows, factors, is_conjugate, out)
    # rounding of single precision
    np.testing.assert_allclose(out, total, atol=3e-6)
    multiply_rows(n_threads, rows, factors, is_conjugate, out)
    np.testing.assert_allclose(out, wanted, atol=3e-6)


def test_out_may_be_the_rows():
    rows, factors = complex_noise(0, (4, 9)), complex_noise(1, 9)
    wanted = row_products(rows, factors, False)
    multiply_rows(1, rows, factors, False, rows)
    np.testing.assert_allclose(rows, wanted, atol=3e-6)


def test_nothing_compiles_after_the_warm_up():
    row_product_kernels.warm_up()
    kernels = [getattr(row_product_kernels, name) for name in row_product_kernels.__all__ if name != "warm_up"]
    kernels = [kernel for kernel in kernels if isinstance(kernel, CPUDispatcher)]
    numbers = [len(kernel.signatures) for kernel in kernels]
    trajectory, field_map = scattered(2, 30, (9, 10)), smooth_field((9, 10))
    for n_threads in (1, 2):
        plan = NufftPlan(trajectory, (9, 10), n_threads=n_threads, path="portable")
        corrected = OffResonancePlan(plan, np.linspace(0, 0.01, 30), field_map)
        images = corrected.adjoint(complex_noise(0, (3, 2, 30)))
        corrected.forward(images)
        normal = corrected.normal_operator()
        normal(images)
        normal.with_maps(images)(images[0])
    assert [len(kernel.signatures) for kernel in kernels] == numbers
