"""Optional libraries: said to be missing before a scan, imported when they are used."""

from importlib.util import find_spec

from perfline.gadgets.errors import ConfigurationError

__all__ = ["require"]


def require(what: str, extra: str, *libraries: str) -> None:
    """Make sure that libraries are installed. They are not imported: that takes time, and a scan may be about to begin.

    Parameters
    ----------
    what : str
        Needs them.
    extra : str
        Of the installation, that brings them.
    libraries : str

    Raises
    ------
    ConfigurationError
        One is missing.

    Examples
    --------
    >>> require("example", "view", "numpy")
    >>> require("example", "view", "numpy", "no_such_library")
    Traceback (most recent call last):
    perfline.gadgets.errors.ConfigurationError: example: needs no_such_library: pip install "perfline[view]"
    """
    missing = [name for name in libraries if find_spec(name) is None]
    if missing:
        raise ConfigurationError(f'{what}: needs {" and ".join(missing)}: pip install "perfline[{extra}]"')
