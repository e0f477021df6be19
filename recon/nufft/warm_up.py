"""Load (or compile) the kernels of the NUFFT before the first readout is accepted."""

import numpy as np

from perfline.recon.nufft import row_product_kernels
from perfline.recon.nufft.plan import NufftPlan, PathName
from perfline.recon.nufft.stack import StackTransform
from perfline.recon.nufft.toeplitz import NormalOperator
from perfline.recon.nufft.wide import wide_applies

__all__ = ["warm_up"]


def warm_up() -> None:
    """Call each kernel of each path once, in two and three dimensions, on one thread and on two.

    With a warm cache this takes a fraction of a second; without, a minute.
    """
    row_product_kernels.warm_up()
    paths: tuple[PathName, ...] = ("portable", "wide") if wide_applies((8, 8), 8) else ("portable",)
    for matrix in ((8, 8), (8, 8, 8)):
        trajectory = np.zeros((1, 8, len(matrix)))
        image = np.zeros(matrix, np.complex64)
        for path in paths:
            for n_threads in (1, 2):
                plan = NufftPlan(trajectory, matrix, 1e-2, n_threads, path)
                plan.adjoint(plan.forward(image))
                normal = NormalOperator(plan.trajectory, matrix, None, n_threads, path)
                normal.with_maps(image[None])(normal(image))
    partitions = np.zeros((2, 1, 4, 4), np.complex64)
    stack = StackTransform([0, 1], 1, 2, 2)
    stack.combined(partitions, stack.coil_images(partitions))
