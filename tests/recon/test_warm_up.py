from pathlib import Path

import pytest
from numba.core.registry import CPUDispatcher

import perfline.recon
from perfline.recon.coils import eigenvector_kernels
from perfline.recon.epi import plan_kernels
from perfline.recon.lanes.vector import lanes_available
from perfline.recon.nufft import portable_kernels, toeplitz_3d_kernels, toeplitz_kernels
from perfline.recon.nufft import warm_up as nufft_warm_up
from perfline.recon.warm_up import KERNEL_MODULES, warm_up

RECON = Path(perfline.recon.__file__).parent


def test_every_kernel_module_is_registered():
    on_disk = {
        ".".join(("perfline.recon", *path.relative_to(RECON).with_suffix("").parts))
        for path in RECON.rglob("*.py")
        if path.parent.name != "nufft"
        if path.stem == "kernels" or path.stem.endswith("_kernels")
    }
    assert {function.__module__ for function in KERNEL_MODULES} == on_disk


def test_every_kernel_is_compiled_afterwards():
    warm_up()
    for function in KERNEL_MODULES:
        if function in (plan_kernels.warm_up, eigenvector_kernels.warm_up) and not lanes_available():
            # they are never called here
            continue
        # private ones are compiled into those that call them
        public = {name: value for name, value in function.__globals__.items() if not name.startswith("_")}
        for name, kernel in public.items():
            if not isinstance(kernel, CPUDispatcher):
                continue
            assert kernel.signatures, f"{function.__module__}.{name} was not called by warm_up"


@pytest.mark.slow
@pytest.mark.parametrize("module", [portable_kernels, toeplitz_kernels, toeplitz_3d_kernels])
def test_the_nufft_warms_up_by_itself(module):
    nufft_warm_up.warm_up()
    for name in module.__all__:
        kernel = getattr(module, name)
        if isinstance(kernel, CPUDispatcher):
            assert kernel.signatures, f"{module.__name__}.{name} was not called by warm_up"
