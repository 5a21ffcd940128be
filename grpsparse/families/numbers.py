"""Numbers that a family is made with, checked where the object is made."""

from __future__ import annotations

from math import isfinite
from typing import Any

import numpy as np

from grpsparse.errors import FamilyError

__all__ = ["positive"]


def positive(value: Any, name: str, advice: str) -> float:
    """Return a positive number as a float.

    Parameters
    ----------
    value : object
    name : str
        Of the parameter, for the message.
    advice : str
        What to give instead.

    Raises
    ------
    FamilyError
        For anything else.

    Examples
    --------
    >>> positive(2, "delta", "")
    2.0
    """
    real = isinstance(value, int | float | np.integer | np.floating)
    if not real or isinstance(value, bool) or not isfinite(value) or not value > 0:
        raise FamilyError(f"`{name}` is {value!r}; it is a positive number. {advice}")
    return float(value)
