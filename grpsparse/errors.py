"""The tree of exceptions: one root, one branch per kind of mistake.

Every message says what came, what was expected and what to do. Input is checked once, at
the door, so nothing below the entry layer raises anything that is not in this tree.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

__all__ = [
    "BackendError",
    "ConvergenceWarning",
    "DataError",
    "FamilyError",
    "FormulaError",
    "GroupError",
    "GrpsparseError",
    "LambdaError",
    "OptionError",
    "PenaltyError",
    "ResponseError",
    "UnseenLevelError",
    "WeightsError",
    "lacking",
    "listed",
]


class GrpsparseError(ValueError):
    """Root of every error that grpsparse raises on purpose."""


class FormulaError(GrpsparseError):
    """A formula that cannot be parsed, or that names an unknown variable."""


class DataError(GrpsparseError):
    """Data that cannot be fitted: empty, not finite, of the wrong shape or type."""


class UnseenLevelError(DataError):
    """New data carry a level of a factor that the training data did not have."""


class ResponseError(GrpsparseError):
    """A response that the family cannot have, or one without a finite null fit."""


class WeightsError(GrpsparseError):
    """Observation or replicate weights, or an offset, that are not usable."""


class GroupError(GrpsparseError):
    """Group labels or penalty factors that do not match the columns."""


class FamilyError(GrpsparseError):
    """An unknown family, or one that does not fit the other arguments."""


class PenaltyError(GrpsparseError):
    """An unknown penalty, a parameter out of range, or an option it cannot have."""


class LambdaError(GrpsparseError):
    """A lambda sequence that is negative, empty or not finite."""


class OptionError(GrpsparseError):
    """Any other argument out of its range."""


class BackendError(GrpsparseError):
    """A backend or device that is not there."""


class ConvergenceWarning(UserWarning):
    """Some points of a path did not reach the asked certificate."""


def listed(labels: Sequence[Any], limit: int = 8) -> str:
    """Return labels as text for a message, the first few of them if they are many.

    Examples
    --------
    >>> listed(["a", "b"])
    "'a', 'b'"
    """
    shown = ", ".join(map(repr, labels[:limit]))
    return shown if len(labels) <= limit else f"{shown}, ..."


def lacking(found: object, protocol: type) -> str:
    """Return a sentence on the members of a protocol that an object has not, if it has some.

    Examples
    --------
    >>> class Named:
    ...     name = "x"
    >>> class Both:
    ...     name: str
    ...     def title(self): ...
    >>> lacking(Named(), Both), lacking(3, Both)
    ("Named lacks 'title'. ", '')
    """
    members = [name for name in {**protocol.__annotations__, **vars(protocol)} if name[0] != "_"]
    absent = [name for name in members if not hasattr(found, name)]
    if not 0 < len(absent) < len(members):
        return ""
    return f"{type(found).__name__} lacks {listed(absent)}. "
