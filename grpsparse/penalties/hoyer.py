"""Group Hoyer: P = lambda (sum of w_g r_g)**2 / sum of r_g**2, r the norms of all groups; 0 at 0.

P does not depend on the length of r but on how it is spread: one group pays lambda w_g**2, G
equal ones of weight 1 pay lambda G. Norms above N2 / N1, N1 = w'r and N2 = r'r, are made
larger and those below it smaller.

The proximal map. With x = b u, u of length 1 and nonnegative, the best b is y'u, and what remains
is to minimise mu (w'u)**2 - (y'u)**2 / 2. Zero, whose value is 0, is beaten where
y'u > sqrt(2 mu) w'u, and so by no u while y <= sqrt(2 mu) w. At a minimum that beats it u is along
(y - t w)+ with t = 2 mu w'x / x'x, so it holds the first m groups by y / w for some m, and
there belongs to the smallest eigenvalue of mu ww' - yy' / 2, which has rank 2. With A, B and C the
sums of w**2, w y and y**2 over these groups and D = mu A - C / 2

    t = 2 mu B / (mu A + C / 2 + sqrt(D**2 + 2 mu (A C - B**2))).

The eigenvalue falls as groups join, so the largest m whose u is positive is the global minimum. No
other point beats zero and is stationary: between two of them, inside the cone where zero is
beaten, would be a maximum, but the matrix has one negative eigenvalue only. So a stationary x is
the proximal point of a step 1 / L exactly if it beats zero, ||x||**2 > 2 P(x) / L.

References: Hoyer (2004), Journal of Machine Learning Research 5, for the measure of sparseness;
Yang, Wen & Li (2020), International Conference on Learning Representations, for its square on
norms of groups.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, sqrt
from typing import ClassVar

from grpsparse.backend import Array, namespace, running_sum
from grpsparse.groups import FloatArray
from grpsparse.penalties.block import PriceFunctions
from grpsparse.penalties.dual import UP, group_norms, level_critical
from grpsparse.penalties.joint import JointFunctions
from grpsparse.penalties.protocol import Segments

__all__ = ["GroupHoyer"]

# relative; a ratio y / w this near to the threshold t is on it, so that rounding keeps no group
TIE = 1e-14


@dataclass(frozen=True, slots=True, repr=False)
class GroupHoyer(PriceFunctions, JointFunctions):
    """Group Hoyer, the squared ratio of the L1 to the L2 norm of all group norms.

    Zero is a local minimum whatever the loss, because the first group costs ``w_g**2`` at once.
    So it has to stay when any single group takes a proximal step 1 / L_g, L_g a bound on the
    curvature of the loss along it: it does while every gradient is at most
    ``sqrt(2 lambda_ L_g) w_g``, which makes lambda_max. Other points have to be the proximal
    points of a step 1 / L, L a bound along all penalised groups at once. The loss has to have
    such bounds, which that of Poisson or Cox has not. Once one group is in, the others cost
    little, so that many may follow at nearly the same lambda.

    Where the loss does not change along a direction, a group may grow along it for nothing and
    for less penalty. For classes that is their common shift: coefficients have mean zero over
    classes, whose groups have to be shared. With more coordinates than rows the objective may
    have no minimum for the same reason, only stationary points.

    Examples
    --------
    >>> import numpy as np
    >>> norms, ones = np.array([3.0, 4.0]), np.ones(2)
    >>> GroupHoyer().joint_value(norms, ones, 1.0)
    1.96
    >>> GroupHoyer().joint_prox(np.array([3.0, 1.0, 0.2]), np.ones(3), 1.0, 0.5).round(4)
    array([3.0652, 0.7236, 0.    ])
    """

    name: ClassVar[str] = "group_hoyer"
    title: ClassVar[str] = "group Hoyer"
    growing: ClassVar[bool] = True

    def critical_lambda(
        self, correlation: FloatArray, segments: Segments, weight: FloatArray, penalised: Array
    ) -> float:
        """Return the largest ``||correlation_g||**2 / (2 curvature weight_g**2)``."""
        xp = namespace(weight)
        bend = xp.where(segments.curvature > 0.0, segments.curvature, 1.0)
        size = group_norms(correlation, segments.starts)
        return level_critical(size**2 / (2.0 * bend), weight**2, penalised) * UP**2

    def joint_value(self, norms: Array, weight: Array, lambda_: float) -> float:
        """Return lambda (sum of weight * norms)**2 / sum of norms**2."""
        total, square = _sums(norms, weight)
        return lambda_ * total**2 / square if square > 0.0 else 0.0

    def joint_slope(self, norms: Array, weight: Array, lambda_: float) -> Array:
        """Return 2 lambda rho (weight - rho norms), rho = w'r / r'r; infinity at zero."""
        total, square = _sums(norms, weight)
        xp = namespace(norms, weight)
        if square == 0.0:
            return xp.full_like(norms, inf if lambda_ > 0.0 else 0.0)
        ratio = total / square
        return (2.0 * lambda_ * ratio) * (weight - ratio * norms)

    def joint_curvature(
        self, norms: Array, weight: Array, lambda_: float
    ) -> tuple[float, Array, float]:
        """Return -2 lambda rho**2, weight - 2 rho norms and 2 lambda / r'r."""
        total, square = _sums(norms, weight)
        if square == 0.0:
            return 0.0, namespace(norms).zeros_like(norms), 0.0
        ratio = total / square
        return -2.0 * lambda_ * ratio**2, weight - 2.0 * ratio * norms, 2.0 * lambda_ / square

    def joint_limit(
        self,
        norms: Array,
        weight: Array,
        lambda_: float,
        alone: Array,
        together: float,  # noqa: ARG002
    ) -> Array:
        """Return sqrt(2 lambda alone) weight where all are zero, else the slopes."""
        xp = namespace(norms, weight, alone)
        if not xp.any(norms > 0.0):
            return xp.sqrt(2.0 * lambda_ * alone) * weight
        return self.joint_slope(norms, weight, lambda_)

    def joint_least(self, norms: Array, weight: Array, lambda_: float, together: float) -> float:
        """Return sqrt(2 P / together)."""
        paid = self.joint_value(norms, weight, lambda_)
        return sqrt(2.0 * paid / together) if paid > 0.0 else 0.0

    def joint_prox(self, norms: Array, weight: Array, step: float, lambda_: float) -> Array:
        """Return the norms along (norms - t weight)+, for the largest m that is inside."""
        xp = namespace(norms, weight)
        level = step * lambda_
        if level == 0.0 or not norms.shape[0]:
            return norms
        cut = _threshold(norms / weight, weight**2, level)
        if cut is None:
            return xp.zeros_like(norms)
        left = norms - cut * weight
        inside = xp.where(left > TIE * norms, left, xp.zeros_like(norms))
        return inside * (float(xp.sum(inside * norms)) / float(xp.sum(inside * inside)))


