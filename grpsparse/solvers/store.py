"""Dense columns of a working set in single precision, one copy for all sets of weights.

Sets of weights (a fit and its folds, say) differ in the centres and scales of their coordinates,
not in the columns, so what they sweep over is stored once: as the first of them, the owner, has
it, in the eigenbasis of its groups' Gram matrices. :mod:`grpsparse.solvers.sources` says how the
coordinates of the others are made of these rows. Rows are appended and never change, so kernels
of other threads may read them meanwhile.
"""

from __future__ import annotations

from dataclasses import dataclass
from threading import Lock

import numpy as np

from grpsparse.groups import BoolArray, FloatArray, IntArray, SingleArray
from grpsparse.problem import Matrices, Problem

__all__ = ["Held", "Store", "mean_metric", "own_basis", "squares_of"]

FLATTEST = 1e-9  # eigenvalue, relative to the largest, below which a metric is not smaller
SAME = 1e-8  # a Gram matrix this close to the identity is not turned
GROWTH = 2  # of the room for rows, where columns of other kinds need some too


class Store:
    """The dense columns gathered so far.

    Parameters
    ----------
    owner : Problem
        In whose coordinates they are.
    """

    def __init__(self, owner: Problem) -> None:
        top = 1 if owner.intercept else 0  # a row of ones
        dense, n = owner.coordinates.design.dense, owner.data.y.shape[0]
        self.owner = owner
        self._lock = Lock()
        self._used = top
        count = top + (0 if dense is None else dense.columns.shape[0])
        self._room: SingleArray = _reserved(count, top, n)
        self._room[:top] = 1.0
        n_groups = owner.blocks.weight.size
        self._first: IntArray = np.full(n_groups, -1)
        self._is_turned: BoolArray = np.zeros(n_groups, dtype=np.bool_)
        self._bases, self._metrics = Matrices(n_groups), Matrices(n_groups)

    @property
    def rows(self) -> SingleArray:
        """The rows, (m, n)."""
        return self._room[: self._used]

    def hold(self, groups: IntArray) -> Held:
        """Return the rows of groups of one size as the owner has them; gather those missing."""
        with self._lock:
            missing = groups[self._first[groups] < 0]
            if missing.size:
                held = self._gather(self.owner, missing)
                if held.basis is None:
                    self._bases.put(missing, np.eye(held.metric.shape[1])[None])
                else:
                    self._bases.put(missing, held.basis)
                    self._is_turned[missing] = True
                self._metrics.put(missing, held.metric[:, None, :])
                self._first[missing] = held.first
        basis = self._bases.of(groups) if self._is_turned[groups].any() else None
        return Held(self._first[groups], self._metrics.of(groups)[:, 0], basis)

    def keep(self, problem: Problem, groups: IntArray) -> Held:
        """Gather groups of one size as another problem has them, for that problem alone."""
        with self._lock:
            return self._gather(problem, groups)

    def _gather(self, problem: Problem, groups: IntArray) -> Held:
        metric, basis = own_basis(problem, groups)
        size = metric.shape[1]
        first = self._more(groups.size * size) + size * np.arange(groups.size)
        problem.coordinates.turn_rows(groups, basis, first, self._room)
        return Held(first, metric, basis)

    def _more(self, count: int) -> int:
        """Make room for more rows, and return the first of them."""
        first, self._used = self._used, self._used + count
        if self._used > self._room.shape[0]:
            room = np.empty((GROWTH * self._used, self._room.shape[1]), dtype=np.float32)
            room[:first] = self._room[:first]
            self._room = room
        return first


def _reserved(count: int, least: int, n: int) -> SingleArray:
    """Return room for rows: for all of them, so that none is moved, or for a few.

    Memory that nothing is written to costs nothing where the system hands out more than it has.
    """
    try:
        return np.empty((count, n), dtype=np.float32)
    except MemoryError:
        return np.empty((least, n), dtype=np.float32)


@dataclass(frozen=True, slots=True)
class Held:
    """Groups of one size m in a store.

    Parameters
    ----------
    first : ndarray of int, shape (g,)
        First row of each.
    metric : ndarray of shape (g, m)
        Curvatures D of the rows.
    basis : ndarray of shape (g, m, m) or None
        Their basis in the coordinates; None is the identity.
    """

    first: IntArray
    metric: FloatArray
    basis: FloatArray | None


def squares_of(problem: Problem, groups: IntArray) -> FloatArray:
    """Return the W-norms squared of the coordinates of groups of one size, (g, m)."""
    return problem.squares.value[problem.blocks.rows(groups)].reshape(groups.size, -1)


def own_basis(problem: Problem, groups: IntArray) -> tuple[FloatArray, FloatArray | None]:
    """Return the curvatures D of groups of one size, and the basis in which they are diagonal.

    Without turning, or where a group is one column, the basis is None and D one number a group.
    """
    if problem.turned and problem.blocks.sizes[groups[0]] > 1:
        return eigenbasis(problem.grams.of(groups))
    return mean_metric(squares_of(problem, groups)), None


def mean_metric(squares: FloatArray) -> FloatArray:
    """Return one curvature D for all rows of a group, its mean square, (g, m) as the squares."""
    means = np.maximum(squares.mean(axis=1, keepdims=True), np.finfo(np.float64).tiny)
    return np.repeat(means, squares.shape[1], axis=1)


def eigenbasis(grams: FloatArray) -> tuple[FloatArray, FloatArray | None]:
    """Return the eigenvalues D (g, m) of Gram matrices (g, m, m), and their bases.

    Where there is nothing to turn the bases are None.
    """
    size = grams.shape[1]
    if np.abs(grams - np.eye(size)).max() <= SAME:
        return np.ones(grams.shape[:2]), None
    means = mean_metric(np.diagonal(grams, axis1=1, axis2=2))[:, :1]
    values, basis = np.linalg.eigh(grams)
    return np.maximum(values, FLATTEST * np.maximum(values[:, -1:], means)), basis
