from pathlib import Path

from numba.core.registry import CPUDispatcher

import perfline.recon
from perfline.recon.warm_up import KERNEL_MODULES, warm_up

RECON = Path(perfline.recon.__file__).parent


def test_every_kernel_module_is_registered():
    on_disk = {
        ".".join(("perfline.recon", *path.relative_to(RECON).with_suffix("").parts))
        for path in RECON.rglob("*.py")
        if path.stem == "kernels" or path.stem.endswith("_kernels")
    }
    assert {function.__module__ for function in KERNEL_MODULES} == on_disk


def test_every_kernel_is_compiled_afterwards():
    warm_up()
    for function in KERNEL_MODULES:
        # private ones are compiled into those that call them
        public = {name: value for name, value in function.__globals__.items() if not name.startswith("_")}
        for name, kernel in public.items():
            if not isinstance(kernel, CPUDispatcher):
                continue
            assert kernel.signatures, f"{function.__module__}.{name} was not called by warm_up"
