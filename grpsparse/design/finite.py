"""Missing and infinite values of a matrix: refused in a fit, set aside in new rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from grpsparse.errors import DataError
from grpsparse.groups import BoolArray, IntArray

__all__ = ["blank_missing", "require_finite"]


def _places(values: Any, test: Callable[[Any], Any]) -> tuple[IntArray, IntArray]:
    """Return the rows and the columns in which an entry passes the test, each once."""
    if isinstance(values, np.ndarray):
        bad = test(values)
        return np.flatnonzero(bad.any(axis=1)), np.flatnonzero(bad.any(axis=0))
    entries = np.flatnonzero(test(values.data))
    columns = np.searchsorted(values.indptr, entries, side="right") - 1
    return np.unique(values.indices[entries]), np.unique(columns)


def _all_finite(values: Any) -> bool:
    entries = values if isinstance(values, np.ndarray) else values.data
    with np.errstate(over="ignore", invalid="ignore"):
        # One number tells most of the time, and costs no second matrix.
        return bool(np.isfinite(entries.sum())) or bool(np.isfinite(entries).all())


def require_finite(values: Any, names: Sequence[str], *, what: str) -> None:
    """Raise a DataError if a value is missing or infinite.

    Parameters
    ----------
    values : ndarray or scipy.sparse.csc_array of shape (n, p)
    names : sequence of str
        Names of the columns.
    what : str
        What the message calls the matrix.
    """
    if _all_finite(values):
        return
    _require_no_infinity(values, names, what=what)
    raise DataError(
        f"`{what}` has missing values (NaN) in {_describe(values, np.isnan, names)}; drop or "
        "impute these rows, or use a formula, which drops them."
    )


def _require_no_infinity(values: Any, names: Sequence[str], *, what: str) -> None:
    """Raise a DataError if a value is infinite."""
    if np.isinf(values if isinstance(values, np.ndarray) else values.data).any():
        raise DataError(
            f"`{what}` has infinite values in {_describe(values, np.isinf, names)}; give finite "
            "numbers."
        )


def _describe(values: Any, test: Callable[[Any], Any], names: Sequence[str]) -> str:
    rows, columns = _places(values, test)
    n, p = values.shape
    shown = ", ".join(repr(names[i]) for i in columns[:3]) + (", ..." if len(columns) > 3 else "")
    return (
        f"{len(rows)} of {n} row{'s' * (n != 1)} (first row {rows[0]}, counting from 0) and "
        f"{len(columns)} of {p} column{'s' * (p != 1)} ({shown})"
    )


def blank_missing(values: Any, names: Sequence[str], *, what: str) -> tuple[Any, BoolArray]:
    """Set rows with a missing value to 0, and say which rows are complete.

    Parameters
    ----------
    values : ndarray or scipy.sparse.csc_array of shape (m, p)
        Changed in place.
    names : sequence of str
        Names of the columns.
    what : str
        What the message calls the matrix.

    Returns
    -------
    values : ndarray or scipy.sparse.csc_array of shape (m, p)
    complete : ndarray of bool, shape (m,)

    Raises
    ------
    DataError
        If a value is infinite.
    """
    complete = np.ones(values.shape[0], dtype=np.bool_)
    if _all_finite(values):
        return values, complete
    _require_no_infinity(values, names, what=what)
    rows, _ = _places(values, np.isnan)
    complete[rows] = False
    if isinstance(values, np.ndarray):
        values[rows] = 0.0
    else:
        values.data[~complete[values.indices]] = 0.0
        values.eliminate_zeros()
    return values, complete
