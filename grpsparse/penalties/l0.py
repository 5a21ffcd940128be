"""Group L0: p(t; l) = l for t > 0, the price of a group whatever its size.

Zero is a local minimum whatever the gradient z of the loss, so lambda_max is where it ceases to
be the proximal point of a step 1 / L, L a bound on the loss's curvature along the group: zero is
one as long as ||z|| <= sqrt(2 l L), and a nonzero one has at least the norm sqrt(2 l / L).

References: Blumensath & Davies (2008), doi:10.1007/s00041-008-9035-z.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from grpsparse.backend import Array, namespace
from grpsparse.groups import FloatArray
from grpsparse.penalties.block import PriceFunctions
from grpsparse.penalties.dual import UP, group_norms, level_critical
from grpsparse.penalties.protocol import Segments

__all__ = ["GroupL0"]


@dataclass(frozen=True, slots=True, repr=False)
class GroupL0(PriceFunctions):
    """Group L0.

    The loss has to have a curvature with a bound, which that of Poisson or Cox has not.

    Examples
    --------
    >>> GroupL0().prox([0.0, 2.0], 1.0, 2.0)
    array([0., 0.])
    >>> GroupL0().prox([0.0, 2.1], 1.0, 2.0)
    array([0. , 2.1])
    """

    name: ClassVar[str] = "group_l0"
    title: ClassVar[str] = "group L0"
    convex: ClassVar[bool] = False
    elementwise: ClassVar[bool] = False
    bilevel: ClassVar[bool] = False
    l1_fraction: ClassVar[float] = 0.0

    def zero_limit(self, level: Array, curvature: Array) -> Array:
        """Return sqrt(2 level curvature)."""
        return namespace(level, curvature).sqrt(2.0 * level * curvature)

    def least_norm(self, level: Array, curvature: Array) -> Array:
        """Return sqrt(2 level / curvature)."""
        xp = namespace(level, curvature)
        step = 1.0 / xp.where(curvature > 0.0, curvature, xp.ones_like(curvature))
        return xp.sqrt(2.0 * level * step)

    def critical_lambda(
        self, correlation: FloatArray, segments: Segments, weight: FloatArray, penalised: Array
    ) -> float:
        """Return the largest ``||correlation_g||**2 / (2 curvature_g weight_g)``."""
        bend = namespace(weight).where(weight > 0.0, segments.curvature, 1.0)
        level = group_norms(correlation, segments.starts) ** 2 / (2.0 * bend)
        return level_critical(level, weight, penalised) * UP**2
