"""Norms of overlapping groups, a second time: their sum, and how far a dual point is from the ball.

A dual point is in the ball of radius lambda if its correlations are sums of u_g, on the rows of
group g, with ||u_g|| <= lambda w_g. Any u_g show by how much it is outside at most. Those tried are
the subgradients of what is fitted, with what is left shared out among groups with room for it,
and those that weights pi of the groups stand for, wherever these come from.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from grpsparse.groups import FloatArray, IntArray
from grpsparse.penalties.overlap_dual import dual_weights

__all__ = ["Overlap"]

TURNS = 500  # of sharing out
INSIDE = 1.0 + 1e-13


@dataclass(frozen=True, slots=True)
class Overlap:
    """Groups of rows of coordinates, with their weights.

    Parameters
    ----------
    rows : ndarray of int, shape (m,)
        Rows of the groups, one group after the other.
    owner : ndarray of int, shape (m,)
        Group of each.
    weight : ndarray of shape (G,)
        0 for a group without penalty.
    shared : bool
        Whether a norm is over all classes.
    """

    rows: IntArray
    owner: IntArray
    weight: FloatArray
    shared: bool

    def value(self, theta: FloatArray) -> float:
        """Return the sum of weighted norms of coefficients (q, K)."""
        return sum(float(self.weight @ self._norms(each[self.rows])) for each in self._each(theta))

    def scale(self, correlation: FloatArray, theta: FloatArray, lambda_: float) -> float:
        """Return a factor up to 1 that takes correlations (q, K) into the ball of radius lambda."""
        if lambda_ <= 0.0 or not self.weight.any():
            return 1.0
        both = zip(self._each(correlation), self._each(theta), strict=True)
        return 1.0 / max(INSIDE, *(self._outside(c, b, lambda_) for c, b in both))

    def _each(self, values: FloatArray) -> list[FloatArray]:
        if self.shared:
            return [values]
        return [values[:, k : k + 1] for k in range(values.shape[1])]

    def _norms(self, entries: FloatArray) -> FloatArray:
        squares = np.bincount(self.owner, np.sum(entries**2, axis=1), self.weight.size)
        return np.sqrt(squares)

    def _outside(self, c: FloatArray, b: FloatArray, lambda_: float) -> float:
        """Return by what factor correlations (q, K) are outside at most."""
        seen = self.weight > 0
        norms, level = self._norms(b[self.rows]), lambda_ * self.weight
        pull = np.divide(level, norms, out=np.zeros_like(norms), where=norms > 0)
        u = pull[self.owner, None] * b[self.rows]
        among = seen[self.owner].astype(np.float64)
        count = np.maximum(np.bincount(self.rows, among, c.shape[0]), 1.0)
        for turn in range(TURNS):
            left = c.copy()
            np.subtract.at(left, self.rows, u)
            u = u + (among / count[self.rows])[:, None] * left[self.rows]
            ratio = self._norms(u)[seen] / level[seen]
            if ratio.max() <= INSIDE or turn == TURNS - 1:
                break
            factor = np.minimum(1.0, level / np.maximum(self._norms(u), 1e-300))
            u = factor[self.owner, None] * u
        return min(float(ratio.max()), self._by_weights(c, level)) if ratio.max() > INSIDE else 1.0

    def _by_weights(self, c: FloatArray, level: FloatArray) -> float:
        """Return the same from u_g in the proportions that weights of the groups stand for."""
        seen = np.flatnonzero(level > 0)
        kept = level[self.owner] > 0
        place = np.cumsum(level > 0) - 1
        rows, owner = self.rows[kept], place[self.owner[kept]]
        sizes = np.sqrt(np.sum(c**2, axis=1))
        held = np.unique(rows)
        where = np.searchsorted(held, rows)
        starts = np.searchsorted(owner, np.arange(seen.size + 1))
        pi = dual_weights(sizes[held], where, starts, level[seen])
        pull = level[seen] ** 2 / pi
        total = np.bincount(rows, pull[owner], sizes.size)
        u = sizes[rows] * pull[owner] / total[rows]
        return float((np.sqrt(np.bincount(owner, u**2, seen.size)) / level[seen]).max())
