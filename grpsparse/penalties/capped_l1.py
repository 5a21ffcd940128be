"""Group capped-L1: p(t; l) = l min(t, theta), a group lasso that large groups are let off.

The kink at t = theta is concave: there the slope to the left is larger than to the right, so
that no stationary point has a group with exactly that norm. Where theta follows the level,
theta = l, and outside the gaussian family l / v, v the curvature of the loss, as for MCP.

References: Zhang (2013), doi:10.48550/arXiv.1106.0565.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from math import inf
from typing import ClassVar, Self

from grpsparse.backend import Array, codes, namespace
from grpsparse.groups import FloatArray
from grpsparse.penalties.block import BlockFunctions
from grpsparse.penalties.checks import check_number
from grpsparse.penalties.dual import any_positive, norm_critical
from grpsparse.penalties.protocol import Segments

__all__ = ["GroupCappedL1"]

MULTIPLE = 1.0  # of the level, that theta is where it follows it


@dataclass(frozen=True, slots=True, repr=False)
class GroupCappedL1(BlockFunctions):
    """Group capped-L1.

    Parameters
    ----------
    theta : float, optional
        Norm beyond which nothing more is paid, above 0: a length on the standardised scale,
        whatever lambda and family are. With orthonormal groups it is the standard deviation of
        what a group adds to the linear predictor, in units of y for the gaussian family. None
        lets it follow the level, theta = l / v, so that units drop out.
    scale : float
        The curvature v of the loss where theta is None; set by :meth:`rescaled`, not by users.

    Raises
    ------
    PenaltyError
        If a parameter is not positive.

    Examples
    --------
    >>> GroupCappedL1(theta=2.0).prox([0.0, 2.0], 1.0, 1.0)
    array([0., 1.])
    >>> GroupCappedL1(theta=2.0).prox([0.0, 3.0], 1.0, 1.0)
    array([0., 3.])
    """

    theta: float | None = None
    scale: float = field(default=1.0, kw_only=True)

    name: ClassVar[str] = "group_capped_l1"
    title: ClassVar[str] = "group capped-L1"
    convex: ClassVar[bool] = False
    elementwise: ClassVar[bool] = False
    bilevel: ClassVar[bool] = False
    code: ClassVar[int] = codes.CAPPED
    l1_fraction: ClassVar[float] = 0.0

    def __post_init__(self) -> None:
        if self.theta is not None:
            check_number(self, "theta", lambda x: x > 0.0, "a positive number, or None")
        check_number(self, "scale", lambda x: x > 0.0, "a positive number")

    @property
    def parameters(self) -> tuple[float, float]:
        """The cap, and its share of the level."""
        return (0.0, MULTIPLE / self.scale) if self.theta is None else (self.theta, 0.0)

    def _cap(self, level: Array) -> Array:
        fixed, share = self.parameters
        return fixed + share * level

    def radial_value(self, norm: Array, level: Array) -> Array:
        """Return level * min(norm, theta)."""
        return level * namespace(norm, level).minimum(norm, self._cap(level))

    def radial_derivative(self, norm: Array, level: Array) -> Array:
        """Return level below theta, 0 from theta on."""
        xp = namespace(norm, level)
        return xp.where(norm < self._cap(level), level, xp.zeros_like(norm + level))

    def weak_convexity(self, level: Array | float) -> float:
        """Return infinity for the kink, 0 where nothing is penalised."""
        return inf if any_positive(level) else 0.0

    def rescaled(self, factor: float) -> Self:
        """Return P(factor t; l) / factor where theta follows the level; else it is a length."""
        return replace(self, scale=factor) if self.theta is None else self

    def critical_lambda(
        self, correlation: FloatArray, segments: Segments, weight: FloatArray, penalised: Array
    ) -> float:
        """Return the group lasso's: the slope at 0 is the same."""
        return norm_critical(correlation, segments, weight, penalised)
