"""Group elastic net, p(t; l) = l (alpha t + (1 - alpha) t**2 / 2), and the elastic net.

The ridge part makes the conjugate finite everywhere: (||z|| - alpha l)+**2 / (2 (1 - alpha) l).

References: Zou & Hastie (2005), doi:10.1111/j.1467-9868.2005.00503.x.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from grpsparse.backend import Array, codes
from grpsparse.groups import FloatArray
from grpsparse.penalties.block import BlockFunctions
from grpsparse.penalties.checks import check_number
from grpsparse.penalties.dual import group_norms, norm_critical, norm_scale
from grpsparse.penalties.protocol import Segments

__all__ = ["ElasticNet", "GroupElasticNet"]


@dataclass(frozen=True, slots=True, repr=False)
class GroupElasticNet(BlockFunctions):
    """Group elastic net.

    Parameters
    ----------
    alpha : float
        Share of the group lasso, in (0, 1]; the rest is ridge.

    Raises
    ------
    PenaltyError
        If alpha is out of its range.

    Examples
    --------
    >>> GroupElasticNet(alpha=0.5).prox([3.0, 4.0], 1.0, 2.0)
    array([1.2, 1.6])
    """

    alpha: float = 0.5

    name: ClassVar[str] = "group_elastic_net"
    title: ClassVar[str] = "group elastic net"
    convex: ClassVar[bool] = True
    elementwise: ClassVar[bool] = False
    bilevel: ClassVar[bool] = False
    code: ClassVar[int] = codes.LINEAR
    l1_fraction: ClassVar[float] = 0.0

    def __post_init__(self) -> None:
        check_number(self, "alpha", lambda x: 0.0 < x <= 1.0, "a number in (0, 1]")

    @property
    def parameters(self) -> tuple[float, float]:
        """Slope and ridge part."""
        return (self.alpha, 1.0 - self.alpha)

    def radial_value(self, norm: Array, level: Array) -> Array:
        """Return level (alpha norm + (1 - alpha) norm**2 / 2)."""
        return level * norm * (self.alpha + 0.5 * (1.0 - self.alpha) * norm)

    def radial_derivative(self, norm: Array, level: Array) -> Array:
        """Return level (alpha + (1 - alpha) norm)."""
        return level * (self.alpha + (1.0 - self.alpha) * norm)

    def radial_curvature(self, norm: Array, level: Array) -> Array:
        """Return level (1 - alpha)."""
        return (1.0 - self.alpha) * level + 0.0 * norm

    def weak_convexity(self, level: Array | float) -> float:  # noqa: ARG002
        """Return 0."""
        return 0.0

    def critical_lambda(
        self, correlation: FloatArray, segments: Segments, weight: FloatArray, penalised: Array
    ) -> float:
        """Return the group lasso's over alpha: the ridge part has no slope at 0."""
        return norm_critical(correlation, segments, weight, penalised) / self.alpha

    def dual_scale(
        self,
        correlation: FloatArray,
        segments: Segments,
        level: FloatArray,
        l1_level: FloatArray,  # noqa: ARG002
    ) -> float:
        """Return 1: the conjugate is finite everywhere (alpha = 1: as the group lasso)."""
        return 1.0 if self.alpha < 1.0 else norm_scale(correlation, segments, level)

    def conjugate(
        self,
        correlation: FloatArray,
        segments: Segments,
        level: FloatArray,
        l1_level: FloatArray,  # noqa: ARG002
    ) -> float:
        """Return the sum of (||z_g|| - alpha l_g)+**2 / (2 (1 - alpha) l_g)."""
        if self.alpha == 1.0:
            return 0.0
        seen = level > 0.0
        norms, levels = group_norms(correlation, segments.starts)[seen], level[seen]
        excess = np.maximum(norms - self.alpha * levels, 0.0)
        return float(np.sum(excess**2 / (2.0 * (1.0 - self.alpha) * levels)))


@dataclass(frozen=True, slots=True, repr=False)
class ElasticNet(GroupElasticNet):
    """Elastic net: every coefficient is a group.

    Parameters
    ----------
    alpha : float
        Share of the lasso, in (0, 1]; the rest is ridge.

    Examples
    --------
    >>> ElasticNet(alpha=0.5).value([1.0, -2.0], 2.0)
    5.5
    """

    name: ClassVar[str] = "elastic_net"
    title: ClassVar[str] = "elastic net"
    elementwise: ClassVar[bool] = True
