"""Gadgetron entry point: EPI volumes in, labelled volumes and control-label differences out (split chain).

``<execute name="perfline.gadgets.asl_subtraction" target="asl_subtraction" type="python"/>``
"""

from typing import Any

from perfline.gadgets.node import run_node

__all__ = ["asl_subtraction"]


def asl_subtraction(connection: Any) -> None:
    """Serve one scan.

    Parameters
    ----------
    connection : gadgetron.external.Connection
        Config and header already read by the library.
    """
    run_node(connection, "asl_subtraction")
