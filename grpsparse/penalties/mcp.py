"""Group MCP: firm thresholding of group norms; and MCP, with groups of one.

For a group with norm t and level l the penalty is P(t; l) = l t - t**2 / (2 gamma) up to
t = gamma l and constant beyond. Outside the gaussian family P(v t; l) / v takes its place, v
the curvature of the loss: gamma then means the same as for least squares.

References: Zhang (2010), doi:10.1214/09-AOS729; Breheny & Huang (2015),
doi:10.1007/s11222-013-9424-2.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from grpsparse.backend import Array, codes, namespace
from grpsparse.groups import FloatArray
from grpsparse.penalties.block import BlockFunctions, Rescaled
from grpsparse.penalties.checks import check_number
from grpsparse.penalties.dual import any_positive, norm_critical
from grpsparse.penalties.protocol import Segments

__all__ = ["MCP", "GroupMCP"]


@dataclass(frozen=True, slots=True, repr=False)
class GroupMCP(Rescaled, BlockFunctions):
    """Group MCP.

    Parameters
    ----------
    gamma : float
        Concavity, above 1: at 1 and below, one orthonormal group alone has jumps.
    rescale : bool
        Whether a family may rescale the penalty by its curvature.
    scale : float
        The curvature v; set by :meth:`rescaled`, not by users.

    Raises
    ------
    PenaltyError
        If a parameter is out of its range.

    Examples
    --------
    >>> GroupMCP(gamma=3.0).prox([0.0, 2.0], 1.0, 1.0)
    array([0. , 1.5])
    """

    gamma: float = 3.0
    rescale: bool = True
    scale: float = field(default=1.0, kw_only=True)

    name: ClassVar[str] = "group_mcp"
    title: ClassVar[str] = "group MCP"
    convex: ClassVar[bool] = False
    elementwise: ClassVar[bool] = False
    bilevel: ClassVar[bool] = False
    code: ClassVar[int] = codes.MCP
    l1_fraction: ClassVar[float] = 0.0

    def __post_init__(self) -> None:
        check_number(self, "gamma", lambda x: x > 1.0, "a number above 1")
        self.check_rescaling()

    @property
    def parameters(self) -> tuple[float, float]:
        """Concavity and scale."""
        return (self.gamma, self.scale)

    def radial_value(self, norm: Array, level: Array) -> Array:
        """Return P(v norm; level) / v."""
        xp = namespace(norm, level)
        t = xp.minimum(self.scale * norm, self.gamma * level)
        return t * (level - t / (2.0 * self.gamma)) / self.scale

    def radial_derivative(self, norm: Array, level: Array) -> Array:
        """Return (level - v norm / gamma)+."""
        xp = namespace(norm, level)
        return xp.maximum(level - (self.scale / self.gamma) * norm, 0.0)

    def radial_curvature(self, norm: Array, level: Array) -> Array:
        """Return -v / gamma up to v norm = gamma level, then 0."""
        xp = namespace(norm, level)
        bent = self.scale * norm < self.gamma * level
        return xp.where(bent, -self.scale / self.gamma, xp.zeros_like(norm + level))

    def weak_convexity(self, level: Array | float) -> float:
        """Return v / gamma, 0 where nothing is penalised."""
        return self.scale / self.gamma if any_positive(level) else 0.0

    def critical_lambda(
        self, correlation: FloatArray, segments: Segments, weight: FloatArray, penalised: Array
    ) -> float:
        """Return the group lasso's: the slope at 0 is the same."""
        return norm_critical(correlation, segments, weight, penalised)


@dataclass(frozen=True, slots=True, repr=False)
class MCP(GroupMCP):
    """MCP: every coefficient is a group; parameters as in :class:`GroupMCP`.

    Examples
    --------
    >>> MCP(gamma=3.0).prox([0.5, 2.0, -4.0], 1.0, 1.0)
    array([ 0. ,  1.5, -4. ])
    """

    name: ClassVar[str] = "mcp"
    title: ClassVar[str] = "MCP"
    elementwise: ClassVar[bool] = True
