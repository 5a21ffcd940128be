"""Several responses at once: columns of numbers, and their names."""

from __future__ import annotations

from typing import Any

import numpy as np

from grpsparse.errors import ResponseError
from grpsparse.families.labels import read_column
from grpsparse.families.protocol import Family
from grpsparse.groups import FloatArray

__all__ = ["SEVERAL", "read_responses", "takes_several"]

SEVERAL = "mgaussian"  # the family of several responses that messages name
FAMILIES = (SEVERAL, "sqrt_gaussian")


def takes_several(family: Family) -> bool:
    """Return whether columns of the response are responses of their own."""
    return family.name in FAMILIES


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
    array = np.asarray(values)
    each = array[:, None] if array.ndim == 1 else array
    read = [read_column(each[:, k], name) for k in range(each.shape[1])]
    if any(column.kind != "number" for column in read):
        raise ResponseError(
            f'{name} has columns that are not numbers; family="{SEVERAL}" needs one column of '
            "numbers for each response."
        )
    y = np.stack([np.asarray(column.values, dtype=np.float64) for column in read], axis=1)
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
