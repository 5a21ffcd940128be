"""Sums over the levels of factors, from integer codes.

A factor of m levels is the code of each row, 0..m-1, or m where the row has no column there;
so every table has a last entry that nobody reads, and no loop has a branch. The product of
its indicator columns with R is a segmented sum, the product with the indicators of another
factor a cross-tabulation, the product with coefficients a gather. Memory to work in is
allocated outside the compiled code, which therefore counts no references.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from grpsparse.backend.compiling import KERNEL, LEAN

__all__ = ["count_cells", "gather_levels", "sum_cells", "sum_levels"]

FEW_LEVELS = 64  # with so few, the same sum often comes again before it has been stored
CHUNK = 1024  # rows whose cells are numbered at a time: the vector unit does it, in cache


def sum_levels(codes: Any, values: Any, out: Any) -> None:
    """Add values (K, n) to out (K, m + 1) at the codes (n,)."""
    few = out.shape[1] <= FEW_LEVELS
    _sum_levels(codes, values, np.empty((4, out.shape[1] if few else 0)), out)


@njit(cache=True, **KERNEL, **LEAN)
def _sum_levels(codes: Any, values: Any, tables: Any, out: Any) -> None:
    """Add the sums, with four tables in turn where `tables` has entries."""
    n_classes, n = values.shape
    quads = n_classes - n_classes % 4
    for k in range(0, quads, 4):
        for i in range(n):
            level = np.uint32(codes[i])
            out[k, level] += values[k, i]
            out[k + 1, level] += values[k + 1, i]
            out[k + 2, level] += values[k + 2, i]
            out[k + 3, level] += values[k + 3, i]
    few = tables.shape[1]
    first = n - n % 4 if few else 0
    for k in range(quads, n_classes):
        for entry in range(few):
            tables[0, entry] = tables[1, entry] = tables[2, entry] = tables[3, entry] = 0.0
        for i in range(0, first, 4):  # a sum does not wait for the one before it
            tables[0, np.uint32(codes[i])] += values[k, i]
            tables[1, np.uint32(codes[i + 1])] += values[k, i + 1]
            tables[2, np.uint32(codes[i + 2])] += values[k, i + 2]
            tables[3, np.uint32(codes[i + 3])] += values[k, i + 3]
        for entry in range(few):
            out[k, entry] += (tables[0, entry] + tables[1, entry]) + (
                tables[2, entry] + tables[3, entry]
            )
        for i in range(first, n):
            out[k, np.uint32(codes[i])] += values[k, i]


@njit(cache=True, **KERNEL, **LEAN)
def gather_levels(codes: Any, table: Any, out: Any) -> None:
    """Add the entries of table (K, m + 1) at the codes (n,) to out (K, n)."""
    for k in range(table.shape[0]):
        for i in range(codes.shape[0]):
            out[k, i] += table[k, np.uint32(codes[i])]


def sum_cells(first: Any, second: Any, width: int, weights: Any, out: Any) -> None:
    """Add weights (n,) to out at the cells ``first * width + second``."""
    _sum_cells(first, second, width, weights, np.empty(CHUNK, dtype=np.uint32), out)


@njit(cache=True, **KERNEL, **LEAN)
def _sum_cells(first: Any, second: Any, width: int, weights: Any, cells: Any, out: Any) -> None:
    """Add weights at cells that are numbered in `cells`, a chunk of rows at a time."""
    for low in range(0, first.shape[0], CHUNK):
        size = min(CHUNK, first.shape[0] - low)
        a, b, w = first[low : low + size], second[low : low + size], weights[low : low + size]
        for i in range(size):
            cells[i] = np.uint32(a[i]) * np.uint32(width) + np.uint32(b[i])
        for i in range(size):
            out[cells[i]] += w[i]


def count_cells(first: Any, second: Any, width: int, out: Any) -> None:
    """Count the rows at the cells ``first * width + second``, out of int32."""
    _count_cells(first, second, width, np.empty(CHUNK, dtype=np.uint32), out)


@njit(cache=True, **KERNEL, **LEAN)
def _count_cells(first: Any, second: Any, width: int, cells: Any, out: Any) -> None:
    """Count rows at cells that are numbered in `cells`, a chunk of rows at a time."""
    for low in range(0, first.shape[0], CHUNK):
        size = min(CHUNK, first.shape[0] - low)
        a, b = first[low : low + size], second[low : low + size]
        for i in range(size):
            cells[i] = np.uint32(a[i]) * np.uint32(width) + np.uint32(b[i])
        for i in range(size):
            out[cells[i]] += 1
