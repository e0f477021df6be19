"""The optional libraries behind DICOM output."""

from perfline.gadgets.errors import ConfigurationError

__all__ = ["require_highdicom", "require_pydicom"]

_HINT = 'pip install "perfline[dicom]"'


def require_pydicom() -> None:
    """Make sure that DICOM files can be read.

    Raises
    ------
    ConfigurationError
        pydicom, an optional extra, is missing.
    """
    try:
        import pydicom  # noqa: F401
    except ImportError as error:
        raise ConfigurationError(f"reading DICOM needs pydicom: {_HINT}") from error


def require_highdicom() -> None:
    """Make sure that DICOM files can be written.

    Raises
    ------
    ConfigurationError
        highdicom or pydicom, optional extras, are missing.
    """
    try:
        import highdicom  # noqa: F401
        import pydicom  # noqa: F401
    except ImportError as error:
        raise ConfigurationError(f"DICOM output needs pydicom and highdicom: {_HINT}") from error
