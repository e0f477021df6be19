"""Gadgetron entry point: labelled volumes and differences in, perfusion and CBF images out (split chain).

``<execute name="perfline.gadgets.cbf_quantification" target="cbf_quantification" type="python"/>``
"""

from typing import Any

from perfline.gadgets.node import run_node

__all__ = ["cbf_quantification"]


def cbf_quantification(connection: Any) -> None:
    """Serve one scan.

    Parameters
    ----------
    connection : gadgetron.external.Connection
        Config and header already read by the library.
    """
    run_node(connection, "cbf_quantification")
