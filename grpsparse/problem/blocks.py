"""Penalty blocks: which coordinates and classes share one norm.

With shared class groups a block is a group's coordinates times all K outputs; with separate
ones every output has its own block of the group. Either way the blocks of a coefficient
array (q, K) are segments of rows of some of its columns, which is all that penalties see.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import cast

import numpy as np

from grpsparse.backend import segment_entries, segment_norms, segment_sums
from grpsparse.groups import BoolArray, FloatArray, IntArray
from grpsparse.penalties import JointPenalty, MatrixPenalty, NestedPenalty, Penalty
from grpsparse.penalties.nested import Composed, compose, largest_entries

__all__ = ["Blocks"]

SHORT = 1e-9  # relative, by which a norm may miss the least one that a prox gives


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
    together : float
        Bound along all penalised groups at once, for such a penalty of all norms.

    Attributes
    ----------
    penalised : ndarray of bool, shape (G,)
        Groups that carry a penalty.
    sizes : ndarray of int, shape (G,)
        Rows of the groups.
    single : bool
        Whether every group has one row.
    """

    starts: IntArray
    shared: bool
    weight: FloatArray
    curvature: FloatArray = field(default_factory=lambda: np.empty(0))
    together: float = 1.0
    penalised: BoolArray = field(init=False)
    sizes: IntArray = field(init=False)
    single: bool = field(init=False)

    def __post_init__(self) -> None:
        if self.curvature.size != self.weight.size:
            object.__setattr__(self, "curvature", np.ones(self.weight.size))
        object.__setattr__(self, "penalised", self.weight > 0)
        object.__setattr__(self, "sizes", self.starts[1:] - self.starts[:-1])
        object.__setattr__(self, "single", bool((self.sizes == 1).all()))

    def part(self, groups: IntArray) -> Blocks:
        """Return the blocks of some groups, whose rows follow one another."""
        starts = np.zeros(groups.size + 1, dtype=np.int64)
        np.cumsum(self.sizes[groups], out=starts[1:])
        parts = (self.weight[groups], self.curvature[groups], self.together)
        return Blocks(starts, self.shared, *parts)

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
        return segment_norms(values, self.starts, shared=self.shared)

    def single_level(self, penalty: Penalty, lambda_: float) -> FloatArray:
        """Return the level of the elementwise part, (G,)."""
        level: FloatArray = (lambda_ * penalty.l1_fraction) * self.penalised.astype(np.float64)
        return level

    def value(
        self,
        penalty: Penalty,
        theta: FloatArray,
        lambda_: float,
        *,
        norms: FloatArray | None = None,
    ) -> float:
        """Return the penalty of the coefficients theta (q, K), whose norms may be known."""
        if penalty.nested:
            return float(self.composed(cast(NestedPenalty, penalty), theta, lambda_).value.sum())
        if penalty.matrix:
            return cast(MatrixPenalty, penalty).matrix_value(theta, self, lambda_ * self.weight)
        norms, level = self.norms(theta) if norms is None else norms, lambda_ * self.weight
        if penalty.joint:
            return self._joint_value(penalty, norms, lambda_)
        total = sum(float(penalty.radial_value(column, level).sum()) for column in norms.T)
        if penalty.l1_fraction > 0:
            rows = np.abs(theta).sum(axis=1)
            total += float(segment_sums(rows, self.starts) @ self.single_level(penalty, lambda_))
        return total

    def composed(self, penalty: NestedPenalty, theta: FloatArray, lambda_: float) -> Composed:
        """Return a nested penalty with its derivatives at coefficients theta (q, K)."""
        owner, level, count = self.entries(theta.shape[1], lambda_)
        return compose(penalty, np.abs(theta).ravel(), owner.ravel(), level, count)

    def entries(self, n_outputs: int, lambda_: float) -> tuple[IntArray, FloatArray, IntArray]:
        """Return the block of every coefficient, (q, K), and level and size of blocks, (B,)."""
        copies = 1 if self.shared else n_outputs
        first = copies * np.repeat(np.arange(self.sizes.size), self.sizes)
        classes = np.zeros(n_outputs, np.int64) if self.shared else np.arange(n_outputs)
        count = np.repeat(np.maximum(self.sizes, 1) * (n_outputs // copies), copies)
        return first[:, None] + classes, np.repeat(lambda_ * self.weight, copies), count

    def slopes(self, penalty: Penalty, theta: FloatArray, lambda_: float) -> FloatArray:
        """Return the slopes of the penalty at coefficients theta (q, K).

        In the norms, (G, K'), or in the coefficients, (q, K), of a nested penalty; at zero the
        largest gradient that is allowed.
        """
        if penalty.nested:
            composed = self.composed(cast(NestedPenalty, penalty), theta, lambda_)
            return composed.slope.reshape(theta.shape)
        norms = self.norms(theta)
        slope = self.norm_slopes(penalty, norms, lambda_)
        return np.where(norms > 0, slope, self.allowed(penalty, lambda_, norms))

    def gradient_norms(self, penalty: Penalty, gradient: FloatArray) -> FloatArray:
        """Return what a penalty measures a gradient of zero blocks by, (G, K').

        Norms, or the largest entries for a nested penalty.
        """
        if not penalty.nested:
            return self.norms(gradient)
        views = self.views(gradient)
        return np.stack([largest_entries(view, self.starts) for view in views], axis=1)

    def _joint_value(self, penalty: Penalty, norms: FloatArray, lambda_: float) -> float:
        joint, seen = cast(JointPenalty, penalty), self.penalised
        return sum(
            joint.joint_value(column[seen], self.weight[seen], lambda_) for column in norms.T
        )

    def norm_slopes(self, penalty: Penalty, norms: FloatArray, lambda_: float) -> FloatArray:
        """Return the derivatives of the penalty in the norms (G, K'), 0 without a penalty."""
        out = np.zeros_like(norms)
        level, seen = lambda_ * self.weight, self.penalised
        for v, column in enumerate(norms.T):
            if penalty.joint:
                joint = cast(JointPenalty, penalty)
                out[seen, v] = joint.joint_slope(column[seen], self.weight[seen], lambda_)
            else:
                out[:, v] = penalty.radial_derivative(column, level)
        return out

    def short(self, penalty: Penalty, norms: FloatArray, lambda_: float) -> BoolArray:
        """Return which norms (G, K') are shorter than those of a proximal point, if not zero.

        A penalty of all norms asks it of their length, hence of all or none.
        """
        if not penalty.joint:
            least = penalty.least_norm(lambda_ * self.weight, self.curvature)
            return np.asarray(norms < (1.0 - SHORT) * least[:, None])
        joint, seen = cast(JointPenalty, penalty), self.penalised
        out = np.zeros(norms.shape, dtype=np.bool_)
        for v, column in enumerate(norms.T):
            found = column[seen]
            least = joint.joint_least(found, self.weight[seen], lambda_, self.together)
            out[seen, v] = np.linalg.norm(found) < (1.0 - SHORT) * least
        return out

    def allowed(
        self, penalty: Penalty, lambda_: float, norms: FloatArray | None = None
    ) -> FloatArray:
        """Return the norms up to which a gradient leaves zero optimal, (G, 1).

        For a penalty of all norms (G, K'), beside groups of these `norms` (G, K').
        """
        if not penalty.joint:
            limit: FloatArray = penalty.zero_limit(lambda_ * self.weight, self.curvature)
            return (limit * self.penalised)[:, None]
        joint, seen = cast(JointPenalty, penalty), self.penalised
        at = np.zeros((self.weight.size, 1)) if norms is None else norms
        out = np.zeros_like(at)
        for v, column in enumerate(at.T):
            known = (lambda_, self.curvature[seen], self.together)
            out[seen, v] = joint.joint_limit(column[seen], self.weight[seen], *known)
        return out

    def beyond(self, penalty: Penalty, correlation: FloatArray, lambda_: float) -> FloatArray:
        """Return the sizes of the blocks' gradients, less their elementwise part, (G, K')."""
        if penalty.l1_fraction > 0:
            cut = np.repeat(self.single_level(penalty, lambda_), self.sizes)[:, None]
            correlation = np.maximum(np.abs(correlation) - cut, 0.0)
        return self.gradient_norms(penalty, correlation)

    def excess(
        self,
        penalty: Penalty,
        correlation: FloatArray,
        lambda_: float,
        norms: FloatArray | None = None,
    ) -> FloatArray:
        """Return by how much every block's gradient exceeds what zero allows, (G, K').

        For a penalty of all norms beside groups of these `norms`.
        """
        beyond = self.beyond(penalty, correlation, lambda_)
        return beyond - self.allowed(penalty, lambda_, norms)
