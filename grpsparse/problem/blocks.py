"""Penalty blocks: which coordinates and classes share one norm.

With shared class groups a block is a group's coordinates times all K outputs; with separate
ones every output has its own block of the group. Either way the blocks of a coefficient
array (q, K) are segments of rows of some of its columns, which is all that penalties see.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from grpsparse.backend import segment_entries, segment_sums
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
    curvature : ndarray of shape (G,)
        Bound on the curvature of the loss along each group, for penalties whose slope at zero is
        infinite; ones where none is needed.

    Attributes
    ----------
    penalised : ndarray of bool, shape (G,)
        Groups that carry a penalty.
    sizes : ndarray of int, shape (G,)
        Rows of the groups.
    filled, single : bool
        Whether every group has rows, and whether it has one row only.
    """

    starts: IntArray
    shared: bool
    weight: FloatArray
    curvature: FloatArray = field(default_factory=lambda: np.empty(0))
    penalised: BoolArray = field(init=False)
    sizes: IntArray = field(init=False)
    filled: bool = field(init=False)
    single: bool = field(init=False)

    def __post_init__(self) -> None:
        if self.curvature.size != self.weight.size:
            object.__setattr__(self, "curvature", np.ones(self.weight.size))
        object.__setattr__(self, "penalised", self.weight > 0)
        object.__setattr__(self, "sizes", np.diff(self.starts))
        object.__setattr__(self, "filled", bool(self.sizes.size and self.sizes.min() > 0))
        object.__setattr__(self, "single", self.filled and bool(self.sizes.max() == 1))

    def part(self, groups: IntArray) -> Blocks:
        """Return the blocks of some groups, whose rows follow one another."""
        sizes = self.sizes[groups]
        starts = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        return Blocks(starts, self.shared, self.weight[groups], self.curvature[groups])

    def rows(self, groups: IntArray) -> IntArray:
        """Return the coordinates of some groups, one group after the other."""
        return segment_entries(groups, self.starts)

    def views(self, values: FloatArray) -> list[FloatArray]:
        """Return the arrays (q, K') whose row segments are the blocks."""
        if self.shared:
            return [values]
        return [values[:, k : k + 1] for k in range(values.shape[1])]

    def norms(self, values: FloatArray) -> FloatArray:
        """Return the Frobenius norms of the blocks, (G, 1) or (G, K)."""
        if self.single and (values.shape[1] == 1 or not self.shared):
            return np.abs(values)
        squares = np.square(values)
        if self.shared or values.shape[1] == 1:
            total = squares[:, 0] if values.shape[1] == 1 else squares.sum(axis=1)
            return np.sqrt(self._sums(total))[:, None]
        parts = [self._sums(np.ascontiguousarray(column)) for column in squares.T]
        return np.sqrt(np.stack(parts, axis=1))

    def _sums(self, rows: FloatArray) -> FloatArray:
        if self.filled:
            sums: FloatArray = np.add.reduceat(rows, self.starts[:-1])
            return sums
        return segment_sums(rows, self.starts)

    def levels(self, penalty: Penalty, lambda_: float) -> tuple[FloatArray, FloatArray]:
        """Return lambda * w_g and the level of the elementwise part, each (G,)."""
        single: FloatArray = (lambda_ * penalty.l1_fraction) * self.penalised.astype(np.float64)
        return lambda_ * self.weight, single

    def value(self, penalty: Penalty, theta: FloatArray, lambda_: float) -> float:
        """Return the penalty of the coefficients theta (q, K)."""
        level, single = self.levels(penalty, lambda_)
        norms = self.norms(theta)
        total = sum(float(penalty.radial_value(column, level).sum()) for column in norms.T)
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
            cut = np.repeat(single, self.sizes)[:, None]
            correlation = np.maximum(np.abs(correlation) - cut, 0.0)
        allowed = penalty.zero_limit(level, self.curvature) * self.penalised
        beyond: FloatArray = self.norms(correlation) - allowed[:, None]
        return beyond
