"""Group lasso, p(t; l) = l t, and the lasso, which is group lasso with groups of one.

The proximal map is the soft threshold of the norm; the dual ball of a group is
``||Z_g'W theta|| <= l``.

References: Yuan & Lin (2006), doi:10.1111/j.1467-9868.2005.00532.x.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from grpsparse.backend import Array, codes, namespace
from grpsparse.groups import FloatArray
from grpsparse.penalties.block import BlockFunctions
from grpsparse.penalties.dual import norm_critical, norm_scale
from grpsparse.penalties.protocol import Segments

__all__ = ["GroupLasso", "Lasso"]


@dataclass(frozen=True, slots=True, repr=False)
class GroupLasso(BlockFunctions):
    """Group lasso.

    Examples
    --------
    >>> GroupLasso().prox([3.0, 4.0], 1.0, 2.5)
    array([1.5, 2. ])
    """

    name: ClassVar[str] = "group_lasso"
    title: ClassVar[str] = "group lasso"
    convex: ClassVar[bool] = True
    elementwise: ClassVar[bool] = False
    bilevel: ClassVar[bool] = False
    code: ClassVar[int] = codes.LINEAR
    l1_fraction: ClassVar[float] = 0.0

    @property
    def parameters(self) -> tuple[float, float]:
        """Slope 1, no ridge part."""
        return (1.0, 0.0)

    def radial_value(self, norm: Array, level: Array) -> Array:
        """Return level * norm."""
        return level * norm

    def radial_derivative(self, norm: Array, level: Array) -> Array:
        """Return the level."""
        return level + namespace(norm).zeros_like(norm)

    def weak_convexity(self, level: Array | float) -> float:  # noqa: ARG002
        """Return 0."""
        return 0.0

    def critical_lambda(
        self, correlation: FloatArray, segments: Segments, weight: FloatArray, penalised: Array
    ) -> float:
        """Return the largest ``||correlation_g|| / weight_g``."""
        return norm_critical(correlation, segments, weight, penalised)

    def dual_scale(
        self,
        correlation: FloatArray,
        segments: Segments,
        level: FloatArray,
        l1_level: FloatArray,  # noqa: ARG002
    ) -> float:
        """Return the largest c in (0, 1] that takes every group into its dual ball."""
        return norm_scale(correlation, segments, level)

    def conjugate(
        self,
        correlation: FloatArray,  # noqa: ARG002
        segments: Segments,  # noqa: ARG002
        level: FloatArray,  # noqa: ARG002
        l1_level: FloatArray,  # noqa: ARG002
    ) -> float:
        """Return 0, the conjugate of a norm inside its dual ball."""
        return 0.0


@dataclass(frozen=True, slots=True, repr=False)
class Lasso(GroupLasso):
    """Lasso: every coefficient is a group.

    Examples
    --------
    >>> Lasso().prox([3.0, -1.0], 1.0, 2.0)
    array([ 1., -0.])
    """

    name: ClassVar[str] = "lasso"
    title: ClassVar[str] = "lasso"
    elementwise: ClassVar[bool] = True
