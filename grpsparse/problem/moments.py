"""Gaussian problems through their moments: no rows, only Z'WZ and Z'Wr.

A gaussian fit needs the rows once, for the Gram matrix. After that the residual's
correlations are c = c_0 - Z'WZ (theta - theta_0), its square and its product with the null
residual are sums of products of these, and so are loss and certificate. Sets of weights that
agree but for the rows they leave out (folds) share the cross-products of the parts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np

from grpsparse.groups import FloatArray, IntArray
from grpsparse.penalties import ConvexPenalty
from grpsparse.problem.certificate import Checked, violation
from grpsparse.problem.problem import Problem

__all__ = ["Moments", "moments_of"]

SAME_WEIGHTS = 1e-12  # relative difference below which two sets of weights agree
RANK_FLOOR = 1e-12  # of the unpenalised coordinates' Gram matrix
MOST_PARTS = 4  # parts of the rows per set of weights, beyond which sharing does not pay


@dataclass(frozen=True, slots=True)
class Moments:
    """A gaussian problem without its rows.

    Parameters
    ----------
    problem : Problem
    gram : ndarray of shape (q, q)
        Z'WZ.
    """

    problem: Problem
    gram: FloatArray

    def correlation(self, theta: FloatArray) -> FloatArray:
        """Return Z'W r, (q, 1), at coefficients theta (q, 1)."""
        start = self.problem.start
        moved = theta - start.theta
        active = np.flatnonzero(moved)
        if 2 * active.size > moved.size:
            return np.asarray(start.correlation - self.gram @ moved)
        return np.asarray(start.correlation - self.gram[active].T @ moved[active])

    def squares(self, theta: FloatArray, correlation: FloatArray) -> tuple[float, float]:
        """Return sum w r^2 and sum w r r_0 of a point."""
        start = self.problem.start
        moved = (theta - start.theta)[:, 0]
        null = 2.0 * start.loss
        cross = null - float(moved @ start.correlation[:, 0])
        return cross - float(moved @ correlation[:, 0]), cross

    def certify(
        self, theta: FloatArray, correlation: FloatArray, lambda_: float, penalty: float
    ) -> float:
        """Return the relative duality gap or violation of stationarity of a point.

        Parameters
        ----------
        theta, correlation : ndarrays of shape (q, 1)
        lambda_ : float
        penalty : float
            Penalty of the point.
        """
        problem = self.problem
        square, cross = self.squares(theta, correlation)
        free = self._free(lambda_)
        part = np.linalg.lstsq(self.gram[np.ix_(free, free)], correlation[free], RANK_FLOOR)[0]
        left = float((part * correlation[free]).sum())  # squared norm of the part not orthogonal
        if not problem.penalty.convex:
            checked = Checked(problem.blocks, correlation, theta)
            worst = violation(problem, lambda_, checked)
            return max(worst, float(np.sqrt(max(left, 0.0)))) / problem.gradient_scale
        dual = correlation - self.gram[:, free] @ part if free.size else correlation
        # at lambda 0 the null residual is not orthogonal to what is taken off
        cross -= float((part * problem.start.correlation[free]).sum())
        value = self._dual_value(dual, square - left, cross, lambda_)
        return (0.5 * square + penalty - value) / problem.scale

    def _free(self, lambda_: float) -> IntArray:
        """Return the coordinates without penalty: all of them at lambda 0."""
        blocks = self.problem.blocks
        if lambda_ > 0:
            return blocks.rows(np.flatnonzero(~blocks.penalised))
        return np.arange(self.gram.shape[0])

    def _dual_value(
        self, correlation: FloatArray, square: float, cross: float, lambda_: float
    ) -> float:
        """Return the dual objective of a residual scaled into the ball."""
        blocks = self.problem.blocks
        penalty = cast(ConvexPenalty, self.problem.penalty)
        level, single = lambda_ * blocks.weight, lambda_ * blocks.penalised.astype(np.float64)
        scale = penalty.dual_scale(correlation, blocks, level, single)
        paid = penalty.conjugate(scale * correlation, blocks, level, single)
        return scale * cross - 0.5 * scale**2 * square - paid


def moments_of(problems: Sequence[Problem]) -> list[Moments]:
    """Return the moments of problems of one design under several sets of weights."""
    weights = np.stack([problem.data.weights for problem in problems])
    shared = _parts(weights)
    if shared is None:
        return [
            Moments(problem, problem.coordinates.gram(problem.data.weights)) for problem in problems
        ]
    base, scale, part, inside = shared
    design = problems[0].coordinates.design
    every = np.arange(design.shape[1])
    tables = design.cross_by_part(every, None, base, part, inside.shape[1])
    whole = tables.sum(axis=0)
    alone = (~inside).sum(axis=0) == 1  # parts that one set only leaves out: their table is free
    out = []
    for number, problem in enumerate(problems):
        outside = np.flatnonzero(~inside[number])
        if outside.size == 1 and alone[outside[0]]:
            cross = np.subtract(whole, tables[outside[0]], out=tables[outside[0]])
        elif 2 * outside.size <= inside.shape[1]:
            cross = whole.copy()
            for each in outside:
                cross -= tables[each]
        else:
            cross = tables[inside[number]].sum(axis=0)
        out.append(Moments(problem, problem.coordinates.gram_of(cross, scale[number])))
    return out


def _parts(
    weights: FloatArray,
) -> (
    tuple[FloatArray, FloatArray, IntArray, np.ndarray[tuple[int, int], np.dtype[np.bool_]]] | None
):
    """Return common weights (n,), factors (F,), parts (n,), and which parts a set has (F, parts).

    None where the sets are not one set of weights with rows left out, or have too many parts.
    """
    count = weights.shape[0]
    if count == 1:
        return None
    inside = weights > 0
    factor = np.ones(count)
    for number in range(1, count):
        common = np.flatnonzero(inside[0] & inside[number])
        if not common.size:
            return None
        factor[number] = weights[number, common[0]] / weights[0, common[0]]
    base = (weights / factor[:, None]).max(axis=0)
    expected = np.where(inside, base, 0.0) * factor[:, None]
    if not np.allclose(weights, expected, rtol=SAME_WEIGHTS, atol=0.0):
        return None
    part: IntArray = np.zeros(inside.shape[1], dtype=np.int64)
    for row in inside:  # number the patterns of sets so far, without sorting
        code = 2 * part + row
        used = np.zeros(2 * (int(part.max(initial=0)) + 1), dtype=np.bool_)
        used[code] = True
        part = (np.cumsum(used) - 1)[code]
        if np.count_nonzero(used) > MOST_PARTS * count:
            return None
    sets = np.empty((count, int(part.max(initial=0)) + 1), dtype=np.bool_)
    sets[:, part] = inside
    return base, factor, part, sets
