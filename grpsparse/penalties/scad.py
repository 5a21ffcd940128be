"""Group SCAD: smoothly clipped absolute deviation of group norms; and SCAD itself.

For a group with norm t and level l the penalty is P(t; l) = l t up to t = l, then
(2 gamma l t - t**2 - l**2) / (2 (gamma - 1)) up to t = gamma l, and constant beyond. Outside the
gaussian family P(v t; l) / v takes its place, v the curvature of the loss.

References: Fan & Li (2001), doi:10.1198/016214501753382273; Breheny & Huang (2015),
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

__all__ = ["SCAD", "GroupSCAD"]


@dataclass(frozen=True, slots=True, repr=False)
class GroupSCAD(Rescaled, BlockFunctions):
    """Group SCAD.

    Parameters
    ----------
    gamma : float
        Concavity, above 2.
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
    >>> GroupSCAD(gamma=4.0).prox([0.0, 3.0], 1.0, 1.0)
    array([0. , 2.5])
    """

    gamma: float = 4.0
    rescale: bool = True
    scale: float = field(default=1.0, kw_only=True)

    name: ClassVar[str] = "group_scad"
    title: ClassVar[str] = "group SCAD"
    convex: ClassVar[bool] = False
    elementwise: ClassVar[bool] = False
    bilevel: ClassVar[bool] = False
    code: ClassVar[int] = codes.SCAD
    l1_fraction: ClassVar[float] = 0.0

    def __post_init__(self) -> None:
        check_number(self, "gamma", lambda x: x > 2.0, "a number above 2")
        self.check_rescaling()

    @property
    def parameters(self) -> tuple[float, float]:
        """Concavity and scale."""
        return (self.gamma, self.scale)

    def radial_value(self, norm: Array, level: Array) -> Array:
        """Return P(v norm; level) / v."""
        xp = namespace(norm, level)
        t = xp.minimum(self.scale * norm, self.gamma * level)
        # the curved part is what the line loses beyond t = level
        beyond = xp.maximum(t - level, 0.0)
        return (level * t - beyond**2 / (2.0 * (self.gamma - 1.0))) / self.scale

    def radial_derivative(self, norm: Array, level: Array) -> Array:
        """Return level up to v norm = level, then a line down to 0 at gamma level."""
        xp = namespace(norm, level)
        line = (self.gamma * level - self.scale * norm) / (self.gamma - 1.0)
        return xp.clip(line, 0.0 * level, level)

    def radial_curvature(self, norm: Array, level: Array) -> Array:
        """Return -v / (gamma - 1) between v norm = level and gamma level, else 0."""
        xp = namespace(norm, level)
        t = self.scale * norm
        bent = (t > level) & (t < self.gamma * level)
        return xp.where(bent, -self.scale / (self.gamma - 1.0), xp.zeros_like(norm + level))

    def weak_convexity(self, level: Array | float) -> float:
        """Return v / (gamma - 1), 0 where nothing is penalised."""
        return self.scale / (self.gamma - 1.0) if any_positive(level) else 0.0

    def critical_lambda(
        self, correlation: FloatArray, segments: Segments, weight: FloatArray, penalised: Array
    ) -> float:
        """Return the group lasso's: the slope at 0 is the same."""
        return norm_critical(correlation, segments, weight, penalised)


@dataclass(frozen=True, slots=True, repr=False)
class SCAD(GroupSCAD):
    """SCAD: every coefficient is a group; parameters as in :class:`GroupSCAD`.

    Examples
    --------
    >>> SCAD(gamma=3.7).prox([0.5, 1.5, -4.0], 1.0, 1.0)
    array([ 0. ,  0.5, -4. ])
    """

    gamma: float = 3.7

    name: ClassVar[str] = "scad"
    title: ClassVar[str] = "SCAD"
    elementwise: ClassVar[bool] = True
