"""Gram matrices of groups, each worked out once: screening and sweeps ask for the same ones."""

from __future__ import annotations

import numpy as np

from grpsparse.design import Standardised
from grpsparse.groups import FloatArray, IntArray

__all__ = ["GroupGrams"]


class GroupGrams:
    """Z_g'WZ_g of the groups that were asked for so far.

    Parameters
    ----------
    coordinates : Standardised
    weights : ndarray of shape (n,)
    """

    __slots__ = ("_coordinates", "_known", "_place", "_weights")

    def __init__(self, coordinates: Standardised, weights: FloatArray) -> None:
        self._coordinates, self._weights = coordinates, weights
        self._place: IntArray = np.full(coordinates.starts.size - 1, -1)
        self._known: dict[int, FloatArray] = {}  # by size of group, in the order of asking

    def of(self, groups: IntArray) -> FloatArray:
        """Return the Gram matrices (g, m, m) of groups of one size m."""
        size = int(self._coordinates.starts[groups[0] + 1] - self._coordinates.starts[groups[0]])
        known = self._known.get(size, np.empty((0, size, size)))
        missing = groups[self._place[groups] < 0]
        if missing.size:
            self._place[missing] = known.shape[0] + np.arange(missing.size)
            found = self._coordinates.group_grams(missing, self._weights)
            known = self._known[size] = np.concatenate([known, found])
        return known[self._place[groups]]