def _sums(norms: Array, weight: Array) -> tuple[float, float]:
    """Return w'r and r'r."""
    xp = namespace(norms, weight)
    return float(xp.sum(weight * norms)), float(xp.sum(norms * norms))


def _threshold(ratio: Array, square: Array, level: float) -> float | None:
    """Return t of ratios y / w and squares w**2, None where zero is the proximal point.

    A C - B**2 is A times the sum of squares of the ratios around their mean, w**2 the weights,
    which is updated group by group as a sum of positive terms.
    """
    xp = namespace(ratio, square)
    order = xp.argsort(-ratio, stable=True)
    ratio, square = xp.take(ratio, order), xp.take(square, order)
    first, second, third = (running_sum(square * ratio**power) for power in range(3))
    mean = second / first
    before = xp.concat([ratio[:1], mean[:-1]])
    around = running_sum(square * (1.0 - square / first) * (ratio - before) ** 2)
    gain = level * first - 0.5 * third
    root = xp.sqrt(gain**2 + 2.0 * level * first * around)
    cut = 2.0 * level * second / (level * first + 0.5 * third + root)
    inside = (ratio > cut * (1.0 + TIE)) & ((gain < 0.0) | (around > 0.0))
    found = xp.nonzero(inside)[0]
    return float(cut[int(found[-1])]) if found.shape[0] else None
