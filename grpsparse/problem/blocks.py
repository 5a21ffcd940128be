"""Penalty blocks: which coordinates and classes share one norm.

With shared class groups a block is a group's coordinates times all K outputs; with separate
ones every output has its own block of the group. Either way the blocks of a coefficient
array (q, K) are segments of rows of some of its columns, which is all that penalties see.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from grpsparse.backend import segment_sums
from grpsparse.groups import BoolArray, FloatArray, IntArray
from grpsparse.penalties import Penalty

__all__ = ["Blocks"]


@dataclass(frozen=True, slots=True)
class Blocks:
    """Segments, weights and penalties of all blocks.

    Parameters
    ----------
    starts : ndarray of int, shape (G + 1,)
        Coordinates of group g are ``starts[g]:starts[g + 1]``.
    shared : bool
        Whether a block spans all outputs.
    weight : ndarray of shape (G,)
        w_g, zero for an unpenalised group.
    """

    starts: IntArray
    shared: bool
    weight: FloatArray

    @property
    def penalised(self) -> BoolArray:
        """Groups that carry a penalty, (G,)."""
        return self.weight > 0

    def part(self, groups: IntArray) -> Blocks:
        """Return the blocks of some groups, whose rows follow one another."""
        sizes = np.diff(self.starts)[groups]
        starts = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        return Blocks(starts, self.shared, self.weight[groups])

    def rows(self, groups: IntArray) -> IntArray:
        """Return the coordinates of some groups, one group after the other."""
        first = self.starts[groups]
        sizes = self.starts[groups + 1] - first
        ends = np.cumsum(sizes)
        return np.repeat(first - ends + sizes, sizes) + np.arange(ends[-1] if ends.size else 0)

    def views(self, values: FloatArray) -> list[FloatArray]:
        """Return the arrays (q, K') whose row segments are the blocks."""
        if self.shared:
            return [values]
        return [values[:, k : k + 1] for k in range(values.shape[1])]

    def norms(self, values: FloatArray) -> FloatArray:
        """Return the Frobenius norms of the blocks, (G, 1) or (G, K)."""
        if self.shared:
            squares = segment_sums(np.einsum("jk,jk->j", values, values), self.starts)
            return np.asarray(np.sqrt(squares)[:, None])
        return np.stack(
            [
                np.sqrt(segment_sums(np.einsum("jk,jk->j", view, view), self.starts))
                for view in self.views(values)
            ],
            axis=1,
        )

    def levels(self, penalty: Penalty, lambda_: float) -> tuple[FloatArray, FloatArray]:
        """Return lambda * w_g and the level of the elementwise part, each (G,)."""
        single: FloatArray = lambda_ * penalty.l1_fraction * self.penalised.astype(np.float64)
        return lambda_ * self.weight, single

    def value(self, penalty: Penalty, theta: FloatArray, lambda_: float) -> float:
        """Return the penalty of the coefficients theta (q, K)."""
        level, single = self.levels(penalty, lambda_)
        norms = self.norms(theta)
        mask = self.penalised
        total = sum(
            float(penalty.radial_value(norms[mask, v], level[mask]).sum())
            for v in range(norms.shape[1])
        )
        if penalty.l1_fraction > 0:
            rows = np.abs(theta).sum(axis=1)
            total += float(segment_sums(rows, self.starts) @ single)
        return total

    def zero_is_optimal(
        self, penalty: Penalty, correlation: FloatArray, lambda_: float
    ) -> BoolArray:
        """Return for every group whether its blocks may all be zero given Z'W r, (G,)."""
        excess = self.excess(penalty, correlation, lambda_)
        return np.asarray((excess <= 0).all(axis=1))

    def excess(self, penalty: Penalty, correlation: FloatArray, lambda_: float) -> FloatArray:
        """Return by how much every block's gradient exceeds what zero allows, (G, K')."""
        level, single = self.levels(penalty, lambda_)
        if penalty.l1_fraction > 0:
            cut = np.repeat(single, np.diff(self.starts))[:, None]
            correlation = np.maximum(np.abs(correlation) - cut, 0.0)
        allowed = penalty.radial_derivative(np.zeros_like(level), level)
        return self.norms(correlation) - np.where(self.penalised, allowed, 0.0)[:, None]
