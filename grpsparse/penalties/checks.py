"""Checks of the parameters of a penalty object, and of the arguments of its methods."""

from __future__ import annotations

from collections.abc import Callable
from math import isfinite
from numbers import Real

from grpsparse.errors import LambdaError, OptionError, PenaltyError

__all__ = ["check_count", "check_flag", "check_number", "checked_lambda", "checked_step"]


def check_number(penalty: object, field: str, inside: Callable[[float], bool], words: str) -> None:
    """Turn a field into a float, or raise if it is not a number inside its range.

    Parameters
    ----------
    penalty : object
        A frozen penalty whose field is looked at.
    field : str
        Name of the field.
    inside : callable
        Whether a number is in the range.
    words : str
        The range in words, for the message.
    """
    value = getattr(penalty, field)
    number = isinstance(value, Real) and not isinstance(value, bool)
    if not (number and isfinite(value) and inside(float(value))):
        raise PenaltyError(f"{type(penalty).__name__}: `{field}` is {value!r}; give {words}.")
    object.__setattr__(penalty, field, float(value))


def check_flag(penalty: object, field: str) -> None:
    """Raise if a field is not True or False."""
    value = getattr(penalty, field)
    if not isinstance(value, bool):
        raise PenaltyError(f"{type(penalty).__name__}: `{field}` is {value!r}; give True or False.")


def checked_lambda(lambda_: float) -> float:
    """Return a penalty level as a float, or raise if it is negative or not finite."""
    level = float(lambda_)
    if not (isfinite(level) and level >= 0.0):
        raise LambdaError(f"`lambda_` is {lambda_!r}; give a finite number, 0 or larger.")
    return level


def checked_step(step: float) -> float:
    """Return the step of a proximal map as a float, or raise if it is not positive and finite."""
    length = float(step)
    if not (isfinite(length) and length > 0.0):
        raise OptionError(f"`step` is {step!r}; give a positive finite number.")
    return length


def check_count(penalty: object, field: str) -> None:
    """Turn a field into an int, or raise if it is not a whole number of at least 1."""
    value = getattr(penalty, field)
    number = isinstance(value, Real) and not isinstance(value, bool)
    if not (number and isfinite(value) and value >= 1 and value == int(value)):
        raise PenaltyError(
            f"{type(penalty).__name__}: `{field}` is {value!r}; give a whole number of at least 1."
        )
    object.__setattr__(penalty, field, int(value))
