"""Gadgetron entry point: raw readouts in, complex EPI volumes out (split chain).

``<execute name="perfline.gadgets.epi_recon" target="epi_recon" type="python"/>``
"""

from typing import Any

from perfline.gadgets.node import run_node

__all__ = ["epi_recon"]


def epi_recon(connection: Any) -> None:
    """Serve one scan.

    Parameters
    ----------
    connection : gadgetron.external.Connection
        Config and header already read by the library.
    """
    run_node(connection, "epi_recon")
