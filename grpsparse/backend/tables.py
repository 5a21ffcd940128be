"""Sums over the levels of factors, from integer codes.

A factor of m levels is the code of each row, 0..m-1, or m where the row has no column there;
so every table has a last entry that nobody reads, and no loop has a branch. The product of
its indicator columns with R is a segmented sum, the product with the indicators of another
factor a cross-tabulation, the product with coefficients a gather.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

__all__ = ["count_cells", "gather_levels", "sum_cells", "sum_levels"]

FEW_LEVELS = 64  # with so few, the same sum often comes again before it has been stored
CHUNK = 1024  # rows whose cells are numbered at a time: the vector unit does it, in cache


@njit(cache=True, nogil=True, error_model="numpy")
def sum_levels(codes: Any, values: Any, out: Any) -> None:
    """Add values (K, n) to out (K, m + 1) at the codes (n,)."""
    n_classes, n = values.shape
    quads = n_classes - n_classes % 4
    for k in range(0, quads, 4):
        r, s, t, u = values[k], values[k + 1], values[k + 2], values[k + 3]
        a, b, c, d = out[k], out[k + 1], out[k + 2], out[k + 3]
        for i in range(n):
            level = codes[i]
            a[level] += r[i]
            b[level] += s[i]
            c[level] += t[i]
            d[level] += u[i]
    few = out.shape[1] <= FEW_LEVELS
    tables = np.zeros((4, out.shape[1] if few else 0))
    for k in range(quads, n_classes):
        row, total = values[k], out[k]
        first = n - n % 4 if few else 0
        if few:  # four tables in turn: a sum does not wait for the one before it
            a, b, c, d = tables[0], tables[1], tables[2], tables[3]
            tables[:] = 0.0
            for i in range(0, first, 4):
                a[np.uint32(codes[i])] += row[i]
                b[np.uint32(codes[i + 1])] += row[i + 1]
                c[np.uint32(codes[i + 2])] += row[i + 2]
                d[np.uint32(codes[i + 3])] += row[i + 3]
            for level in range(total.shape[0]):
                total[level] += (a[level] + b[level]) + (c[level] + d[level])
        for i in range(first, n):
            total[np.uint32(codes[i])] += row[i]


@njit(cache=True, nogil=True, error_model="numpy")
def gather_levels(codes: Any, table: Any, out: Any) -> None:
    """Add the entries of table (K, m + 1) at the codes (n,) to out (K, n)."""
    for k in range(table.shape[0]):
        row = table[k]
        total = out[k]
        for i in range(codes.shape[0]):
            total[i] += row[codes[i]]


@njit(cache=True, nogil=True, error_model="numpy")
def sum_cells(first: Any, second: Any, width: int, weights: Any, out: Any) -> None:
    """Add weights (n,) to out at the cells ``first * width + second``."""
    cells = np.empty(CHUNK, np.uint32)
    for low in range(0, first.shape[0], CHUNK):
        size = min(CHUNK, first.shape[0] - low)
        a, b, w = first[low : low + size], second[low : low + size], weights[low : low + size]
        for i in range(size):
            cells[i] = np.uint32(a[i]) * np.uint32(width) + np.uint32(b[i])
        for i in range(size):
            out[cells[i]] += w[i]


@njit(cache=True, nogil=True, error_model="numpy")
def count_cells(first: Any, second: Any, width: int, out: Any) -> None:
    """Count the rows at the cells ``first * width + second``, out of int32."""
    cells = np.empty(CHUNK, np.uint32)
    for low in range(0, first.shape[0], CHUNK):
        size = min(CHUNK, first.shape[0] - low)
        a, b = first[low : low + size], second[low : low + size]
        for i in range(size):
            cells[i] = np.uint32(a[i]) * np.uint32(width) + np.uint32(b[i])
        for i in range(size):
            out[cells[i]] += 1
