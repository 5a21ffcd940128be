"""Sparse group lasso: (1 - alpha) l ||b|| + alpha lambda_ sum(abs(b)).

The proximal map soft-thresholds each coefficient, then the norm of what is left. The dual ball
of a group is ``||soft(z, alpha lambda_)|| <= (1 - alpha) l``.

References: Simon, Friedman, Hastie & Tibshirani (2013), doi:10.1080/10618600.2012.681250.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from grpsparse.backend import Array, codes, namespace
from grpsparse.groups import FloatArray
from grpsparse.penalties.block import BlockFunctions
from grpsparse.penalties.checks import check_number
from grpsparse.penalties.dual import DOWN, UP, group_norms, sparse_scale
from grpsparse.penalties.protocol import Segments

__all__ = ["SparseGroupLasso"]


@dataclass(frozen=True, slots=True, repr=False)
class SparseGroupLasso(BlockFunctions):
    """Sparse group lasso.

    Parameters
    ----------
    alpha : float
        Share that falls on single coefficients, in [0, 1]; the rest falls on the group.

    Raises
    ------
    PenaltyError
        If alpha is out of its range.

    Examples
    --------
    >>> SparseGroupLasso(alpha=0.5).prox([3.0, 0.5], 1.0, 2.0)
    array([1., 0.])
    """

    alpha: float = 0.05

    name: ClassVar[str] = "sparse_group_lasso"
    title: ClassVar[str] = "sparse group lasso"
    convex: ClassVar[bool] = True
    elementwise: ClassVar[bool] = False
    bilevel: ClassVar[bool] = True
    code: ClassVar[int] = codes.LINEAR

    def __post_init__(self) -> None:
        check_number(self, "alpha", lambda x: 0.0 <= x <= 1.0, "a number in [0, 1]")

    @property
    def parameters(self) -> tuple[float, float]:
        """Slope of the group part, no ridge part."""
        return (1.0 - self.alpha, 0.0)

    @property
    def l1_fraction(self) -> float:
        """Alpha."""
        return self.alpha

    def radial_value(self, norm: Array, level: Array) -> Array:
        """Return (1 - alpha) level * norm, the group part."""
        return (1.0 - self.alpha) * level * norm

    def radial_derivative(self, norm: Array, level: Array) -> Array:
        """Return (1 - alpha) level."""
        return (1.0 - self.alpha) * level + namespace(norm).zeros_like(norm)

    def weak_convexity(self, level: Array | float) -> float:  # noqa: ARG002
        """Return 0."""
        return 0.0

    def critical_lambda(
        self, correlation: FloatArray, segments: Segments, weight: FloatArray, penalised: Array
    ) -> float:
        """Return the largest root of ``||soft(z_g, alpha x)|| = (1 - alpha) x weight_g``.

        With c = 1 / x this is the largest scale of :func:`sparse_scale` at lambda 1.
        """
        starts = segments.starts
        seen = np.asarray(penalised, dtype=bool)
        norms = group_norms(correlation, starts)
        seen = seen & (norms > 0.0)
        if not seen.any():
            return 0.0
        bound = (1.0 - self.alpha) * weight
        # ||soft(c z, a)|| >= c ||z|| - a sqrt(size) bounds every root from above
        sizes = np.diff(starts)[seen] * correlation.shape[1]
        start = float(np.min((bound[seen] + self.alpha * np.sqrt(sizes)) / norms[seen]))
        threshold = np.where(seen, self.alpha, np.inf)
        return UP / sparse_scale(np.abs(correlation), starts, threshold, bound, start)

    def dual_scale(
        self, correlation: FloatArray, segments: Segments, level: FloatArray, l1_level: FloatArray
    ) -> float:
        """Return the largest c in (0, 1] that takes every group into its dual ball."""
        threshold = np.where((level > 0.0) | (l1_level > 0.0), self.alpha * l1_level, np.inf)
        bound = (1.0 - self.alpha) * level
        scale = sparse_scale(np.abs(correlation), segments.starts, threshold, bound, 1.0)
        return scale if scale == 1.0 else scale * DOWN

    def conjugate(
        self,
        correlation: FloatArray,  # noqa: ARG002
        segments: Segments,  # noqa: ARG002
        level: FloatArray,  # noqa: ARG002
        l1_level: FloatArray,  # noqa: ARG002
    ) -> float:
        """Return 0, the conjugate of a norm inside its dual ball."""
        return 0.0
