"""Penalties of single coefficients inside of groups, P(b) = outer(sum_j inner(|b_j|)).

With both functions concave the slope in a coefficient, outer'(sum) inner'(|b_j|), falls with the
coefficient itself and with all others of its block: a block that is in is left in peace as a
whole. The tangent at any point is a weighted lasso that lies above the penalty
(:mod:`grpsparse.solvers.reweighted`).

The proximal map. With r(mu) the minimisers of (r - |b_j|)**2 / 2 + mu inner(r), a minimiser x of
||x - b||**2 / 2 + step P(x) has |x| = r(mu) at mu = step outer'(sum inner(|x|)). Between the
thresholds, where coefficients leave zero, the difference of the two sides of that equation bends
one way only, so that its first root there is the one place in between where a minimum may be.
The best of these finitely many points is the global minimiser.

References: Breheny & Huang (2009), doi:10.4310/SII.2009.v2.n3.a10; Huang, Breheny & Ma (2012),
doi:10.1214/12-STS392.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import inf
from typing import ClassVar, Protocol

import numpy as np

from grpsparse.backend import Array, codes
from grpsparse.groups import FloatArray, IntArray
from grpsparse.penalties.block import BlockFunctions
from grpsparse.penalties.checks import checked_lambda, checked_step
from grpsparse.penalties.dual import level_critical
from grpsparse.penalties.protocol import NestedPenalty, Segments

__all__ = ["Composed", "NestedFunctions", "compose", "entry_critical", "largest_entries"]

ACCURACY = 1e-15  # relative change at which a search for a root has ended
INSIDE = 1.0 + 4.0 * float(np.finfo(float).eps)  # ratio to a threshold, past its rounding
MOST_STEPS = 200
LEAVING = 1e-12  # of a coefficient, below which it is at its own threshold, where slopes jump
DUST = 1e-14  # the same, below which rounding alone has left it


@dataclass(frozen=True, slots=True)
class Composed:
    """A nested penalty at N coefficients of B blocks.

    Parameters
    ----------
    value : ndarray of shape (B,)
        Of every block.
    slope : ndarray of shape (N,)
        Derivatives in the absolute coefficients.
    own : ndarray of shape (N,)
        Second derivatives without those of the outer function.
    inner_slope : ndarray of shape (N,)
        Those of the inner function; with `outer_bend` the rest of the Hessian of a block is
        ``outer_bend * inner_slope inner_slope'``.
    outer_bend : ndarray of shape (B,)
    """

    value: FloatArray
    slope: FloatArray
    own: FloatArray
    inner_slope: FloatArray
    outer_bend: FloatArray


def compose(
    penalty: NestedPenalty, size: FloatArray, owner: IntArray, level: FloatArray, count: IntArray
) -> Composed:
    """Return a nested penalty with its derivatives.

    Parameters
    ----------
    penalty : NestedPenalty
    size : ndarray of shape (N,)
        Absolute coefficients.
    owner : ndarray of int, shape (N,)
        Their blocks.
    level : ndarray of shape (B,)
        Lambda times weight of the blocks.
    count : ndarray of int, shape (B,)
        Coefficients of the blocks, also of those that are zero and left out here.
    """
    inner, inner_slope, inner_bend = penalty.inner(size, level[owner])
    total = np.bincount(owner, weights=inner, minlength=level.size)
    value, slope, bend = penalty.outer(total, level, count)
    return Composed(value, slope[owner] * inner_slope, slope[owner] * inner_bend, inner_slope, bend)


def largest_entries(rows: FloatArray, starts: IntArray) -> FloatArray:
    """Return the largest absolute entry of every group of rows of a (q, K) array, (G,)."""
    filled = starts[1:] > starts[:-1]
    out = np.zeros(filled.size)
    if filled.any():
        out[filled] = np.maximum.reduceat(np.abs(rows).max(axis=1), starts[:-1][filled])
    return out


def entry_critical(
    correlation: FloatArray, segments: Segments, weight: FloatArray, penalised: Array
) -> float:
    """Return the smallest lambda with all ``|correlation_gj| <= lambda * weight_g``."""
    return level_critical(largest_entries(correlation, segments.starts), weight, penalised)


class _Mapped(NestedPenalty, Protocol):
    """What the proximal map asks for."""

    def thresholds(self, size: FloatArray, level: float) -> FloatArray: ...

    def shrunk(self, size: FloatArray, mu: float, level: float) -> FloatArray: ...


class NestedFunctions(BlockFunctions):
    """What nested penalties have in common."""

    __slots__ = ()

    convex: ClassVar[bool] = False
    elementwise: ClassVar[bool] = False
    bilevel: ClassVar[bool] = True
    nested: ClassVar[bool] = True
    solver: ClassVar[str] = "reweighted"
    code: ClassVar[int] = codes.LINEAR  # of its tangents
    parameters: ClassVar[tuple[float, float]] = (1.0, 0.0)
    l1_fraction: ClassVar[float] = 0.0

    def radial_value(self: NestedPenalty, norm: Array, level: Array) -> Array:
        """Return the penalty of a block of one coefficient."""
        return self.outer(self.inner(norm, level)[0], level, 1)[0]

    def radial_derivative(self: NestedPenalty, norm: Array, level: Array) -> Array:
        """Return outer' inner' of a block of one coefficient."""
        inner, slope, _ = self.inner(norm, level)
        return self.outer(inner, level, 1)[1] * slope

    def radial_curvature(self: NestedPenalty, norm: Array, level: Array) -> Array:
        """Return outer'' inner'**2 + outer' inner'' of a block of one coefficient."""
        inner, slope, bend = self.inner(norm, level)
        _, outer_slope, outer_bend = self.outer(inner, level, 1)
        return outer_bend * slope**2 + outer_slope * bend

    def critical_lambda(
        self, correlation: FloatArray, segments: Segments, weight: FloatArray, penalised: Array
    ) -> float:
        """Return where the largest entry of every block is at most its level, the slope at 0."""
        return entry_critical(correlation, segments, weight, penalised)

    def value(self: NestedPenalty, b: Array, lambda_: float) -> float:
        """Return the penalty of one block of weight 1.

        Parameters
        ----------
        b : array_like of shape (m,) or (m, K)
            The coefficients.
        lambda_ : float
            Penalty level, at least 0.

        Returns
        -------
        float
        """
        size = np.abs(np.asarray(b, dtype=float)).ravel()
        level = np.array([checked_lambda(lambda_)])
        owner, count = np.zeros(size.size, dtype=np.int64), np.array([size.size])
        return float(compose(self, size, owner, level, count).value[0])

    def prox(self: _Mapped, b: Array, step: float, lambda_: float) -> FloatArray:
        """Return the global minimiser x of ``||x - b||**2 / 2 + step * P(x; lambda_)``.

        Parameters
        ----------
        b : array_like of shape (m,) or (m, K)
            The point, a block of weight 1.
        step : float
            Any positive number, also where the problem is not convex.
        lambda_ : float
            Penalty level, at least 0.

        Returns
        -------
        ndarray of the shape of b
            The smaller one where there are two minimisers.

        Raises
        ------
        OptionError
            If the step is not positive.
        """
        level, length = checked_lambda(lambda_), checked_step(step)
        block = np.asarray(b, dtype=float)
        if level == 0.0:
            return block.copy()
        size = np.abs(block).ravel()
        found = _best(self, size, length, level)
        shrunk: FloatArray = np.copysign(found.reshape(block.shape), block)
        return shrunk


def _best(penalty: _Mapped, size: FloatArray, step: float, level: float) -> FloatArray:
    """Return the best of the points at which a minimum may be, the smaller one of two."""
    levels, count = np.array([level]), np.array([size.size])
    owner = np.zeros(size.size, dtype=np.int64)

    def cost(point: FloatArray) -> float:
        paid = compose(penalty, point, owner, levels, count).value[0]
        return float(0.5 * np.sum((point - size) ** 2) + step * paid)

    def excess(mu: float) -> tuple[float, float]:
        """Return step outer'(sum inner(r)) - mu at the minimisers r for mu, and its slope."""
        point = penalty.shrunk(size, mu, level)
        inner, slope, bend = penalty.inner(point, levels)
        _, outer_slope, outer_bend = penalty.outer(np.sum(inner, keepdims=True), levels, count)
        moving = (point > LEAVING * size) & (slope > 0.0)
        fall = np.sum(slope[moving] ** 2 / (1.0 + mu * bend[moving]))
        return float(step * outer_slope[0] - mu), float(-step * outer_bend[0] * fall - 1.0)

    steepest = step * float(penalty.outer(np.zeros(1), levels, count)[1][0])
    edges = np.concatenate([[0.0], penalty.thresholds(size, level), [steepest]])
    edges = np.unique(edges[edges <= steepest])[::-1]  # from small points to large ones
    best, least = np.zeros_like(size), inf
    for place, low in enumerate(edges.tolist()):
        high = float(edges[place - 1]) if place else steepest
        # on the threshold itself a coefficient may be on either side of its jump
        mu = _first_root(excess, low * INSIDE, high, 2.0 * (INSIDE - 1.0) * steepest)
        if mu is None:
            continue
        point = penalty.shrunk(size, mu, level)
        value = cost(point)
        if value < least:
            best, least = point, value
    return np.where(best > DUST * size, best, 0.0)


def _first_root(
    excess: Callable[[float], tuple[float, float]], low: float, high: float, noise: float
) -> float | None:
    """Return the first root of a function that bends upwards and falls there, None without one.

    Newton's method from the left never passes it.
    """
    mu = low
    for _ in range(MOST_STEPS):
        left, slope = excess(mu)
        if left <= noise:
            return mu if mu > low or left >= -noise else None
        if slope >= 0.0:
            return None
        change = -left / slope
        mu += change
        if mu > high:
            return None
        if change <= ACCURACY * mu:
            break
    return mu
