"""What a nested penalty leaves of a gradient, block by block, for :mod:`grpsparse.results.check`.

The slope in a coefficient is outer'(sum_j inner(|b_j|)) inner'(|b_j|): a coefficient that is not
zero has to meet it, one that is zero may not exceed it.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from grpsparse.groups import BoolArray, FloatArray, IntArray
from grpsparse.penalties import NestedPenalty

__all__ = ["largest_by_block", "nested_left"]


def nested_left(
    penalty: NestedPenalty,
    level: FloatArray,
    group: IntArray,
    theta: FloatArray,
    correlation: FloatArray,
    *,
    shared: bool,
) -> FloatArray:
    """Return the largest violation of stationarity in every block, (G, 1) or (G, K).

    Parameters
    ----------
    penalty : NestedPenalty
    level : ndarray of shape (G,)
        Lambda times weight.
    group : ndarray of int, shape (q,)
        Groups of the coordinates.
    theta, correlation : ndarray of shape (q, K)
        Coefficients, and minus the gradient of the loss.
    shared : bool
        Whether a block is of all classes.
    """
    out = np.zeros((level.size, 1 if shared else theta.shape[1]))
    for g, rows in _members(group, level.size):
        for k in range(out.shape[1]):
            columns = slice(None) if shared else slice(k, k + 1)
            b, pull = theta[rows, columns], correlation[rows, columns]
            own = np.full(b.shape, level[g])
            inner, steepness, _ = penalty.inner(np.abs(b), own)
            total = np.array([inner.sum()])
            slope = penalty.outer(total, level[g : g + 1], b.size)[1][0] * steepness
            meets = np.where(b > 0, pull - slope, pull + slope)
            left = np.where(b != 0, np.abs(meets), np.maximum(np.abs(pull) - slope, 0.0))
            out[g, k] = left.max()
    return out


def largest_by_block(
    values: FloatArray, group: IntArray, n_groups: int, *, shared: bool
) -> FloatArray:
    """Return the largest absolute entry of every block, (G, 1) or (G, K)."""
    out = np.zeros((n_groups, values.shape[1]))
    for g, rows in _members(group, n_groups):
        out[g] = np.abs(values[rows]).max(axis=0)
    return out.max(axis=1, keepdims=True) if shared else out


def _members(group: IntArray, n_groups: int) -> Iterator[tuple[int, BoolArray]]:
    """Yield every group that has coordinates, with these."""
    for g in range(n_groups):
        rows = group == g
        if rows.any():
            yield g, rows
