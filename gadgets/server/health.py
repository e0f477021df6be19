"""Whether a server can take a scan."""

from dataclasses import asdict, dataclass
from typing import Any

__all__ = ["Health"]


@dataclass(frozen=True)
class Health:
    """State of a server.

    Parameters
    ----------
    status : str
        ``ready``, ``full`` (as many scans run as may), ``starting``, or ``stopping``.
    scans_running, max_scans : int
    spare_ready : bool
        Whether a process waits for the next scan; without, that scan takes a second or two longer to begin.
    """

    status: str
    scans_running: int
    max_scans: int
    spare_ready: bool

    @property
    def is_good(self) -> bool:
        """Whether a scan that comes now is taken."""
        return self.status == "ready"

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)
