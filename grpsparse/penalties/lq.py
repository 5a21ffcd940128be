"""Group Lq, 0 < q < 1: p(t; l) = l t**q, of infinite slope at 0.

Because of that slope zero is stationary whatever the gradient z of the loss, and lambda_max is
where it ceases to be the proximal point of a step 1 / L, L a bound on the loss's curvature along
the group. With mu = l / L the least norm of a nonzero proximal point is
r = (2 mu (1 - q))**(1 / (2 - q)), and zero is one as long as ||z|| <= L r (2 - q) / (2 (1 - q)).

References: Xu, Chang, Xu & Zhang (2012), doi:10.1109/TNNLS.2012.2197412, for q = 1/2; Chen,
Shen & Suter (2016), doi:10.1049/iet-spr.2015.0244, for any q.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import ClassVar

from grpsparse.backend import Array, codes, namespace
from grpsparse.groups import FloatArray
from grpsparse.penalties.block import BlockFunctions
from grpsparse.penalties.checks import check_number
from grpsparse.penalties.dual import UP, any_positive, group_norms, level_critical
from grpsparse.penalties.protocol import Segments

__all__ = ["GroupLq"]


@dataclass(frozen=True, slots=True, repr=False)
class GroupLq(BlockFunctions):
    """Group Lq.

    The loss has to have a curvature with a bound, which that of Poisson or Cox has not.

    Parameters
    ----------
    q : float
        Power of the norm, between 0 and 1; the default, 1/2, has like 2/3 its proximal map in
        closed form.

    Raises
    ------
    PenaltyError
        If q is not between 0 and 1.

    Examples
    --------
    >>> GroupLq(q=0.5).value([0.0, 4.0], 3.0)
    6.0
    >>> GroupLq(q=0.5).prox([0.0, 1.4], 1.0, 1.0)
    array([0., 0.])
    """

    q: float = 0.5

    name: ClassVar[str] = "group_lq"
    title: ClassVar[str] = "group Lq"
    convex: ClassVar[bool] = False
    elementwise: ClassVar[bool] = False
    bilevel: ClassVar[bool] = False
    steep: ClassVar[bool] = True
    code: ClassVar[int] = codes.LQ
    l1_fraction: ClassVar[float] = 0.0

    def __post_init__(self) -> None:
        check_number(self, "q", lambda x: 0.0 < x < 1.0, "a number between 0 and 1")

    @property
    def parameters(self) -> tuple[float, float]:
        """The power; the second number is not used."""
        return (self.q, 0.0)

    def radial_value(self, norm: Array, level: Array) -> Array:
        """Return level * norm**q."""
        return level * norm**self.q

    def radial_derivative(self, norm: Array, level: Array) -> Array:
        """Return q level norm**(q - 1), infinite at 0."""
        return self._power(norm, level, 1, inf)

    def radial_curvature(self, norm: Array, level: Array) -> Array:
        """Return q (q - 1) level norm**(q - 2)."""
        return self._power(norm, (self.q - 1.0) * level, 2, -inf)

    def _power(self, norm: Array, level: Array, order: int, at_zero: float) -> Array:
        """Return q level norm**(q - order); at zero a limit, where there is a level."""
        xp = namespace(norm, level)
        none = xp.zeros_like(norm + level)
        inside = self.q * level * xp.where(norm > 0.0, norm, none + 1.0) ** (self.q - order)
        return xp.where(norm > 0.0, inside, xp.where(level != 0.0, at_zero, none))

    def weak_convexity(self, level: Array | float) -> float:
        """Return infinity, 0 where nothing is penalised."""
        return inf if any_positive(level) else 0.0

    def zero_limit(self, level: Array, curvature: Array) -> Array:
        """Return where the two minimisers of the scalar problem tie."""
        return curvature * self._tie * self.least_norm(level, curvature)

    def least_norm(self, level: Array, curvature: Array) -> Array:
        """Return the larger minimiser at the tie."""
        xp = namespace(level, curvature)
        step = 1.0 / xp.where(curvature > 0.0, curvature, xp.ones_like(curvature))
        return (2.0 * (1.0 - self.q) * step * level) ** (1.0 / (2.0 - self.q))

    @property
    def _tie(self) -> float:
        """Argument over larger minimiser at the tie."""
        return (2.0 - self.q) / (2.0 * (1.0 - self.q))

    def critical_lambda(
        self, correlation: FloatArray, segments: Segments, weight: FloatArray, penalised: Array
    ) -> float:
        """Return the lambda whose limit the first gradient meets; see :meth:`zero_limit`."""
        bend = namespace(weight).where(weight > 0.0, segments.curvature, 1.0)
        least = group_norms(correlation, segments.starts) / (bend * self._tie)
        level = bend * least ** (2.0 - self.q) / (2.0 * (1.0 - self.q))
        return level_critical(level, weight, penalised) * UP**4
