"""Group exponential lasso: p(b) = l**2 / tau (1 - exp(-tau sum_j |b_j| / l)).

The slope is l exp(-tau sum_j |b_j| / l), the same for all coefficients of a block: a lasso
that is weaker for groups with more in them. Outside the gaussian family P(v b; l) / v takes its
place, v the curvature of the loss, as for MCP: tau v stands for tau.

References: Breheny (2015), doi:10.1111/biom.12300.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from grpsparse.backend import Array, exp, namespace
from grpsparse.groups import FloatArray
from grpsparse.penalties.block import Rescaled
from grpsparse.penalties.checks import check_number
from grpsparse.penalties.dual import any_positive
from grpsparse.penalties.nested import NestedFunctions
from grpsparse.penalties.protocol import Curve

__all__ = ["GroupExponentialLasso"]


@dataclass(frozen=True, slots=True, repr=False)
class GroupExponentialLasso(Rescaled, NestedFunctions):
    """Group exponential lasso.

    With several classes a block is all coefficients of its columns.

    Parameters
    ----------
    tau : float
        How fast a group is let off, above 0: its slope has fallen to lambda / e where its
        coefficients sum to lambda / tau.
    rescale : bool
        Whether a family may rescale the penalty by its curvature.
    scale : float
        The curvature v; set by :meth:`rescaled`, not by users.

    Raises
    ------
    PenaltyError
        If a parameter is not positive.

    Examples
    --------
    >>> GroupExponentialLasso(tau=0.5).derivative([0.0, 2.0], 2.0).round(3)
    array([2.   , 1.213])
    >>> GroupExponentialLasso(tau=0.5).prox([1.5, 0.5], 1.0, 1.0).round(3)
    array([0.844, 0.   ])
    """

    tau: float = 1.0 / 3.0
    rescale: bool = True
    scale: float = field(default=1.0, kw_only=True)

    name: ClassVar[str] = "group_exponential_lasso"
    title: ClassVar[str] = "group exponential lasso"

    def __post_init__(self) -> None:
        check_number(self, "tau", lambda x: x > 0.0, "a positive number")
        self.check_rescaling()

    def inner(self, size: Array, level: Array) -> Curve:
        """Return size itself."""
        flat = 0.0 * (size + level)
        return size + flat, 1.0 + flat, flat

    def outer(self, total: Array, level: Array, count: Array | int) -> Curve:  # noqa: ARG002
        """Return l**2 / (tau v) (1 - exp(-tau v total / l))."""
        xp, tau = namespace(total, level), self.tau * self.scale
        rate = xp.where(level > 0.0, tau / xp.where(level > 0.0, level, 1.0 + 0.0 * level), 0.0)
        left = exp(-rate * total)
        value = -(level**2) / tau * xp.expm1(-rate * total)
        return value, level * left, -level * rate * left

    def weak_convexity(self, level: Array | float) -> float:
        """Return tau v, the concavity of a block of one coefficient at 0."""
        return self.tau * self.scale if any_positive(level) else 0.0

    def thresholds(self, size: FloatArray, level: float) -> FloatArray:  # noqa: ARG002
        """Return where coefficients leave zero as the inner slope's factor falls."""
        return size.copy()

    def shrunk(self, size: FloatArray, mu: float, level: float) -> FloatArray:  # noqa: ARG002
        """Return size softly thresholded at mu."""
        return np.maximum(size - mu, 0.0)
