"""Sums of norms of overlapping groups: the dual of their proximal map, group by group.

The proximal point of x -> sum_g level_g ||x_g|| at v is what is left of v, x = v - sum_g u_g, by
the u_g of norm at most level_g that leave least. Given the others, the best u_g is the projection
of x_g + u_g on its ball, so every step moves what one group may take from the rest to it. Of any
u_g, sum_g (level_g ||x_g|| - u_g . x_g) bounds half the squared distance to the proximal point.
"""

from __future__ import annotations

import math
from typing import Any

from numba import njit

from grpsparse.backend.compiling import KERNEL

__all__ = ["take_up"]

EVERY = 4  # sweeps between two looks at the bound
EDGE = 1e-14  # of a radius, by which rounding puts a point off the edge of its ball


@njit(cache=True, **KERNEL)
def take_up(
    left: Any, taken: Any, index: Any, starts: Any, level: Any, most: int, enough: float
) -> float:
    """Sweep over the groups until what is left is the proximal point.

    Parameters
    ----------
    left : ndarray of shape (p, K)
        v less what is taken, kept up to date.
    taken : ndarray of shape (m, K)
        The u_g, rows of one group after those of another, kept up to date.
    index : ndarray of int, shape (m,)
        The row of `left` of each.
    starts : ndarray of int, shape (G + 1,)
        Rows of `taken` of group g are ``starts[g]:starts[g + 1]``.
    level : ndarray of shape (G,)
        Radii.
    most : int
        Sweeps at most.
    enough : float
        Bound on half the squared distance at which to stop.

    Returns
    -------
    float
        The bound on half the squared distance that was reached.
    """
    n_columns = left.shape[1]
    gap = math.inf
    for sweep in range(most):
        for g in range(starts.size - 1):
            square = 0.0
            for e in range(starts[g], starts[g + 1]):
                for k in range(n_columns):
                    taken[e, k] += left[index[e], k]
                    square += taken[e, k] * taken[e, k]
            if square <= level[g] * level[g]:
                for e in range(starts[g], starts[g + 1]):
                    for k in range(n_columns):
                        left[index[e], k] = 0.0
                continue
            share = level[g] / math.sqrt(square)
            for e in range(starts[g], starts[g + 1]):
                for k in range(n_columns):
                    whole = taken[e, k]
                    taken[e, k] = share * whole
                    left[index[e], k] = whole - taken[e, k]
        if sweep % EVERY == 0 or sweep == most - 1:
            gap = _gap(left, taken, index, starts, level)
            if gap <= enough:
                break
    return gap


@njit(cache=True, **KERNEL)
def _gap(left: Any, taken: Any, index: Any, starts: Any, level: Any) -> float:
    """Return sum_g (level_g ||x_g|| - u_g . x_g).

    As ||x_g|| (level_g - ||u_g||) + ||x_g|| ||u_g|| ||x_g / ||x_g|| - u_g / ||u_g|| ||^2 / 2, in
    which nothing cancels; a u_g on the edge of its ball but for rounding is on it.
    """
    gap = 0.0
    for g in range(starts.size - 1):
        square, size = 0.0, 0.0
        for e in range(starts[g], starts[g + 1]):
            for k in range(left.shape[1]):
                square += left[index[e], k] ** 2
                size += taken[e, k] ** 2
        if square == 0.0:
            continue
        length, size, apart = math.sqrt(square), math.sqrt(size), 0.0
        for e in range(starts[g], starts[g + 1]):
            for k in range(left.shape[1]):
                unit = taken[e, k] / size if size > 0.0 else 0.0
                apart += (left[index[e], k] / length - unit) ** 2
        slack = level[g] - size
        if slack > EDGE * level[g]:
            gap += length * slack
        gap += 0.5 * length * size * apart
    return gap
