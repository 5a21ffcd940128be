"""Several responses at once: columns of numbers, and their names."""

from __future__ import annotations

from typing import Any

import numpy as np

from grpsparse.errors import ResponseError
from grpsparse.groups import FloatArray

__all__ = ["SEVERAL", "read_responses"]

SEVERAL = "mgaussian"  # the family of several responses


def read_responses(values: Any, name: str) -> tuple[FloatArray, tuple[str, ...]]:
    """Read responses (n, K) and their names: those of a DataFrame, else y1, y2, ...

    Parameters
    ----------
    values : array_like of shape (n, K) or (n,)
    name : str
        The left side of the formula, for messages.

    Raises
    ------
    ResponseError
        For columns that are not numbers, values that are not finite, or names twice.
    """
    columns = getattr(values, "columns", None)
    try:
        y = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        raise ResponseError(
            f'{name} has columns that are not numbers; family="{SEVERAL}" needs one column of '
            "numbers for each response."
        ) from None
    y = y[:, None] if y.ndim == 1 else y
    names = tuple(f"y{k + 1}" for k in range(y.shape[1]))
    if columns is not None:
        names = tuple(map(str, columns))
    if len(set(names)) < len(names):
        twice = next(each for each in names if names.count(each) > 1)
        raise ResponseError(f"{name} has two responses called {twice!r}; give each its own name.")
    bad = ~np.isfinite(y)
    if bad.any():
        row, k = (int(each) for each in np.argwhere(bad)[0])
        raise ResponseError(
            f"{name}: response {names[k]!r} is {y[row, k]} in row {row}; responses have finite "
            "values only. Drop the row or correct it."
        )
    return y, names
