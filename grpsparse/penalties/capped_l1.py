"""Group capped-L1: p(t; l) = l min(t, theta), a group lasso that large groups are let off.

The kink at t = theta is concave: there the slope to the left is larger than to the right, so
that no stationary point has a group with exactly that norm.

References: Zhang (2013), doi:10.48550/arXiv.1106.0565.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import ClassVar, Self

from grpsparse.backend import Array, codes, namespace
from grpsparse.groups import FloatArray
from grpsparse.penalties.block import BlockFunctions
from grpsparse.penalties.checks import check_number
from grpsparse.penalties.dual import any_positive, norm_critical
from grpsparse.penalties.protocol import Segments

__all__ = ["GroupCappedL1"]


@dataclass(frozen=True, slots=True, repr=False)
class GroupCappedL1(BlockFunctions):
    """Group capped-L1.

    Parameters
    ----------
    theta : float
        Norm beyond which nothing more is paid, above 0. It is a length on the standardised
        scale: with orthonormal groups the standard deviation of what a group adds to the linear
        predictor, in units of y for the gaussian family, whatever lambda and family are. The
        default, 1, is large for a standardised response and for a log-odds or a log-rate.

    Raises
    ------
    PenaltyError
        If theta is not positive.

    Examples
    --------
    >>> GroupCappedL1(theta=2.0).prox([0.0, 2.0], 1.0, 1.0)
    array([0., 1.])
    >>> GroupCappedL1(theta=2.0).prox([0.0, 3.0], 1.0, 1.0)
    array([0., 3.])
    """

    theta: float = 1.0

    name: ClassVar[str] = "group_capped_l1"
    title: ClassVar[str] = "group capped-L1"
    convex: ClassVar[bool] = False
    elementwise: ClassVar[bool] = False
    bilevel: ClassVar[bool] = False
    code: ClassVar[int] = codes.CAPPED
    l1_fraction: ClassVar[float] = 0.0

    def __post_init__(self) -> None:
        check_number(self, "theta", lambda x: x > 0.0, "a positive number")

    @property
    def parameters(self) -> tuple[float, float]:
        """The cap; the second number is not used."""
        return (self.theta, 0.0)

    def radial_value(self, norm: Array, level: Array) -> Array:
        """Return level * min(norm, theta)."""
        return level * namespace(norm).clip(norm, None, self.theta)

    def radial_derivative(self, norm: Array, level: Array) -> Array:
        """Return level below theta, 0 from theta on."""
        xp = namespace(norm, level)
        return xp.where(norm < self.theta, level, xp.zeros_like(norm + level))

    def radial_curvature(self, norm: Array, level: Array) -> Array:
        """Return zeros: all concavity is in the kink."""
        return namespace(norm).zeros_like(norm + level)

    def weak_convexity(self, level: Array | float) -> float:
        """Return infinity for the kink, 0 where nothing is penalised."""
        return inf if any_positive(level) else 0.0

    def rescaled(self, factor: float) -> Self:  # noqa: ARG002
        """Return itself: theta is a length in every family."""
        return self

    def critical_lambda(
        self, correlation: FloatArray, segments: Segments, weight: FloatArray, penalised: Array
    ) -> float:
        """Return the group lasso's: the slope at 0 is the same."""
        return norm_critical(correlation, segments, weight, penalised)
