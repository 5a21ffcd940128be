"""How far groups reach: bounds on the largest singular values of their columns.

The singular values sigma_g of W^(1/2) Z_g turn what is not known of a dual point into a bound on
a group's correlation. Frobenius norms are bounds at no cost; where they do not clear a group, the
largest eigenvalue of its Gram matrix is taken. Several sets of weights that nowhere exceed common
ones by much share the eigenvalues under these: sum w (x - m)^2 <= sum v (x - a)^2 for w <= v, m
the mean under w, and any a.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from threading import Lock

import numpy as np

from grpsparse.design import ColumnScale
from grpsparse.groups import BoolArray, FloatArray, IntArray
from grpsparse.problem import Problem

__all__ = ["CommonReach", "Reach"]

ROUNDED_UP = 1.0 + 1e-9
TOO_LOOSE = 1.5  # factor by which common bounds may be larger than a problem's own


class CommonReach:
    """Singular values of groups under weights that are nowhere below those of several problems.

    Parameters
    ----------
    problems : sequence of Problem
        Of one design.
    """

    def __init__(self, problems: Sequence[Problem]) -> None:
        self._coordinates = problems[0].coordinates
        self._top: FloatArray = np.max([problem.data.weights for problem in problems], axis=0)
        self._lock = Lock()
        self._known: FloatArray = np.full(self._coordinates.frame.size, np.nan)

    def looseness(self, problem: Problem) -> float | None:
        """Return how much larger than needed these values may be, None where they do not hold.

        They hold for columns as they are: those of another scale, or of combined columns, have
        other singular values.
        """
        mine, theirs = self._coordinates.whole, problem.coordinates.whole
        if not (isinstance(mine, ColumnScale) and isinstance(theirs, ColumnScale)):
            return None
        if not (
            np.array_equal(mine.index, theirs.index) and np.array_equal(mine.scale, theirs.scale)
        ):
            return None
        weights, seen = problem.data.weights, problem.data.weights > 0
        return float(np.sqrt((self._top[seen] / weights[seen]).max()))

    def of(self, groups: IntArray) -> FloatArray:
        """Return bounds on the singular values of some groups, under any of the weights."""
        with self._lock:
            missing = groups[np.isnan(self._known[groups])]
            for _, same in _by_size(missing, self._coordinates.starts):
                grams = self._coordinates.group_grams(same, self._top)
                self._known[same] = _largest(grams)
        return self._known[groups]


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
        self._grams, self._starts = problem.grams, problem.coordinates.starts
        bound, exact = problem.coordinates.reach(problem.squares)
        self._settled: BoolArray = exact
        self.values = bound * ROUNDED_UP
        loose = None if common is None else common.looseness(problem)
        self._common = common if loose is not None and loose <= TOO_LOOSE else None

    def tighten(self, groups: IntArray) -> bool:
        """Replace the bounds of some groups by sharp ones, and return whether any was not yet."""
        groups = groups[~self._settled[groups]]
        if not groups.size:
            return False
        self._settled[groups] = True
        if self._common is not None:
            self.values[groups] = np.minimum(self.values[groups], self._common.of(groups))
            return True
        for _, same in _by_size(groups, self._starts):
            self.values[same] = _largest(self._grams.of(same))
        return True


def _by_size(groups: IntArray, starts: IntArray) -> Iterator[tuple[int, IntArray]]:
    """Yield groups of equal size together."""
    sizes = starts[groups + 1] - starts[groups]
    for size in np.unique(sizes).tolist():
        yield size, groups[sizes == size]


def _largest(grams: FloatArray) -> FloatArray:
    """Return the roots of the largest eigenvalues, rounded up."""
    largest = np.linalg.eigvalsh(grams)[:, -1]
    root: FloatArray = np.sqrt(np.maximum(largest, 0.0)) * ROUNDED_UP
    return root
