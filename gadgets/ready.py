"""Get a process ready for a scan: import what the stages need, and load the kernels.

What only reads or names chains imports none of it, and an EPI scan doesn't wait for what spirals need.
"""

import importlib
from functools import cache

__all__ = ["get_ready", "get_ready_for_spirals"]


@cache
def get_ready() -> None:
    """Make ready for an EPI scan; with kernels in the cache this takes a second. A second call does nothing."""
    from perfline.recon.warm_up import warm_up

    # the transforms are imported where they are used, which would be amid the first volume
    for module in ("perfline.gadgets.gadget_stages", "scipy.fft"):
        importlib.import_module(module)
    warm_up()


@cache
def get_ready_for_spirals() -> None:
    """Make ready for a spiral scan, beyond what an EPI scan needs; another second."""
    from perfline.recon.nufft.warm_up import warm_up

    for stage in ("accumulate_spiral", "reconstruct_spiral"):
        importlib.import_module(f"perfline.gadgets.stages.{stage}")
    warm_up()
