"""Gadgetron entry point: raw readouts of a spiral or other trajectory in, complex volumes out (split chain).

``<execute name="perfline.gadgets.spiral_recon" target="spiral_recon" type="python"/>``
"""

from typing import Any

from perfline.gadgets.node import run_node

__all__ = ["spiral_recon"]


def spiral_recon(connection: Any) -> None:
    """Serve one scan.

    Parameters
    ----------
    connection : gadgetron.external.Connection
        Config and header already read by the library.
    """
    run_node(connection, "spiral_recon")
