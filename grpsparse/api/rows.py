"""Weights and offsets, checked and cut to the rows that are kept."""

from __future__ import annotations

from typing import Any

import numpy as np

from grpsparse.design.response import check_order
from grpsparse.errors import DataError, WeightsError
from grpsparse.groups import FloatArray, IntArray

__all__ = ["per_row", "read_offset", "read_weights"]


def per_row(values: Any, *, name: str, rows: IntArray, n_given: int, index: Any) -> Any:
    """Return one value per kept row from an array with one per row given.

    Raises
    ------
    DataError
        A length that is not that of the data, or its labels (`index`, of the kept rows) in
        another order.
    """
    array = np.asarray(values)
    if array.ndim == 0 or array.shape[0] != n_given:
        came = "a single value" if array.ndim == 0 else f"{array.shape[0]} values"
        raise DataError(f"`{name}` has {came} for {n_given} rows of data; give one per row.")
    if hasattr(values, "iloc"):
        check_order(values.iloc[rows], rows.size, index, name=name)
    return array[rows]


def read_weights(values: Any, rows: IntArray) -> FloatArray:
    """Return the observation weights (n,), ones by default.

    Parameters
    ----------
    values : array_like of shape (n,), optional
    rows : ndarray of int, shape (n,)
        Positions of the rows among those given, for messages.

    Raises
    ------
    WeightsError
        Negative, missing, infinite, all zero, or not numbers.
    """
    if values is None:
        return np.ones(rows.size)
    weights = _numbers(values, "weights", rows)
    if weights.ndim != 1:
        raise WeightsError(f"`weights` has shape {weights.shape}; give one number per row.")
    if (weights < 0).any():
        where = int(np.flatnonzero(weights < 0)[0])
        raise WeightsError(
            f"`weights` has {weights[where]:g} at row {rows[where]}; none is negative."
        )
    if not weights.any():
        raise WeightsError("`weights` are all zero; at least one row must count.")
    return weights


def read_offset(values: Any, rows: IntArray, n_outputs: int) -> FloatArray | None:
    """Return the offset (n, K), or None.

    Parameters
    ----------
    values : array_like of shape (n,) or (n, K), optional
    rows : ndarray of int, shape (n,)
        Positions of the rows among those given, for messages.
    n_outputs : int

    Raises
    ------
    WeightsError
        Missing, infinite, not numbers, or of another shape.
    """
    if values is None:
        return None
    n = rows.size
    offset = _numbers(values, "offset", rows)
    if offset.ndim == 1 and n_outputs == 1:
        offset = offset[:, None]
    if offset.shape != (n, n_outputs):
        expected = f"({n},)" if n_outputs == 1 else f"({n}, {n_outputs}), a column per class"
        raise WeightsError(f"`offset` has shape {offset.shape}; it is {expected}.")
    return offset


def _numbers(values: Any, name: str, rows: IntArray) -> FloatArray:
    try:
        array = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        raise WeightsError(f"`{name}` holds something that is not a number.") from None
    if not np.isfinite(array).all():
        where = int(np.argwhere(~np.isfinite(array))[0][0])
        raise WeightsError(
            f"`{name}` is missing or infinite at row {rows[where]}; give finite numbers."
        )
    return array
