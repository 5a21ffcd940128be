"""How far groups reach: bounds on the largest singular values of their columns.

The singular values sigma_g of W^(1/2) Z_g turn what is not known of a dual point into a bound on
a group's correlation. Frobenius norms are bounds at no cost; where they do not clear a group, the
largest eigenvalue of its Gram matrix is taken. Several sets of weights that nowhere exceed common
ones by much share the eigenvalues under these: sum w (x - m)^2 <= sum v (x - a)^2 for w <= v, m
the mean under w, and any a.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from threading import Lock

import numpy as np

from grpsparse.design import ColumnScale
from grpsparse.groups import BoolArray, Deferred, FloatArray, IntArray
from grpsparse.problem import GroupGrams, Problem

__all__ = ["CommonReach", "Reach"]

ROUNDED_UP = 1.0 + 1e-9
TOO_HEAVY = 2.25  # of common weights over a problem's own: bounds on squares, as far off at most


class CommonReach:
    """Singular values of groups under weights that are nowhere below those of several problems.

    Nothing is worked out before it is asked for.

    Parameters
    ----------
    problems : sequence of Problem
        Of one design.
    """

    def __init__(self, problems: Sequence[Problem]) -> None:
        self._coordinates = problems[0].coordinates
        self._top = Deferred(lambda: reduce(np.maximum, (each.data.weights for each in problems)))
        self._grams = Deferred(lambda: GroupGrams(self._coordinates, self._top.value))
        self._lock = Lock()

    def serves(self, problem: Problem) -> bool:
        """Return whether these are bounds on the values of a problem, and near enough to them.

        They hold for columns as they are: those of another scale, or of combined columns, have
        other singular values.
        """
        mine, theirs = self._coordinates.whole, problem.coordinates.whole
        if not (isinstance(mine, ColumnScale) and isinstance(theirs, ColumnScale)):
            return False
        if not (
            np.array_equal(mine.index, theirs.index) and np.array_equal(mine.scale, theirs.scale)
        ):
            return False
        weights, seen = problem.data.weights, problem.data.weights > 0
        with self._lock:
            top = self._top.value
        return bool((top[seen] / weights[seen]).max() <= TOO_HEAVY)

    def largest(self, groups: IntArray) -> FloatArray:
        """Return the largest eigenvalues of Z_g'VZ_g of some groups, V the common weights, (g,)."""
        with self._lock:
            grams = self._grams.value
        return grams.largest(groups)


class Reach:
    """Bounds on the largest singular values sigma_g of W^(1/2) Z_g, tightened on demand.

    They start as Frobenius norms, exact for orthonormal groups and single columns.

    Parameters
    ----------
    problem : Problem
    common : CommonReach, optional
        Of this and other problems, which spares each of them its Gram matrices.

    Attributes
    ----------
    values : ndarray of shape (G,)
    """

    def __init__(self, problem: Problem, common: CommonReach | None = None) -> None:
        bound, exact = problem.coordinates.reach(problem.squares)
        self._settled: BoolArray = exact
        self.values = bound * ROUNDED_UP
        self._source: Deferred[CommonReach | GroupGrams] = Deferred(
            lambda: problem.grams if common is None or not common.serves(problem) else common
        )

    def tighten(self, groups: IntArray) -> bool:
        """Replace the bounds of some groups by sharp ones, and return whether any was not yet."""
        groups = groups[~self._settled[groups]]
        if not groups.size:
            return False
        self._settled[groups] = True
        largest = np.maximum(self._source.value.largest(groups), 0.0)
        self.values[groups] = np.minimum(self.values[groups], np.sqrt(largest) * ROUNDED_UP)
        return True
