"""What a penalty is: a function p(t; l) of a block's norm, with all that solvers ask of it.

``t`` is the norm of a block and ``l = lambda_ * weight`` its level; ``lambda_`` is always an
argument, never a field. Sparse group lasso adds ``l1_fraction * lambda_ * sum(abs(b))``. The
radial functions take whole arrays, one entry per group, of any array library. A nested penalty
is a function of a sum over coefficients instead, and its radial functions are those of a block
of one coefficient.
"""

from __future__ import annotations

from typing import Protocol, Self, TypeAlias, runtime_checkable

from grpsparse.backend import Array
from grpsparse.groups import FloatArray, IntArray

__all__ = [
    "AdaptivePenalty",
    "ConvexPenalty",
    "Curve",
    "JointPenalty",
    "MatrixPenalty",
    "NestedPenalty",
    "Penalty",
    "Segments",
]

Curve: TypeAlias = tuple[Array, Array, Array]
"""Values of a function, of its derivative and of its second derivative."""


class Segments(Protocol):
    """Rows sorted by group: group g owns the rows ``starts[g]:starts[g + 1]``."""

    @property
    def starts(self) -> IntArray:
        """Boundaries, (G + 1,); a group of rank 0 owns no row."""

    @property
    def curvature(self) -> FloatArray:
        """Bound on the curvature of the loss along each group, (G,); ones unless steep."""


@runtime_checkable
class Penalty(Protocol):
    """One separable group penalty, a frozen object."""

    @property
    def name(self) -> str:
        """Name in ``penalty=``, for example ``"group_mcp"``."""

    @property
    def title(self) -> str:
        """Name in print, for example ``"group MCP"``."""

    @property
    def convex(self) -> bool:
        """Whether it is a :class:`ConvexPenalty`, certified by a duality gap."""

    @property
    def elementwise(self) -> bool:
        """Whether every coefficient is a group of its own."""

    @property
    def bilevel(self) -> bool:
        """Whether single coefficients inside a group are penalised too."""

    @property
    def steep(self) -> bool:
        """Whether p'(0+) is infinite, so that zero is judged by the proximal map."""

    @property
    def adaptive(self) -> bool:
        """Whether it is an :class:`AdaptivePenalty`, whose weights come from a first fit."""

    @property
    def joint(self) -> bool:
        """Whether it is a :class:`JointPenalty`, which is not a sum over groups."""

    @property
    def nested(self) -> bool:
        """Whether it is a :class:`NestedPenalty`, of single coefficients inside of groups."""

    @property
    def matrix(self) -> bool:
        """Whether it is a :class:`MatrixPenalty`, of which no group leaves by itself."""

    @property
    def overlap(self) -> str:
        """What groups that overlap mean: ``"latent"``, ``"norms"``, or ``"none"`` to refuse them.

        Latent groups have coefficients of their own, whose sums are those of the columns; norms
        are of one coefficient vector.
        """

    @property
    def overlapping(self) -> bool:
        """Whether it is one norm of all columns at once, bound to groups that share them.

        Then it is a :class:`~grpsparse.penalties.overlap.OverlapNorm`, and nothing is screened.
        """

    @property
    def constraint(self) -> bool:
        """Whether it is 0 or infinite, so that every ``lambda_`` above 0 is the same."""

    @property
    def solver(self) -> str:
        """Name of the solver that ``solver="auto"`` takes."""

    @property
    def code(self) -> int:
        """Code in :mod:`grpsparse.backend.codes`."""

    @property
    def parameters(self) -> tuple[float, float]:
        """The two numbers that belong to the code."""

    @property
    def l1_fraction(self) -> float:
        """Share of ``lambda_`` that falls on single coefficients."""

    def value(self, b: Array, lambda_: float) -> float:
        """Return the penalty of one block of weight 1."""

    def prox(self, b: Array, step: float, lambda_: float) -> FloatArray:
        """Return the proximal point of one block of weight 1."""

    def derivative(self, t: Array, lambda_: float) -> Array:
        """Return p'(t; lambda_) of one norm or several."""

    def radial_value(self, norm: Array, level: Array) -> Array:
        """Return p(norm; level), (G,), without the single-coefficient part."""

    def radial_derivative(self, norm: Array, level: Array) -> Array:
        """Return p'(norm; level), (G,), at 0 the derivative from the right."""

    def radial_curvature(self, norm: Array, level: Array) -> Array:
        """Return p''(norm; level), (G,), for norm > 0."""

    def weak_convexity(self, level: Array | float) -> float:
        """Return the supremum of -p'' over all groups, 0 if convex."""

    def zero_limit(self, level: Array, curvature: Array) -> Array:
        """Return the largest gradient norm at which a block may stay zero, (G,).

        p'(0+) where that is finite. Where it is not, zero would be stationary whatever the
        gradient: then it has to be the proximal point of a step of ``1 / curvature``.

        Parameters
        ----------
        level : ndarray of shape (G,)
        curvature : ndarray of shape (G,)
            Bound on the curvature of the loss along each block; see :class:`Segments`.
        """

    def least_norm(self, level: Array, curvature: Array) -> Array:
        """Return the smallest norm that such a proximal point may have, (G,); 0 where any may."""

    def rescaled(self, factor: float) -> Self:
        """Return the penalty P(factor * t; l) / factor if it is nonconvex and asks for it."""

    def critical_lambda(
        self, correlation: FloatArray, segments: Segments, weight: FloatArray, penalised: Array
    ) -> float:
        """Return the smallest lambda at which zero is stationary for all penalised groups.

        Parameters
        ----------
        correlation : ndarray of shape (q, K)
            Minus the gradient of the loss at the null fit, rows sorted by group.
        segments : Segments
            Which rows belong to which group.
        weight : ndarray of shape (G,)
            Group weights.
        penalised : ndarray of bool, shape (G,)
            Groups that the penalty sees.
        """


