"""The root of every error that perfline raises on purpose.

::

    PerflineError
    +-- InputError (ValueError)        an argument has a wrong shape, size, type or value
    +-- ConditioningError (ArithmeticError)   the data do not determine the answer

The errors of messages, headers and configuration are in ``perfline.gadgets.errors``.
"""

__all__ = ["ConditioningError", "InputError", "PerflineError"]


class PerflineError(Exception):
    """Base of all errors raised by perfline."""


class InputError(PerflineError, ValueError):
    """An argument has a wrong shape, size, type or value."""


class ConditioningError(PerflineError, ArithmeticError):
    """An operator is so badly conditioned that its result would be noise."""
