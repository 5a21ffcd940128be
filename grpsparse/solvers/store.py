"""Dense columns of a working set in single precision, one copy for all sets of weights.

Sets of weights (a fit and its folds, say) differ in the centres and scales of their coordinates,
not in the columns, so what they sweep over is stored once: as the first of them, the owner, has
it, in the eigenbasis of its groups' Gram matrices. :mod:`grpsparse.solvers.sources` says how the
coordinates of the others are made of these rows. Rows are appended and never change, so kernels
of other threads may read them meanwhile.
"""

from __future__ import annotations

from threading import Lock

import numpy as np

from grpsparse.backend import LINEAR, segment_sums
from grpsparse.design import ColumnScale
from grpsparse.groups import BoolArray, FloatArray, IntArray, SingleArray
from grpsparse.problem import Blocks, Matrices, Problem

__all__ = ["Store", "eigenbasis", "rounded_norms"]

FLATTEST = 1e-9  # eigenvalue, relative to the largest, below which a metric is not smaller
SAME = 1e-8  # a Gram matrix this close to the identity is not turned
SINGLE = 2.0**-24  # relative rounding of single precision
GROWTH = 1.5  # of the room for rows, where there is no more


class Store:
    """The dense columns gathered so far.

    Parameters
    ----------
    owner : Problem
        In whose coordinates they are.

    Attributes
    ----------
    turned : bool
        Whether groups stand in the eigenbasis of their Gram matrix, which penalties of norms
        alone do not see.
    """

    def __init__(self, owner: Problem) -> None:
        penalty, top = owner.penalty, 1 if owner.intercept else 0  # a row of ones
        self.owner = owner
        self.turned = penalty.code == LINEAR and penalty.l1_fraction == 0
        self._lock = Lock()
        self._used = top
        self._room: SingleArray = np.ones((top, owner.data.y.shape[0]), dtype=np.float32)
        n_groups = owner.blocks.weight.size
        self._first: IntArray = np.full(n_groups, -1)
        self._is_turned: BoolArray = np.zeros(n_groups, dtype=np.bool_)
        self._bases = Matrices(n_groups)
        self._scale = Matrices(n_groups)

    @property
    def rows(self) -> SingleArray:
        """The rows, (m, n)."""
        return self._room[: self._used]

    def serves(self, problem: Problem) -> bool:
        """Return whether coordinates of a problem can be made of these rows."""
        mine, theirs = self.owner.coordinates, problem.coordinates
        if problem is self.owner:
            return True
        if not (isinstance(mine.whole, ColumnScale) and isinstance(theirs.whole, ColumnScale)):
            return False
        same = mine.whole.index.size == theirs.whole.index.size
        return same and bool((mine.whole.index == theirs.whole.index).all())

    def hold(self, groups: IntArray) -> IntArray:
        """Gather groups that are not stored yet, and return the first row of each."""
        with self._lock:
            missing = groups[self._first[groups] < 0]
            sizes = self.owner.blocks.sizes[missing]
            for size in np.unique(sizes):
                self._gather(missing[sizes == size], int(size))
        return self._first[groups]

    def _gather(self, groups: IntArray, size: int) -> None:
        """Store groups of one size."""
        metric, basis = eigenbasis(self.owner.grams.of(groups), turned=self.turned)
        first = self._more(groups.size * size) + size * np.arange(groups.size)
        self.owner.coordinates.turn_rows(groups, basis, first, self._room)
        self._scale.put(groups, metric[:, None, :])
        self._is_turned[groups] = basis is not None
        self._bases.put(groups, np.eye(size)[None] if basis is None else basis)
        self._first[groups] = first

    def metric(self, groups: IntArray) -> FloatArray:
        """Return the curvatures D (g, m) that the owner has of groups of one size."""
        return self._scale.of(groups)[:, 0]

    def basis(self, groups: IntArray) -> FloatArray | None:
        """Return the bases (g, m, m) of groups of one size, None where none is turned."""
        return self._bases.of(groups) if self._is_turned[groups].any() else None

    def rounding(self, groups: IntArray) -> FloatArray:
        """Return bounds on the Frobenius W-norms of what rounding changes in groups, (g,).

        A stored entry is rounded once where coordinates combine columns.
        """
        owner, blocks = self.owner, self.owner.blocks.part(groups)
        wanted = owner.blocks.rows(groups)
        size = np.sqrt(segment_sums(owner.squares.value[wanted], blocks.starts))
        if not isinstance(owner.coordinates.whole, ColumnScale):
            return np.asarray(SINGLE * size)
        return rounded_norms(size, owner.coordinates.centre[wanted], blocks)

    def _more(self, count: int) -> int:
        """Make room for more rows, and return the first of them."""
        first, self._used = self._used, self._used + count
        if self._used > self._room.shape[0]:
            # memory that nothing is written to costs nothing, and moving rows is rare this way
            room = np.empty((int(GROWTH * self._used), self._room.shape[1]), dtype=np.float32)
            room[:first] = self._room[:first]
            self._room = room
        return first


def rounded_norms(size: FloatArray, centre: FloatArray, blocks: Blocks) -> FloatArray:
    """Return bounds on the norms of what rounding changes in columns, (g,).

    Columns come with their means, which are taken off first, and four columns of a group are
    added at a time.

    Parameters
    ----------
    size : ndarray of shape (g,)
        Frobenius W-norms of the groups.
    centre : ndarray of shape (r,)
        Means of their coordinates.
    blocks : Blocks
        Theirs.
    """
    means = np.sqrt(segment_sums(centre**2, blocks.starts))
    rounded: FloatArray = SINGLE * (2.0 + blocks.sizes / 4.0) * (size + means)
    return rounded


def eigenbasis(grams: FloatArray, *, turned: bool) -> tuple[FloatArray, FloatArray | None]:
    """Return the eigenvalues D (g, m) of Gram matrices (g, m, m), and their bases.

    Without turning (or where there is nothing to turn) the bases are None; D is then the same
    for all rows of a group, its mean square.
    """
    size = grams.shape[1]
    diagonal = np.diagonal(grams, axis1=1, axis2=2)
    means = np.maximum(diagonal.mean(axis=1, keepdims=True), np.finfo(np.float64).tiny)
    if size == 1 or not turned:
        return np.repeat(means, size, axis=1), None
    if np.abs(grams - np.eye(size)).max() <= SAME:
        return np.ones(grams.shape[:2]), None
    values, basis = np.linalg.eigh(grams)
    return np.maximum(values, FLATTEST * np.maximum(values[:, -1:], means)), basis
