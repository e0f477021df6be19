"""Load (or compile) every numba kernel before the first readout is accepted."""

from collections.abc import Callable

from perfline.recon.asl import kernels as asl_kernels
from perfline.recon.coils import kernels as coil_kernels
from perfline.recon.epi import kernels as epi_kernels

__all__ = ["KERNEL_MODULES", "warm_up"]

KERNEL_MODULES: tuple[Callable[[], None], ...] = (
    asl_kernels.warm_up,
    coil_kernels.warm_up,
    epi_kernels.warm_up,
)
"""The ``warm_up`` of each kernel module."""


def warm_up() -> None:
    """Call every kernel once with the types of production, so that none compiles while a scan runs.

    With a warm cache this takes a fraction of a second; after an update of perfline or numba some ten seconds, once.
    """
    for warm_up_module in KERNEL_MODULES:
        warm_up_module()
