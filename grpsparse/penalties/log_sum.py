"""Group log-sum: p(t; l) = l log(1 + t / eps), steep at 0 and ever flatter.

The slope at 0 is l / eps: lambda_max is eps times that of the group lasso.

References: Candes, Wakin & Boyd (2008), doi:10.1007/s00041-008-9045-x.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from grpsparse.backend import Array, codes, namespace
from grpsparse.groups import FloatArray
from grpsparse.penalties.block import BlockFunctions
from grpsparse.penalties.checks import check_number
from grpsparse.penalties.dual import UP, largest, norm_critical
from grpsparse.penalties.protocol import Segments

__all__ = ["GroupLogSum"]


@dataclass(frozen=True, slots=True, repr=False)
class GroupLogSum(BlockFunctions):
    """Group log-sum.

    Parameters
    ----------
    eps : float
        Norm at which the slope has halved, above 0. It is a length on the standardised scale,
        in units of y for the gaussian family. The default, 1, makes the slope at 0 lambda
        itself; the reference takes it a little below the norms that should count.

    Raises
    ------
    PenaltyError
        If eps is not positive.

    Examples
    --------
    >>> GroupLogSum(eps=1.0).prox([0.0, 3.0], 1.0, 2.0)
    array([0.        , 2.41421356])
    """

    eps: float = 1.0

    name: ClassVar[str] = "group_log_sum"
    title: ClassVar[str] = "group log-sum"
    convex: ClassVar[bool] = False
    elementwise: ClassVar[bool] = False
    bilevel: ClassVar[bool] = False
    code: ClassVar[int] = codes.LOG_SUM
    l1_fraction: ClassVar[float] = 0.0

    def __post_init__(self) -> None:
        check_number(self, "eps", lambda x: x > 0.0, "a positive number")

    @property
    def parameters(self) -> tuple[float, float]:
        """The norm eps; the second number is not used."""
        return (self.eps, 0.0)

    def radial_value(self, norm: Array, level: Array) -> Array:
        """Return level * log(1 + norm / eps)."""
        return level * namespace(norm).log1p(norm / self.eps)

    def radial_derivative(self, norm: Array, level: Array) -> Array:
        """Return level / (eps + norm)."""
        return level / (self.eps + norm)

    def radial_curvature(self, norm: Array, level: Array) -> Array:
        """Return -level / (eps + norm)**2."""
        return -level / (self.eps + norm) ** 2

    def weak_convexity(self, level: Array | float) -> float:
        """Return max(level) / eps**2, the concavity at 0."""
        return largest(level) / self.eps**2

    def critical_lambda(
        self, correlation: FloatArray, segments: Segments, weight: FloatArray, penalised: Array
    ) -> float:
        """Return eps times the group lasso's: the slope at 0 is level / eps."""
        return self.eps * norm_critical(correlation, segments, weight, penalised) * UP
