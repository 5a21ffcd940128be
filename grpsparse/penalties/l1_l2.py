"""Group L1-L2: P = lambda (sum of w_g r_g - alpha ||r||), r the norms of all groups.

The length of the whole is taken off again, so that a vector of one group only pays w_g - alpha
instead of w_g, and one spread over many groups pays nearly all. Away from zero P is the group
lasso less a smooth convex part. It is not a sum over groups, but its proximal problem has a
closed solution. With c = y - mu w and x = b u, u of length 1 and nonnegative,

    ||x - y||**2 / 2 + mu (w'x - alpha ||x||) = ||y||**2 / 2 + b**2 / 2 - b (c'u + mu alpha):

u goes where c'u is largest, which is along the positive part of c, or where c has none to the
first of its largest entries, and b = (c'u + mu alpha)+.

References: Yin, Lou, He & Xin (2015), doi:10.1137/140952363; Lou & Yan (2018),
doi:10.1007/s10915-017-0463-2, for the proximal map; Ke, Shin, Lou & Ahn (2024),
doi:10.1007/s10915-024-02571-9, for groups.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import ClassVar

import numpy as np

from grpsparse.backend import Array, codes, namespace
from grpsparse.errors import PenaltyError
from grpsparse.groups import FloatArray
from grpsparse.penalties.checks import check_number
from grpsparse.penalties.dual import any_positive, group_norms, level_critical
from grpsparse.penalties.joint import JointFunctions
from grpsparse.penalties.protocol import Segments

__all__ = ["GroupL1L2"]


@dataclass(frozen=True, slots=True, repr=False)
class GroupL1L2(JointFunctions):
    """Group L1-L2.

    Zero is stationary while every gradient is at most ``lambda_ * (w_g - alpha)``, which makes
    lambda_max. A group of weight alpha is not penalised while it is alone: then zero never is
    stationary, and an automatic path begins at the lambda_max of the group lasso, usually with
    one group. A group of a weight below alpha would be paid to be alone, and is refused.

    Parameters
    ----------
    alpha : float
        Share of the length that is taken off, in [0, 1]; 0 is the group lasso.

    Raises
    ------
    PenaltyError
        If alpha is not in [0, 1].

    Examples
    --------
    A block that is alone pays 1 - alpha.

    >>> GroupL1L2(alpha=0.5).value([3.0, 4.0], 2.0)
    5.0

    Beside others it is shrunk by less than the group lasso would.

    >>> import numpy as np
    >>> GroupL1L2(alpha=1.0).joint_prox(np.array([4.0, 5.0, 0.5]), np.ones(3), 1.0, 1.0)
    array([3.6, 4.8, 0. ])
    """

    alpha: float = 0.5

    name: ClassVar[str] = "group_l1_l2"
    title: ClassVar[str] = "group L1-L2"
    code: ClassVar[int] = codes.LINEAR

    def __post_init__(self) -> None:
        check_number(self, "alpha", lambda x: 0.0 <= x <= 1.0, "a number in [0, 1]")

    @property
    def parameters(self) -> tuple[float, float]:
        """Slope of a block of weight 1 that is alone, no ridge part."""
        return (1.0 - self.alpha, 0.0)

    def radial_value(self, norm: Array, level: Array) -> Array:
        """Return (1 - alpha) level norm."""
        return (1.0 - self.alpha) * level * norm

    def radial_derivative(self, norm: Array, level: Array) -> Array:
        """Return (1 - alpha) level."""
        return (1.0 - self.alpha) * level + namespace(norm).zeros_like(norm)

    def weak_convexity(self, level: Array | float) -> float:
        """Return infinity, the bend of -||r|| at zero; 0 where nothing is penalised."""
        return inf if self.alpha > 0.0 and any_positive(level) else 0.0

    def critical_lambda(
        self, correlation: FloatArray, segments: Segments, weight: FloatArray, penalised: Array
    ) -> float:
        """Return the largest ``||correlation_g|| / (weight_g - alpha)``.

        Raises
        ------
        PenaltyError
            If a penalised group has a weight below alpha.
        """
        margin = weight - self.alpha
        if np.any(margin[penalised] < 0.0):
            least = float(weight[penalised].min())
            raise PenaltyError(
                f"GroupL1L2: alpha is {self.alpha:g}, but a group has the weight {least:.4g}, and "
                "by itself it would have a penalty below zero; give an alpha of at most the "
                "smallest weight, or a larger `penalty_factor`."
            )
        size = group_norms(correlation, segments.starts)
        return level_critical(size, np.where(margin > 0.0, margin, weight), penalised)

    def joint_value(self, norms: Array, weight: Array, lambda_: float) -> float:
        """Return lambda (sum of weight * norms - alpha ||norms||)."""
        xp = namespace(norms, weight)
        length = xp.sqrt(xp.sum(norms * norms))
        return lambda_ * float(xp.sum(weight * norms) - self.alpha * length)

    def joint_slope(self, norms: Array, weight: Array, lambda_: float) -> Array:
        """Return lambda (weight - alpha norms / ||norms||), at zero lambda (weight - alpha)."""
        xp = namespace(norms, weight)
        length = float(xp.sqrt(xp.sum(norms * norms)))
        part = norms / length if length > 0.0 else xp.ones_like(norms)
        return lambda_ * (weight - self.alpha * part)

    def joint_curvature(
        self, norms: Array, weight: Array, lambda_: float
    ) -> tuple[float, Array, float]:
        """Return those of -lambda alpha ||norms||."""
        xp = namespace(norms, weight)
        length = float(xp.sqrt(xp.sum(norms * norms)))
        if length == 0.0:
            return 0.0, xp.zeros_like(norms), 0.0
        bend = lambda_ * self.alpha / length
        return -bend, norms / length, bend

    def joint_prox(self, norms: Array, weight: Array, step: float, lambda_: float) -> Array:
        """Return the positive part of c made longer by mu alpha, or its first largest entry."""
        xp = namespace(norms, weight)
        level = step * lambda_
        left = norms - level * weight
        inside = xp.maximum(left, xp.zeros_like(left))
        length = float(xp.sqrt(xp.sum(inside * inside)))
        if length > 0.0:
            return inside * (1.0 + self.alpha * level / length)
        if not left.shape[0]:
            return left
        first = xp.arange(left.shape[0]) == xp.argmax(left)
        alone = xp.maximum(left + self.alpha * level, xp.zeros_like(left))
        return xp.where(first, alone, xp.zeros_like(left))
