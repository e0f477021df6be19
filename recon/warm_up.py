"""Load (or compile) every numba kernel of an EPI scan before its first readout is accepted.

The kernels of the NUFFT have a warm-up of their own (`recon.nufft.warm_up`): an EPI scan doesn't wait for them.
"""

from collections.abc import Callable
from functools import cache

from perfline.recon import motion_kernels
from perfline.recon.asl import kernels as asl_kernels
from perfline.recon.asl import kinetic_kernels, multi_delay_kernels, region_kernels, robust_kernels
from perfline.recon.coils import eigenvector_kernels, sense_kernels
from perfline.recon.coils import kernels as coil_kernels
from perfline.recon.epi import kernels as epi_kernels
from perfline.recon.epi import plan_kernels as epi_plan_kernels

__all__ = ["KERNEL_MODULES", "warm_up"]

KERNEL_MODULES: tuple[Callable[[], None], ...] = (
    asl_kernels.warm_up,
    region_kernels.warm_up,
    robust_kernels.warm_up,
    kinetic_kernels.warm_up,
    multi_delay_kernels.warm_up,
    coil_kernels.warm_up,
    eigenvector_kernels.warm_up,
    sense_kernels.warm_up,
    epi_kernels.warm_up,
    epi_plan_kernels.warm_up,
    motion_kernels.warm_up,
)
"""The ``warm_up`` of each kernel module."""


@cache
def warm_up() -> None:
    """Call every kernel once with the types of production, so that none compiles while a scan runs.

    With a warm cache this takes a fraction of a second; after an update of perfline or numba some ten seconds, once.
    A second call in one process does nothing.
    """
    for warm_up_module in KERNEL_MODULES:
        warm_up_module()
