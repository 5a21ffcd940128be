"""Group lasso with groups that overlap: sum_g w_g ||b_g|| of one coefficient vector.

A group that is zero takes its columns out of all other groups, so that what is zero is a union
of groups; latent groups (:mod:`grpsparse.penalties.latent`) are the other way round. The norm has
the dual ball of all sums of u_g with ``||u_g|| <= w_g`` on the rows of group g.

References: Zhao, Rocha & Yu (2009), doi:10.1214/07-AOS584; Jenatton, Audibert & Bach (2011),
Journal of Machine Learning Research 12, 2777-2824; Yuan, Liu & Ye (2011), Advances in Neural
Information Processing Systems 24, for the proximal map.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from grpsparse.backend import Array, segment_norms
from grpsparse.groups import FloatArray, IntArray
from grpsparse.penalties.dual import UP
from grpsparse.penalties.lasso import GroupLasso
from grpsparse.penalties.overlap_dual import dual_norm
from grpsparse.penalties.overlap_prox import overlap_prox
from grpsparse.penalties.protocol import Segments

__all__ = ["OverlapGroupLasso", "OverlapNorm"]

MOST_SWEEPS = 100  # where groups are nearly zero, more of them only creep
ACCURATE = 1e-18  # half a squared distance, over the squared length of v, that sweeps may leave
CLOSE = 1.0 + 1e-10  # ratio to the dual ball that is as good as inside


@dataclass(frozen=True, slots=True, repr=False)
class OverlapGroupLasso(GroupLasso):
    """Group lasso of one coefficient vector, for groups that overlap.

    Of one block, and of groups that do not overlap, it is the group lasso. Columns are
    standardised one by one: those of a group cannot be made orthonormal for all of its neighbours.

    Examples
    --------
    >>> OverlapGroupLasso().prox([3.0, 4.0], 1.0, 2.5)
    array([1.5, 2. ])
    """

    name: ClassVar[str] = "overlap_group_lasso"
    title: ClassVar[str] = "overlapping group lasso"
    bilevel: ClassVar[bool] = True
    overlap: ClassVar[str] = "norms"
    solver: ClassVar[str] = "overlapping"


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class OverlapNorm(OverlapGroupLasso):
    """The same with its groups: one penalty of the coefficients of all columns together.

    Parameters
    ----------
    index : ndarray of int, shape (m,)
        Rows of the penalised columns, one group after the other.
    starts : ndarray of int, shape (G + 1,)
        Rows of group g are ``index[starts[g]:starts[g + 1]]``.
    weight : ndarray of shape (G,)
        Positive weights of the groups.
    """

    index: IntArray
    starts: IntArray
    weight: FloatArray

    joint: ClassVar[bool] = True
    growing: ClassVar[bool] = False
    most: ClassVar[int | None] = None
    overlapping: ClassVar[bool] = True

    __hash__ = object.__hash__

    def __eq__(self, other: object) -> bool:
        return self is other

    def norms(self, b: FloatArray) -> FloatArray:
        """Return the norms (G,) of coefficients (p, K)."""
        norms: FloatArray = segment_norms(b[self.index], self.starts, shared=True)[:, 0]
        return norms

    def joint_value(self, norms: Array, weight: Array, lambda_: float) -> float:  # noqa: ARG002
        """Return lambda sum_g w_g ||b_g|| for the norms (p,) of the columns' coefficients."""
        return lambda_ * float(self.weight @ self.norms(norms[:, None]))

    def joint_slope(self, norms: Array, weight: Array, lambda_: float) -> Array:  # noqa: ARG002
        """Return the derivative in the norm of every column, (p,)."""
        sizes = self.norms(norms[:, None])
        pull = np.divide(self.weight, sizes, out=np.zeros_like(sizes), where=sizes > 0)
        each = np.repeat(pull, np.diff(self.starts)) * norms[self.index]
        each += np.repeat(np.where(sizes > 0, 0.0, self.weight), np.diff(self.starts))
        return np.asarray(lambda_ * np.bincount(self.index, weights=each, minlength=norms.size))

    def joint_limit(
        self,
        norms: Array,
        weight: Array,
        lambda_: float,
        alone: Array,  # noqa: ARG002
        together: float,  # noqa: ARG002
    ) -> Array:
        """Return the slopes: a longest gradient that lets a column stay at zero, (p,)."""
        return self.joint_slope(norms, weight, lambda_)

    def joint_prox(self, norms: Array, weight: Array, step: float, lambda_: float) -> Array:  # noqa: ARG002
        """Return the norms (p,) of the proximal point."""
        level = step * lambda_
        if level == 0.0:
            return norms.copy()
        return overlap_prox(norms, self.index, self.starts, level * self.weight)

    def taken_up(
        self,
        v: FloatArray,
        lambda_: float,
        taken: FloatArray | None = None,
        *,
        accuracy: float = ACCURATE,
    ) -> tuple[FloatArray, FloatArray]:
        """Return the proximal point (p, K) of v (p, K) by sweeps, and the u_g (m, K) behind it.

        Parameters
        ----------
        v : ndarray of shape (p, K)
        lambda_ : float
            Step times lambda.
        taken : ndarray of shape (m, K), optional
            The u_g to start from, of norm at most lambda w_g.
        accuracy : float
            Half of a squared distance, over the squared length of v, by which the point may miss;
            where sweeps creep, it misses by more.
        """
        from grpsparse.backend.overlaps import take_up

        left = np.array(v, dtype=np.float64)
        given = np.zeros((self.index.size, v.shape[1])) if taken is None else taken.copy()
        np.subtract.at(left, self.index, given)
        level, enough = lambda_ * self.weight, accuracy * float(np.vdot(v, v))
        take_up(left, given, self.index, self.starts, level, MOST_SWEEPS, enough)
        whole = given + left[self.index]
        inside = segment_norms(whole, self.starts, shared=True)[:, 0] <= level
        left[self.index[np.repeat(inside, np.diff(self.starts))]] = 0.0
        return left, given

    def subgradients(self, b: FloatArray, level: FloatArray) -> FloatArray:
        """Return level_g b_g / ||b_g|| (m, K) for coefficients (p, K), 0 where b_g is."""
        sizes = self.norms(b)
        pull = np.divide(level, sizes, out=np.zeros_like(sizes), where=sizes > 0)
        pulled: FloatArray = np.repeat(pull, np.diff(self.starts))[:, None] * b[self.index]
        return pulled

    def ratio(self, correlation: FloatArray, lambda_: float, taken: FloatArray) -> float:
        """Return a bound on the norm dual to this one over lambda, from some u_g (m, K).

        What they leave of the correlations (p, K) is shared out among the groups of each row.
        """
        left = correlation.copy()
        np.subtract.at(left, self.index, taken)
        count = np.bincount(self.index, minlength=left.shape[0])[:, None]
        shared = taken + (left / np.maximum(count, 1))[self.index]
        sizes = segment_norms(shared, self.starts, shared=True)[:, 0]
        return float((sizes / (lambda_ * self.weight)).max(initial=0.0))

    def scale_at(self, correlation: FloatArray, b: FloatArray, lambda_: float) -> float:
        """Return a c in (0, 1] such that c * correlation (p, K) is dual feasible.

        The largest one where b (p, K) is a solution: its subgradients are where u_g start from.
        """
        if lambda_ <= 0.0 or not self.weight.size:
            return 1.0
        level = lambda_ * self.weight
        _, taken = self.taken_up(correlation, lambda_, self.subgradients(b, level))
        over = self.ratio(correlation, lambda_, taken)
        if over > CLOSE:  # where groups at zero are on the edge, sweeps only creep
            over = min(over, self._dual_norm(correlation) / lambda_)
        return 1.0 / max(1.0, over * UP)

    def _dual_norm(self, correlation: FloatArray) -> float:
        rows = np.sqrt(np.einsum("ij,ij->i", correlation, correlation))
        return dual_norm(rows, self.index, self.starts, self.weight)

    def dual_scale(
        self,
        correlation: FloatArray,
        segments: Segments,
        level: FloatArray,
        l1_level: FloatArray,  # noqa: ARG002
    ) -> float:
        """Return a c in (0, 1] such that c * correlation is dual feasible, whatever the point."""
        seen = np.repeat(level > 0.0, np.diff(segments.starts))  # a constant column has no row
        lambda_ = float(level.max(initial=0.0))  # columns have weight 1
        return self.scale_at(correlation[seen], np.zeros_like(correlation[seen]), lambda_)

    def critical_lambda(
        self,
        correlation: FloatArray,
        segments: Segments,
        weight: FloatArray,
        penalised: Array,
    ) -> float:
        """Return the dual norm of the correlations."""
        seen = np.asarray(penalised, dtype=bool) & (weight > 0.0)
        seen = np.repeat(seen, np.diff(segments.starts))
        return self._dual_norm(correlation[seen]) * UP if self.weight.size else 0.0
