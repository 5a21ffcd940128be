"""Group CEL0, the continuous exact relaxation of L0 for least squares: an MCP in other words.

For a group whose columns have X_g'WX_g = v I, and with c = sqrt(2 l / v), the penalty is
p(t; l) = l - (v / 2) (t - c)**2 up to t = c, and l beyond: the MCP of level sqrt(2 l v) and
concavity 1 / v. It has the global minimisers of L0, and no local one that L0 does not have.

References: Soubies, Blanc-Feraud & Aubert (2015), doi:10.1137/151003714.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import ClassVar, Self

from grpsparse.backend import Array, codes, namespace
from grpsparse.groups import FloatArray
from grpsparse.penalties.block import BlockFunctions
from grpsparse.penalties.checks import check_number
from grpsparse.penalties.dual import UP, any_positive, group_norms, level_critical
from grpsparse.penalties.protocol import Segments

__all__ = ["GroupCEL0"]


@dataclass(frozen=True, slots=True, repr=False)
class GroupCEL0(BlockFunctions):
    """Group CEL0.

    It has no parameter: the level is what a group costs, and v is 1 for the standardised columns
    of the gaussian family. Other families put their curvature in its place. Columns that are
    not standardised have other squares than 1, for which it is not exact.

    Parameters
    ----------
    scale : float
        The curvature v; set by :meth:`rescaled`, not by users.

    Raises
    ------
    PenaltyError
        If a parameter is out of its range.

    Examples
    --------
    >>> GroupCEL0().prox([0.0, 1.9], 1.0, 2.0)
    array([0., 0.])
    >>> GroupCEL0().prox([0.0, 2.1], 1.0, 2.0)
    array([0. , 2.1])
    """

    scale: float = field(default=1.0, kw_only=True)

    name: ClassVar[str] = "group_cel0"
    title: ClassVar[str] = "group CEL0"
    convex: ClassVar[bool] = False
    elementwise: ClassVar[bool] = False
    bilevel: ClassVar[bool] = False
    code: ClassVar[int] = codes.CEL0
    l1_fraction: ClassVar[float] = 0.0

    def __post_init__(self) -> None:
        check_number(self, "scale", lambda x: x > 0.0, "a positive number")

    @property
    def parameters(self) -> tuple[float, float]:
        """The curvature; the second number is not used."""
        return (self.scale, 0.0)

    def radial_value(self, norm: Array, level: Array) -> Array:
        """Return the MCP at level sqrt(2 level v), concavity 1 / v."""
        xp = namespace(norm, level)
        t = xp.minimum(norm, xp.sqrt(2.0 * level / self.scale))
        return t * (xp.sqrt(2.0 * level * self.scale) - 0.5 * self.scale * t)

    def radial_derivative(self, norm: Array, level: Array) -> Array:
        """Return (sqrt(2 level v) - v norm)+."""
        xp = namespace(norm, level)
        return xp.maximum(xp.sqrt(2.0 * level * self.scale) - self.scale * norm, 0.0)

    def radial_curvature(self, norm: Array, level: Array) -> Array:
        """Return -v up to norm = sqrt(2 level / v), then 0."""
        xp = namespace(norm, level)
        bent = norm < xp.sqrt(2.0 * level / self.scale)
        return xp.where(bent, -self.scale, xp.zeros_like(norm + level))

    def weak_convexity(self, level: Array | float) -> float:
        """Return v, 0 where nothing is penalised."""
        return self.scale if any_positive(level) else 0.0

    def rescaled(self, factor: float) -> Self:
        """Return the penalty of curvature v = factor."""
        return replace(self, scale=factor)

    def critical_lambda(
        self, correlation: FloatArray, segments: Segments, weight: FloatArray, penalised: Array
    ) -> float:
        """Return the largest ``||correlation_g||**2 / (2 v weight_g)``."""
        level = group_norms(correlation, segments.starts) ** 2 / (2.0 * self.scale)
        return level_critical(level, weight, penalised) * UP
