"""Segments of rows: their entries and norms, in one pass."""

from __future__ import annotations

from math import sqrt
from typing import Any

from numba import njit

from grpsparse.backend.compiling import FAST, KERNEL, LEAN

__all__ = ["fill_entries", "fill_norms"]


@njit(cache=True, **KERNEL, **LEAN, fastmath=FAST)
def fill_norms(values: Any, starts: Any, out: Any) -> None:
    """Fill out (1, G) with the norms of segments of values (K, q), or out (K, G) with each row's."""
    n_rows, together = values.shape[0], out.shape[0] == 1
    for g in range(starts.shape[0] - 1):
        first, last = starts[g], starts[g + 1]
        total = 0.0
        for k in range(n_rows):
            row = values[k, first:last]
            for i in range(last - first):
                total += row[i] * row[i]
            if not together:
                out[k, g] = sqrt(total)
                total = 0.0
        if together:
            out[0, g] = sqrt(total)


@njit(cache=True, **KERNEL, **LEAN)
def fill_entries(segments: Any, starts: Any, out: Any) -> None:
    """Fill out with the entries of segments, one segment after the other."""
    place = 0
    for s in range(segments.shape[0]):
        for entry in range(starts[segments[s]], starts[segments[s] + 1]):
            out[place] = entry
            place += 1
