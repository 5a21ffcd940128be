"""Group transformed L1: p(t; l) = l (a + 1) t / (a + t), between L0 (a = 0) and L1 (a infinite).

References: Zhang & Xin (2017), doi:10.4310/CMS.2017.v15.n2.a9.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from grpsparse.backend import Array, codes
from grpsparse.groups import FloatArray
from grpsparse.penalties.block import BlockFunctions
from grpsparse.penalties.checks import check_number
from grpsparse.penalties.dual import UP, largest, norm_critical
from grpsparse.penalties.protocol import Segments

__all__ = ["GroupTransformedL1"]


@dataclass(frozen=True, slots=True, repr=False)
class GroupTransformedL1(BlockFunctions):
    """Group transformed L1.

    Parameters
    ----------
    a : float
        Norm at which the penalty is half of what it tends to, above 0. It is a length on the
        standardised scale, in units of y for the gaussian family. The default, 1, makes the
        slope at 0 twice lambda.

    Raises
    ------
    PenaltyError
        If a is not positive.

    Examples
    --------
    >>> GroupTransformedL1(a=1.0).value([3.0, 0.0], 2.0)
    3.0
    """

    a: float = 1.0

    name: ClassVar[str] = "group_transformed_l1"
    title: ClassVar[str] = "group transformed L1"
    convex: ClassVar[bool] = False
    elementwise: ClassVar[bool] = False
    bilevel: ClassVar[bool] = False
    code: ClassVar[int] = codes.TRANSFORMED
    l1_fraction: ClassVar[float] = 0.0

    def __post_init__(self) -> None:
        check_number(self, "a", lambda x: x > 0.0, "a positive number")

    @property
    def parameters(self) -> tuple[float, float]:
        """The norm a; the second number is not used."""
        return (self.a, 0.0)

    def radial_value(self, norm: Array, level: Array) -> Array:
        """Return level (a + 1) norm / (a + norm)."""
        return level * norm * ((self.a + 1.0) / (self.a + norm))

    def radial_derivative(self, norm: Array, level: Array) -> Array:
        """Return level a (a + 1) / (a + norm)**2."""
        return level * (self.a / (self.a + norm)) * ((self.a + 1.0) / (self.a + norm))

    def radial_curvature(self, norm: Array, level: Array) -> Array:
        """Return -2 level a (a + 1) / (a + norm)**3."""
        return -2.0 * self.radial_derivative(norm, level) / (self.a + norm)

    def weak_convexity(self, level: Array | float) -> float:
        """Return 2 max(level) (a + 1) / a**2, the concavity at 0."""
        return 2.0 * largest(level) * (self.a + 1.0) / self.a**2

    def critical_lambda(
        self, correlation: FloatArray, segments: Segments, weight: FloatArray, penalised: Array
    ) -> float:
        """Return a / (a + 1) times the group lasso's: the slope at 0 is level (a + 1) / a."""
        share = self.a / (self.a + 1.0)
        return share * norm_critical(correlation, segments, weight, penalised) * UP
