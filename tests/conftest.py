"""Settings of the whole suite."""

from hypothesis import settings
from threadpoolctl import threadpool_limits

from perfline.gadgets.thread_policy import wait_passively

# before anything imports numba
wait_passively()

# as in a scan: the matrices are small, threads of the BLAS would only spin, and results would depend on their number
threadpool_limits(limits=1, user_api="blas")

# the same examples each time: what fails must fail for everybody; `perfline bench fuzz` looks for new ones
settings.register_profile("perfline", derandomize=True, deadline=None)
settings.load_profile("perfline")
