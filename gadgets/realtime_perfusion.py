"""Gadgetron entry point: raw readouts in, perfusion and CBF images out, the whole chain in one node.

``<execute name="perfline.gadgets.realtime_perfusion" target="realtime_perfusion" type="python"/>``
"""

from typing import Any

from perfline.gadgets.node import run_node

__all__ = ["realtime_perfusion"]


def realtime_perfusion(connection: Any) -> None:
    """Serve one scan.

    Parameters
    ----------
    connection : gadgetron.external.Connection
        Config and header already read by the library.
    """
    run_node(connection, "realtime_perfusion")