@runtime_checkable
class ConvexPenalty(Penalty, Protocol):
    """A penalty with what the duality gap needs."""

    def dual_scale(
        self, correlation: FloatArray, segments: Segments, level: FloatArray, l1_level: FloatArray
    ) -> float:
        """Return the largest c in (0, 1] such that c * correlation is dual feasible.

        Parameters
        ----------
        correlation : ndarray of shape (q, K)
            ``Z'W theta``, rows sorted by group.
        segments : Segments
            Which rows belong to which group.
        level : ndarray of shape (G,)
            ``lambda_ * weight``; the penalty takes its own share of it.
        l1_level : ndarray of shape (G,)
            ``lambda_`` where the group is penalised, else 0. A group with both levels 0 is
            unpenalised and passed over.
        """

    def conjugate(
        self, correlation: FloatArray, segments: Segments, level: FloatArray, l1_level: FloatArray
    ) -> float:
        """Return the sum over groups of the conjugate at a feasible ``Z'W theta``."""


@runtime_checkable
class AdaptivePenalty(Penalty, Protocol):
    """A penalty whose weights come from a first fit with the weights as they are."""

    def factors(self, norms: FloatArray) -> FloatArray:
        """Return what multiplies the weights, (G,), from the norms of the first fit, (G,)."""


@runtime_checkable
class MatrixPenalty(ConvexPenalty, Protocol):
    """A convex penalty of the matrix of all coefficients, which is not a sum over groups.

    All groups are kept, so that its dual scale and conjugate see the whole matrix. The base
    weight of groups is 1.
    """

    def matrix_value(self, theta: FloatArray, segments: Segments, level: FloatArray) -> float:
        """Return the penalty of coefficients theta (q, K) of groups of these levels (G,)."""


@runtime_checkable
class JointPenalty(Penalty, Protocol):
    """A penalty of all group norms at once, P(norms; lambda), not a sum over groups.

    Its radial functions are those that one group has by itself. Groups without penalty are left
    out of every argument; where classes are separate, each class is a case of its own.
    Groups at zero add nothing, so that they may be left out of `norms` too.
    """

    @property
    def growing(self) -> bool:
        """Whether longer norms may cost less, so that what the loss does not see has no end."""

    @property
    def most(self) -> int | None:
        """Largest number of groups that it lets in, None for any number."""

    def joint_value(self, norms: Array, weight: Array, lambda_: float) -> float:
        """Return the penalty of groups of these norms (G,) and weights (G,)."""

    def joint_slope(self, norms: Array, weight: Array, lambda_: float) -> Array:
        """Return the derivative in every norm, (G,), at 0 from the right with others as they are.

        A group may stay at zero, beside others, while its gradient is no longer than that.
        """

    def joint_curvature(
        self, norms: Array, weight: Array, lambda_: float
    ) -> tuple[float, Array, float]:
        """Return c, v (G,) and d of the second derivatives c I + d vv' in positive norms."""

    def joint_prox(self, norms: Array, weight: Array, step: float, lambda_: float) -> Array:
        """Return the norms (G,) of a global minimiser of the proximal problem.

        ``sum((x - norms)**2) / 2 + step * P(x; lambda_)`` over x of nonnegative entries; directions
        of groups are left as they are.
        """

    def joint_limit(
        self, norms: Array, weight: Array, lambda_: float, alone: Array, together: float
    ) -> Array:
        """Return the largest gradient norms at which groups may stay zero beside others, (G,).

        The slopes, unless the penalty is steep: then the point has to be a proximal one, of steps
        of one group or of all.

        Parameters
        ----------
        norms, weight : ndarray of shape (G,)
        lambda_ : float
        alone : ndarray of shape (G,)
            Bounds on the curvature of the loss along each group.
        together : float
            Bound on it along all groups at once.
        """

    def joint_least(self, norms: Array, weight: Array, lambda_: float, together: float) -> float:
        """Return the least length of `norms` that such a point of their kind has; 0 where any."""


@runtime_checkable
class NestedPenalty(Penalty, Protocol):
    """A penalty ``outer(sum_j inner(abs(b_j)))`` of the coefficients of a block.

    Both functions are concave and do not fall, so that the slope of the penalty in one coefficient
    is ``outer' inner'``, which is the level where the whole block is zero. Arguments may be arrays
    of any shapes that go together.
    """

    def inner(self, size: Array, level: Array) -> Curve:
        """Return the inner function of absolute coefficients, at 0 from the right."""

    def outer(self, total: Array, level: Array, count: Array | int) -> Curve:
        """Return the outer function of sums over blocks of `count` coefficients."""
