"""Gram matrices of groups, each worked out once: screening and sweeps ask for the same ones.

Threads of several sets of weights may ask at once.
"""

from __future__ import annotations

from threading import Lock

import numpy as np

from grpsparse.design import Standardised
from grpsparse.groups import BoolArray, FloatArray, IntArray

__all__ = ["GroupGrams", "Matrices"]


class Matrices:
    """A matrix for every group that has one, stacked by their width.

    Parameters
    ----------
    n_groups : int
    """

    __slots__ = ("_place", "_stacks", "_width")

    def __init__(self, n_groups: int) -> None:
        self._place: IntArray = np.full(n_groups, -1)
        self._width: IntArray = np.zeros(n_groups, dtype=np.int64)
        self._stacks: dict[int, FloatArray] = {}

    def has(self, groups: IntArray) -> BoolArray:
        """Return which groups have one."""
        held: BoolArray = self._place[groups] >= 0
        return held

    def put(self, groups: IntArray, matrices: FloatArray) -> None:
        """Give groups (g,) without one their matrices (g, h, m), or all the same (1, h, m)."""
        width = matrices.shape[2]
        wide = np.broadcast_to(matrices, (groups.size, *matrices.shape[1:]))
        known = self._stacks.get(width)
        before = 0 if known is None else known.shape[0]
        self._stacks[width] = wide.copy() if known is None else np.concatenate([known, wide])
        self._place[groups], self._width[groups] = before + np.arange(groups.size), width

    def of(self, groups: IntArray) -> FloatArray:
        """Return the matrices (g, h, m) of groups of one width."""
        return self._stacks[int(self._width[groups[0]])][self._place[groups]]


class GroupGrams:
    """Z_g'WZ_g of the groups that were asked for so far.

    Parameters
    ----------
    coordinates : Standardised
    weights : ndarray of shape (n,)
    """

    __slots__ = ("_coordinates", "_known", "_largest", "_lock", "_weights")

    def __init__(self, coordinates: Standardised, weights: FloatArray) -> None:
        self._coordinates, self._weights = coordinates, weights
        self._known = Matrices(coordinates.frame.size)
        self._largest: FloatArray = np.full(coordinates.frame.size, np.nan)
        self._lock = Lock()

    def of(self, groups: IntArray) -> FloatArray:
        """Return the Gram matrices (g, m, m) of groups of one size m."""
        with self._lock:
            return self._of(groups)

    def largest(self, groups: IntArray) -> FloatArray:
        """Return the largest eigenvalues of groups that have coordinates, of any size, (g,)."""
        with self._lock:
            missing = groups[np.isnan(self._largest[groups])]
            sizes = np.diff(self._coordinates.starts)[missing]
            for size in np.unique(sizes):
                same = missing[sizes == size]
                self._largest[same] = np.linalg.eigvalsh(self._of(same))[:, -1]
            return self._largest[groups]

    def _of(self, groups: IntArray) -> FloatArray:
        missing = groups[~self._known.has(groups)]
        if missing.size:
            self._known.put(missing, self._coordinates.group_grams(missing, self._weights))
        return self._known.of(groups)
