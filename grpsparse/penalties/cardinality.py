"""Group cardinality: at most k penalised groups are not zero.

A constraint, so ``lambda_`` only has to be above 0 and group weights play no part. The proximal
map keeps the k largest norms. Any fit of k groups without penalty is a stationary point, so
one more thing is asked: it has to be a fixed point of iterative hard thresholding, the proximal
point of a step 1 / L, L a bound on the curvature of the loss along all penalised groups at
once. With k groups in, that is ||z_g|| <= L min ||b_h|| for the gradients z_g of those that are
out. Every best subset meets this condition; not all that meet it are best.

References: Blumensath & Davies (2008), doi:10.1007/s00041-008-9035-z; Beck & Eldar (2013),
doi:10.1137/120869778, for L-stationarity; Bertsimas, King & Mazumder (2016),
doi:10.1214/15-AOS1388, for best subsets.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import ClassVar

from grpsparse.backend import Array, codes, namespace
from grpsparse.groups import FloatArray
from grpsparse.penalties.checks import check_count
from grpsparse.penalties.dual import any_positive, group_norms
from grpsparse.penalties.joint import JointFunctions
from grpsparse.penalties.protocol import Segments

__all__ = ["GroupCardinality"]


@dataclass(frozen=True, slots=True, repr=False)
class GroupCardinality(JointFunctions):
    """At most k groups; those without penalty are not counted.

    A path is one point, ``lambda_`` 1, unless others are asked for: all above 0 are the same
    problem, and 0 takes the constraint away. To choose k, fit or cross-validate one size after
    the other with the same folds. The loss has to have a bound on its curvature, which
    that of Poisson or Cox has not.

    Parameters
    ----------
    k : int
        Largest number of groups, at least 1; where classes are separate, in each class.

    Raises
    ------
    PenaltyError
        If k is not a whole number of at least 1.

    Examples
    --------
    >>> import numpy as np
    >>> GroupCardinality(k=2).joint_prox(np.array([1.0, 3.0, 2.0, 2.0]), np.ones(4), 1.0, 1.0)
    array([0., 3., 2., 0.])
    """

    k: int = 3

    name: ClassVar[str] = "group_cardinality"
    title: ClassVar[str] = "group cardinality"
    steep: ClassVar[bool] = True
    constraint: ClassVar[bool] = True
    code: ClassVar[int] = codes.LINEAR

    def __post_init__(self) -> None:
        check_count(self, "k")

    @property
    def most(self) -> int:
        """The number k."""
        return self.k

    @property
    def parameters(self) -> tuple[float, float]:
        """No slope and no ridge part: a block that is alone may be in."""
        return (0.0, 0.0)

    def radial_value(self, norm: Array, level: Array) -> Array:
        """Return zeros."""
        return namespace(norm).zeros_like(norm + level)

    def radial_derivative(self, norm: Array, level: Array) -> Array:
        """Return zeros."""
        return namespace(norm).zeros_like(norm + level)

    def weak_convexity(self, level: Array | float) -> float:
        """Return infinity, 0 where nothing is penalised."""
        return inf if any_positive(level) else 0.0

    def critical_lambda(
        self,
        correlation: FloatArray,
        segments: Segments,
        weight: FloatArray,  # noqa: ARG002
        penalised: Array,
    ) -> float:
        """Return 1, the lambda of an automatic path; 0 where no penalised group has a gradient."""
        seen = group_norms(correlation, segments.starts)[penalised]
        return 1.0 if seen.any() else 0.0

    def joint_value(
        self,
        norms: Array,
        weight: Array,  # noqa: ARG002
        lambda_: float,
    ) -> float:
        """Return 0, or infinity for more than k groups."""
        return inf if _count(norms) > self._most(norms, lambda_) else 0.0

    def joint_slope(
        self,
        norms: Array,
        weight: Array,  # noqa: ARG002
        lambda_: float,
    ) -> Array:
        """Return 0, for groups at zero beside k others infinity."""
        xp = namespace(norms)
        none = xp.zeros_like(norms)
        full = _count(norms) >= self._most(norms, lambda_)
        return xp.where(norms > 0.0, none, xp.full_like(none, inf)) if full else none

    def joint_curvature(
        self,
        norms: Array,
        weight: Array,  # noqa: ARG002
        lambda_: float,  # noqa: ARG002
    ) -> tuple[float, Array, float]:
        """Return zeros."""
        return 0.0, namespace(norms).zeros_like(norms), 0.0

    def joint_limit(
        self,
        norms: Array,
        weight: Array,  # noqa: ARG002
        lambda_: float,
        alone: Array,  # noqa: ARG002
        together: float,
    ) -> Array:
        """Return `together` times the smallest norm of k groups that are in, 0 for fewer."""
        xp = namespace(norms)
        if not 0 < _count(norms) >= self._most(norms, lambda_):
            return xp.zeros_like(norms)
        smallest = xp.min(xp.where(norms > 0.0, norms, xp.full_like(norms, inf)))
        return together * smallest + xp.zeros_like(norms)

    def joint_least(
        self,
        norms: Array,
        weight: Array,
        lambda_: float,
        together: float,  # noqa: ARG002
    ) -> float:
        """Return the penalty: no number of groups above k is one that a prox gives."""
        return self.joint_value(norms, weight, lambda_)

    def joint_prox(
        self,
        norms: Array,
        weight: Array,  # noqa: ARG002
        step: float,  # noqa: ARG002
        lambda_: float,
    ) -> Array:
        """Return the norms with all but the k largest zero; of equal ones the first are kept."""
        xp = namespace(norms)
        if norms.shape[0] <= self._most(norms, lambda_):
            return norms
        order = xp.argsort(-norms, stable=True)
        place = xp.argsort(order, stable=True)
        return xp.where(place < self.k, norms, xp.zeros_like(norms))

    def _most(self, norms: Array, lambda_: float) -> int:
        """Return k, or at lambda 0 all."""
        return self.k if lambda_ > 0.0 else int(norms.shape[0])


def _count(norms: Array) -> int:
    """Return how many norms are positive."""
    xp = namespace(norms)
    return int(xp.sum(xp.where(norms > 0.0, xp.ones_like(norms), xp.zeros_like(norms))))
