"""Dense columns as they are stored: contiguous, and near enough to zero for products.

A column that stands far from zero (a year, say) loses digits in every product, so its mean is
taken off once, in float64, which costs a copy of the columns. Where no mean is more than `FAR`
deviations, one or two digits are at stake and the columns stay as they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from grpsparse.groups import FloatArray, IntArray

__all__ = ["CONSTANT_BELOW", "dense_columns", "sample_rows"]

CONSTANT_BELOW = 1e-12  # a column whose spread is below this share of its size is constant
FAR = 16.0  # deviations from zero beyond which a mean is taken off
RUNS = 4  # runs of rows that the deviations are judged by
RUN = 8  # rows of each


def dense_columns(
    blocks: Sequence[Any], *, centred: bool, dtype: str, sums: FloatArray | None = None
) -> tuple[FloatArray, FloatArray, FloatArray | None]:
    """Lay dense blocks side by side, one contiguous row per column.

    Parameters
    ----------
    blocks : sequence of ndarray of shape (n, m)
    centred : bool
        Whether means may be taken off.
    dtype : str
        Type to store.
    sums : ndarray of shape (p,), optional
        Sums of the columns, where they are known.

    Returns
    -------
    columns : ndarray of shape (p, n)
        A single block of float64 columns, contiguous and near zero, is not copied.
    shift : ndarray of shape (p,)
        What was taken off.
    mean : ndarray of shape (p,) or None
        Means of the columns returned, over rows of equal weight, where they are known.
    """
    parts = [np.asarray(block, dtype=np.float64).T for block in blocks]
    columns = np.ascontiguousarray(parts[0]) if len(parts) == 1 else np.concatenate(parts)
    if not centred or not columns.size:
        return _stored(columns, dtype), np.zeros(columns.shape[0]), None
    n = columns.shape[1]
    finite = sums is not None and np.isfinite(sums).all()
    mean = sums / n if finite else columns @ np.full(n, 1.0 / n)
    if len(parts) == 1 and dtype == "float64" and not _any_far(columns, mean):
        return columns, np.zeros(columns.shape[0]), mean
    if np.may_share_memory(columns, blocks[0]):
        columns = columns - mean[:, None]
    else:
        columns -= mean[:, None]
    return _stored(columns, dtype), mean, None


def _stored(columns: FloatArray, dtype: str) -> FloatArray:
    return columns.astype(dtype, order="C", copy=False)


def _any_far(columns: FloatArray, mean: FloatArray) -> bool:
    """Say whether the mean of a column that varies is more than `FAR` deviations from zero.

    A few rows tell of most columns that it is not; the columns that they leave in doubt are
    looked at whole.
    """
    n = columns.shape[1]
    doubtful = np.arange(columns.shape[0])
    for start in np.linspace(0, max(n - RUN, 0), RUNS).astype(int).tolist():
        run = columns[:, start : start + RUN]
        run = run if doubtful.size == columns.shape[0] else run[doubtful]
        near = np.zeros(doubtful.size, dtype=np.bool_)
        for row in run.T:
            near |= np.abs(row - mean[doubtful]) * FAR >= np.abs(mean[doubtful])
        doubtful = doubtful[~near]
        if not doubtful.size:
            return False
    for column in doubtful.tolist():
        deviation = float(np.std(columns[column]))
        if CONSTANT_BELOW * abs(mean[column]) < deviation < abs(mean[column]) / FAR:
            return True
    return False


def sample_rows(design: Any, index: IntArray, n_rows: int) -> tuple[FloatArray, IntArray] | None:
    """Return some rows of dense columns, in runs over the whole height, or None.

    Parameters
    ----------
    design : Design
    index : ndarray of int
        Columns.
    n_rows : int
        Rows wanted, or some more.

    Returns
    -------
    values : ndarray of shape (len(index), m)
    rows : ndarray of int, shape (m,)
        None where columns are not all dense, or have too few rows to leave any out.
    """
    if design.dense is None or len(design.parts) > 1 or 2 * n_rows > design.shape[0]:
        return None
    columns = design.dense.columns
    starts = np.linspace(0, columns.shape[1] - RUN, -(-n_rows // RUN)).astype(np.int64)
    rows = (starts[:, None] + np.arange(RUN)).ravel()
    every = index.size == columns.shape[0] and bool((index == np.arange(index.size)).all())
    values = np.empty((index.size, rows.size))
    for place, start in enumerate(starts.tolist()):
        run = columns[:, start : start + RUN]
        values[:, place * RUN : (place + 1) * RUN] = run if every else run[index]
    return values, rows
