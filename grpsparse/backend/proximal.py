"""The proximal map of whole coefficient arrays: block by block, each with a step of its own."""

from __future__ import annotations

import math
from typing import Any

from numba import njit

from grpsparse.backend.prox import radial_prox

__all__ = ["fill_prox"]


@njit(cache=True, nogil=True)
def fill_prox(
    code: int, first: float, second: float, values: Any, starts: Any, shared: bool, blocks: Any
) -> None:
    """Replace every block by its proximal point.

    Parameters
    ----------
    code : int
        A code of :mod:`grpsparse.backend.codes`.
    first, second : float
        Its parameters.
    values : ndarray of shape (m, K)
        Blocks are segments of rows.
    starts : ndarray of int, shape (G + 1,)
        Rows of group g are ``starts[g]:starts[g + 1]``.
    shared : bool
        Whether a block spans all columns; else every column has its own.
    blocks : ndarray of shape (G, 3)
        Step, level of the norm, and level of single entries, of every group.
    """
    n_columns = values.shape[1]
    width = n_columns if shared else 1
    for g in range(starts.size - 1):
        step, level = blocks[g, 0], blocks[g, 1]
        cut = step * blocks[g, 2]
        for low in range(0, n_columns, width):
            square = 0.0
            for j in range(starts[g], starts[g + 1]):
                for k in range(low, low + width):
                    if cut > 0.0:
                        left = max(abs(values[j, k]) - cut, 0.0)
                        values[j, k] = math.copysign(left, values[j, k])
                    square += values[j, k] * values[j, k]
            ratio = 0.0
            if square > 0.0:
                norm = math.sqrt(square)
                ratio = radial_prox(code, first, second, norm, step, level) / norm
            for j in range(starts[g], starts[g + 1]):
                for k in range(low, low + width):
                    values[j, k] *= ratio
