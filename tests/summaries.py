"""The summary of a scan in which nothing happened, to be varied with ``replace``."""

from perfline.gadgets.stage_data import Parameter
from perfline.gadgets.summary import ScanSummary

SUMMARY = ScanSummary(
    status="success",
    reason="",
    n_readouts=0,
    n_volumes=0,
    n_pairs=0,
    n_pairs_rejected=0,
    stages=(),
    drops=(),
    latency={},
    ghost_levels=(),
    figures={},
    notices=(),
    parameters={"BloodT1": Parameter("BloodT1", 1.65, "s", "default")},
    settings={},
    seconds=1.0,
    n_bytes=0,
    software="perfline",
)
