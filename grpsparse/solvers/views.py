"""Coordinates under one set of weights, made of rows that another set's coordinates filled.

Where the owner of a store has s = B'(t x - c) for a group, and other weights ask for
z = t' x - c', all of them columns by column, z in a basis Q is

    Q'z = M's - d,   M = B' diag(t' / t) Q,   d = Q'(c' - (t' / t) c).

Where t' / t is one number for the group, Q = B makes M that number.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from grpsparse.backend import segment_sums
from grpsparse.design import ColumnScale
from grpsparse.groups import FloatArray, IntArray
from grpsparse.problem import Problem
from grpsparse.solvers.store import Store, eigenbasis, rounded_norms

__all__ = ["View", "Views"]


@dataclass(frozen=True, slots=True)
class View:
    """Groups of one size m, as rows of a store times ``maps * lead``, less a centre.

    Parameters
    ----------
    metric : ndarray of shape (g, m)
        Curvatures D.
    basis : ndarray of shape (g, m, m) or None
        The working basis in the problem's coordinates; None leaves them as they are.
    lead, centre : ndarray of shape (g, m), or None
        None where the coordinates are the rows.
    maps : ndarray of shape (g, m, m) or None
    """

    metric: FloatArray
    basis: FloatArray | None
    lead: FloatArray | None = None
    centre: FloatArray | None = None
    maps: FloatArray | None = None

    @property
    def is_plain(self) -> bool:
        """Whether the coordinates are the rows."""
        return self.lead is None


class Views:
    """How the coordinates of a problem are made of a store's rows.

    Parameters
    ----------
    problem : Problem
    store : Store
        That serves the problem and has another owner.
    """

    def __init__(self, problem: Problem, store: Store) -> None:
        self._problem, self._store = problem, store
        mine, theirs = problem.coordinates.whole, store.owner.coordinates.whole
        if not (isinstance(mine, ColumnScale) and isinstance(theirs, ColumnScale)):
            raise TypeError("views are of coordinates that are single columns")
        self._ratio = mine.scale / theirs.scale
        before = store.owner.coordinates.centre
        self._offset: FloatArray = problem.coordinates.centre - self._ratio * before

    def of(self, groups: IntArray, coordinates: IntArray, rows: IntArray) -> View:
        """Return the view of groups of one size, with their coordinates and rows (g, m)."""
        ratio, offset = self._ratio[coordinates], self._offset[coordinates]
        theirs = self._store.basis(groups)
        if not self._store.turned:
            squares = self._problem.squares.value[coordinates].mean(axis=1, keepdims=True)
            metric = np.maximum(squares, np.finfo(np.float64).tiny)
            return View(np.repeat(metric, ratio.shape[1], axis=1), None, ratio, offset)
        if bool((ratio == ratio[:, :1]).all()):
            if theirs is not None:
                offset = _by_group(theirs, offset)
            return View(self._moments(rows, ratio, offset), theirs, ratio, offset)
        metric, mine = eigenbasis(self._problem.grams.of(groups), turned=True)
        maps = np.eye(ratio.shape[1]) * ratio[:, None, :]
        if mine is not None:
            maps, offset = maps @ mine, _by_group(mine, offset)
        if theirs is not None:
            maps = theirs.transpose(0, 2, 1) @ maps
        return View(metric, mine, np.ones_like(ratio), offset, np.ascontiguousarray(maps))

    def _moments(self, rows: IntArray, ratio: FloatArray, centre: FloatArray) -> FloatArray:
        """Return the mean squares of ratio * row - centre."""
        from grpsparse.backend.products import column_moments

        out = np.empty(rows.size)
        weights, about = self._problem.data.weights, (centre / ratio).ravel()
        column_moments(self._store.rows, rows.ravel(), weights, about, out)
        return np.maximum(ratio**2 * out.reshape(rows.shape), np.finfo(np.float64).tiny)

    def rounding(self, groups: IntArray) -> FloatArray:
        """Return bounds on the Frobenius W-norms of what rounding changes in groups, (g,).

        Rows are rounded as :func:`grpsparse.solvers.store.rounded_norms` says, under these
        weights, and coordinates are at most the largest t' / t times as far off.
        """
        problem, blocks = self._problem, self._problem.blocks.part(groups)
        wanted = problem.blocks.rows(groups)
        ratio = self._ratio[wanted]
        plain = problem.squares.value[wanted] + problem.coordinates.centre[wanted] ** 2
        taken = self._store.owner.coordinates.centre[wanted]
        size = np.sqrt(segment_sums(plain / ratio**2, blocks.starts))
        largest = np.maximum.reduceat(np.abs(ratio), blocks.starts[:-1])
        rounded: FloatArray = largest * rounded_norms(size, taken, blocks)
        return rounded


def _by_group(basis: FloatArray, values: FloatArray) -> FloatArray:
    """Return B'v of every group, (g, m), for bases (g, m, m) and values (g, m)."""
    product: FloatArray = np.matmul(values[:, None, :], basis)[:, 0]
    return product
