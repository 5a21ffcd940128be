"""A nested penalty on the rows of a working set: its value, and its curvature where it is smooth.

Around coefficients that are not zero P(b) = outer(sum_j inner(|b_j|)) has the gradient
outer' inner'_j sign(b_j), and the Hessian diag(outer' inner''_j) + outer'' d d' with
d_j = inner'_j sign(b_j).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import cast

import numpy as np

from grpsparse.groups import BoolArray, FloatArray, IntArray
from grpsparse.penalties import NestedPenalty
from grpsparse.penalties.nested import Composed, compose
from grpsparse.problem import Problem
from grpsparse.problem.smooth import Curved
from grpsparse.solvers.working_set import WorkingSet

__all__ = ["NestedBlocks"]


@dataclass(frozen=True, slots=True)
class NestedBlocks:
    """Blocks of an array theta (m, K) with their nested penalty.

    Parameters
    ----------
    penalty : NestedPenalty
    owner : ndarray of int, shape (m, K)
        Block of every entry, -1 where nothing is penalised.
    level : ndarray of shape (B,)
        Lambda times weight.
    count : ndarray of int, shape (B,)
        Coefficients of the blocks.
    """

    penalty: NestedPenalty
    owner: IntArray
    level: FloatArray
    count: IntArray

    @classmethod
    def of(cls, problem: Problem, working: WorkingSet, lambda_: float) -> NestedBlocks:
        """Build from the blocks of a working set."""
        owners, level, count = working.blocks.entries(problem.n_outputs, lambda_)
        owners = np.where(level[owners] > 0, owners, -1)
        none = np.full((working.top, problem.n_outputs), -1)
        penalty = cast(NestedPenalty, problem.penalty)
        return cls(penalty, np.concatenate([none, owners]), level, count)

    def rows(self, used: IntArray) -> NestedBlocks:
        """Return the blocks of some rows; others are zero."""
        return replace(self, owner=self.owner[used])

    def _at(self, theta: FloatArray, inside: BoolArray) -> Composed:
        sizes, owner = np.abs(theta[inside]), self.owner[inside]
        return compose(self.penalty, sizes, owner, self.level, self.count)

    def value(self, theta: FloatArray) -> float:
        """Return the penalty of theta."""
        return float(self._at(theta, self.owner >= 0).value.sum())

    def free_entries(self, theta: FloatArray) -> BoolArray:
        """Return the entries around which the penalty is smooth, (m, K)."""
        return np.asarray((self.owner < 0) | (theta != 0))

    def curved(self, free: BoolArray) -> Curved:
        """Return value, gradient and Hessian on the free entries of theta."""
        inside = (self.owner >= 0) & free
        owner = self.owner[inside]
        blocks, column = np.unique(owner, return_inverse=True)
        where = np.nonzero(inside)

        def gradient(theta: FloatArray) -> FloatArray:
            out = np.zeros(theta.shape)
            out[inside] = self._at(theta, inside).slope * np.sign(theta[inside])
            return out

        def hessian(theta: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
            at = self._at(theta, inside)
            diagonal = np.zeros(theta.shape)
            diagonal[inside] = at.own
            along = np.zeros((*theta.shape, blocks.size))
            along[where[0], where[1], column] = at.inner_slope * np.sign(theta[inside])
            return diagonal, along, at.outer_bend[blocks]

        return Curved(free, inside, bool(inside.any()), self.value, gradient, hessian)
