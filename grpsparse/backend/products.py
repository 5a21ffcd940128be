"""Products of stored columns with a few vectors, where they stand and in double precision.

Columns of X are contiguous rows of an array (p, n), of single or double precision. Chosen
columns are not gathered; sums are of float64 whatever the storage.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

__all__ = ["column_moments", "column_products", "sparse_products"]

ROWS = 4096  # rows at a time, so that their part of R stays in cache
_FAST = {"reassoc", "nsz", "contract", "arcp"}
_INNER: Any = {
    "nogil": True,
    "error_model": "numpy",
    "no_cpython_wrapper": True,
    "no_cfunc_wrapper": True,
}


@njit(**_INNER, fastmath=_FAST)
def _one(a: Any, r: Any) -> float:
    total = 0.0
    for i in range(r.shape[0]):
        total += a[i] * r[i]
    return total


@njit(**_INNER, fastmath=_FAST)
def _two_by_four(a: Any, b: Any, r: Any, s: Any, t: Any, u: Any) -> Any:
    a0 = a1 = a2 = a3 = b0 = b1 = b2 = b3 = 0.0
    for i in range(r.shape[0]):
        x, y = np.float64(a[i]), np.float64(b[i])
        a0 += x * r[i]
        a1 += x * s[i]
        a2 += x * t[i]
        a3 += x * u[i]
        b0 += y * r[i]
        b1 += y * s[i]
        b2 += y * t[i]
        b3 += y * u[i]
    return a0, a1, a2, a3, b0, b1, b2, b3


@njit(cache=True, nogil=True, error_model="numpy")
def column_products(columns: Any, index: Any, residual: Any, out: Any) -> None:
    """Add X[:, index]'R to out (len(index), K), for columns (p, n) and residual (K, n)."""
    n_classes, n = residual.shape
    count = index.shape[0]
    quads = n_classes - n_classes % 4
    for low in range(0, n, ROWS):
        high = min(n, low + ROWS)
        for k in range(0, quads, 4):
            r, s = residual[k, low:high], residual[k + 1, low:high]
            t, u = residual[k + 2, low:high], residual[k + 3, low:high]
            for j in range(0, count, 2):
                other = min(j + 1, count - 1)
                a, b = columns[index[j], low:high], columns[index[other], low:high]
                sums = _two_by_four(a, b, r, s, t, u)
                for c in range(4):
                    out[j, k + c] += sums[c]
                    if other > j:
                        out[other, k + c] += sums[4 + c]
        for k in range(quads, n_classes):
            for j in range(count):
                out[j, k] += _one(columns[index[j], low:high], residual[k, low:high])


@njit(cache=True, nogil=True, error_model="numpy", fastmath=_FAST)
def column_moments(columns: Any, weights: Any, centre: Any, out: Any) -> None:
    """Fill out (p,) with sum_i w_i (x_ij - centre_j)^2 for columns (p, n)."""
    for j in range(columns.shape[0]):
        row, middle, total = columns[j], centre[j], 0.0
        for i in range(weights.shape[0]):
            away = row[i] - middle
            total += weights[i] * away * away
        out[j] = total


@njit(cache=True, nogil=True, error_model="numpy")
def sparse_products(
    pointers: Any, rows: Any, data: Any, index: Any, residual: Any, out: Any
) -> None:
    """Fill out (len(index), K) with X[:, index]'R, for X in compressed columns and R (K, n)."""
    for j in range(index.shape[0]):
        first, last = pointers[index[j]], pointers[index[j] + 1]
        for k in range(residual.shape[0]):
            row, total = residual[k], 0.0
            for place in range(first, last):
                total += data[place] * row[rows[place]]
            out[j, k] = total
