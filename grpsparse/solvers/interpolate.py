"""Interpolation of least norm: the limit of a penalised fit as lambda goes to 0.

    minimise  sum_g w_g ||b_g||**q   subject to  X b = y  (columns and y centred, or not)

For groups of one and q = 1 this is basis pursuit. By factors (:mod:`grpsparse.solvers.factors`)
nothing breaks down on the way: lambda falls through a few decades, each fit starting from the
last, and what the smallest one leaves of the residual is taken off exactly.

For q = 1 the dual problem, max <y, a> subject to ||X_g'a|| <= w_g, bounds the norm from below:
with the largest ||X_g'a|| / w_g as `certificate` c, no interpolation has a norm below
<y, a> / max(1, c). For q < 1 minima are local ones and have no such proof.

References: Poon & Peyre (2021), "Smooth bilevel programming for sparse regularization".
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from grpsparse.backend import segment_norms
from grpsparse.errors import DataError, GroupError, OptionError
from grpsparse.families import get as get_family
from grpsparse.groups import FloatArray, IntArray
from grpsparse.problem import Observed
from grpsparse.problem.null import unpenalised_basis
from grpsparse.solvers.eliminate import Quadratic
from grpsparse.solvers.factors import FLOOR, SMALLEST_POWER, Factors, Variational, minimum

__all__ = ["Interpolant", "interpolate"]

SHARES = (1e-1, 1e-3, 1e-5, 1e-7, 1e-9)  # of lambda_max, through which lambda falls
FLAT, COARSE = 1e-9, 1e-4  # derivatives, over the norm, at which the last fit ends, and others
REFINEMENTS = 3  # each takes off what the last left of the residual
MISFIT = 1e-8  # of y, above which X b is another y
NOTHING = 1e-28  # of the squares of y, that is rounding of a constant
VANISHED = 1e-9  # of the largest block, one that is on its way to zero
INSIDE = 1e-4  # by which a gradient is below its limit for a block to be zero


@dataclass(frozen=True, slots=True)
class Interpolant:
    """An interpolation of small norm.

    Parameters
    ----------
    coef : ndarray of shape (p,) or (p, K)
    intercept : ndarray of shape () or (K,)
        0 without an intercept.
    norm : float
        Sum of w_g ||b_g||**q.
    dual : ndarray of shape (n,) or (n, K)
        The dual point a.
    certificate : float
        Largest ||X_g'a|| / w_g; at most 1, up to accuracy, where the norm is the least.
    gap : float
        Share of the norm by which it can exceed the least one; NaN for q < 1.
    misfit : float
        Largest absolute difference of y and the interpolation.
    n_iter : int
        Ridge regressions.
    """

    coef: FloatArray
    intercept: FloatArray
    norm: float
    dual: FloatArray
    certificate: float
    gap: float
    misfit: float
    n_iter: int


def interpolate(
    X: ArrayLike,
    y: ArrayLike,
    *,
    groups: Sequence[Hashable] | None = None,
    weights: ArrayLike | None = None,
    q: float = 1.0,
    intercept: bool = True,
    memory: int = 20,
    max_iter: int = 1000,
) -> Interpolant:
    """Return the interpolation of least group norm.

    Parameters
    ----------
    X : array_like of shape (n, p)
        Columns as they are: nothing is standardised.
    y : array_like of shape (n,) or (n, K)
        Responses, whose coefficients of a group share one norm.
    groups : sequence of length p, optional
        A label for each column; every column by itself unless given.
    weights : array_like of shape (G,), optional
        Positive weights of the groups, in order of first appearance; 1 unless given.
    q : float
        Power of the norms, above 2/3 and at most 1.
    intercept : bool
        Whether columns and responses are centred.
    memory, max_iter : int
        Of L-BFGS, for each of its runs.

    Returns
    -------
    Interpolant

    Raises
    ------
    DataError
        Shapes that don't match, values that are not finite, or a y that no coefficients reach.
    GroupError
        Labels or weights that don't match.
    OptionError
        Another q.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(30, 90))
    >>> found = interpolate(X, X[:, :6].sum(axis=1), groups=np.arange(90) // 3)
    >>> np.flatnonzero(found.coef)
    array([0, 1, 2, 3, 4, 5])
    >>> found.gap < 1e-7
    True
    """
    if not SMALLEST_POWER < q <= 1.0:
        raise OptionError(f"`q` is {q!r}; give a number above 2/3 and at most 1.")
    task = _Interpolation.of(X, y, groups, weights, intercept=intercept)
    return task.solve(Variational.of(q), q, memory=memory, max_iter=max_iter)


@dataclass(frozen=True, slots=True)
class _Interpolation:
    """Columns sorted by group, one row each, and responses."""

    rows: FloatArray  # (p, n)
    y: FloatArray  # (n, K)
    order: IntArray  # (p,), columns as they stand in the rows
    starts: IntArray  # (G + 1,)
    weight: FloatArray  # (G,)
    intercept: bool
    single: bool  # whether y came as a vector

    @classmethod
    def of(
        cls,
        X: ArrayLike,
        y: ArrayLike,
        groups: Sequence[Hashable] | None,
        weights: ArrayLike | None,
        *,
        intercept: bool,
    ) -> _Interpolation:
        """Read and check the arguments."""
        columns, target = np.asarray(X, dtype=np.float64), np.asarray(y, dtype=np.float64)
        if columns.ndim != 2 or target.ndim not in (1, 2) or len(target) != len(columns):
            raise DataError(
                f"X has the shape {columns.shape} and y {target.shape}; give a matrix, and one "
                "or several responses for each of its rows."
            )
        if not (np.isfinite(columns).all() and np.isfinite(target).all()):
            raise DataError("X or y has values that are not finite; interpolate finite numbers.")
        order, starts = _sorted(groups, columns.shape[1])
        count = starts.size - 1
        weight = np.ones(count) if weights is None else np.asarray(weights, dtype=np.float64)
        if weight.shape != (count,) or not ((weight > 0) & np.isfinite(weight)).all():
            raise GroupError(
                f"`weights` has the shape {weight.shape} for {count} groups; give a positive "
                "number for each."
            )
        rows = np.ascontiguousarray(columns.T[order])
        single = target.ndim == 1
        return cls(rows, target.reshape(len(target), -1), order, starts, weight, intercept, single)

    def norms(self, values: FloatArray) -> FloatArray:
        """Return the norms of groups of values (p, K), (G,)."""
        return segment_norms(values, self.starts, shared=True)[:, 0]

    def solve(self, form: Variational, q: float, *, memory: int, max_iter: int) -> Interpolant:
        """Follow lambda down, and take off what it leaves of the residual."""
        n = self.y.shape[0]
        share = np.full(n, 1.0 / n)
        data = Observed(get_family("mgaussian"), self.y, share, np.zeros_like(self.y))
        ones = np.ones((int(self.intercept), n))
        quadratic = Quadratic(data, self.rows, unpenalised_basis(ones, share, intercept=False))
        inner = self.norms(quadratic.inner)
        top, calls = float((inner / self.weight).max(initial=0.0)), 0
        scale = 0.5 * float(np.sum(quadratic.target**2))
        if scale <= NOTHING * float(share @ np.sum(self.y**2, axis=1)):
            nothing = np.zeros((self.rows.shape[0], 1))
            return self._found(quadratic, nothing, np.zeros_like(self.y), q, 0)
        if not top > 0.0:
            raise DataError("no coefficients interpolate y: all columns of X are orthogonal to it.")
        factor = form.factor(inner[:, None] / float(np.sum(quadratic.columns**2)))
        for share_of_top in SHARES:
            lambda_ = share_of_top * top
            factors = Factors(quadratic, self.starts, lambda_ * self.weight, form, scale)
            start = np.maximum(np.abs(factor), FLOOR * np.abs(factor).max()) / factors.unit
            flat = FLAT if share_of_top == SHARES[-1] else COARSE
            least = minimum(factors, start, memory=memory, max_iter=max_iter, flat=flat)
            factor, calls = least.factor * factors.unit, calls + factors.calls
            scale = 0.1 * lambda_ * float(self.weight @ self.norms(least.found.theta) ** q)
        sizes = self.norms(least.found.theta)[:, None]
        out = sizes < VANISHED * sizes.max()
        if form.convex:
            out |= least.push < 1.0 - INSIDE
        spread = np.repeat(factor**2 / (lambda_ * self.weight[:, None]), np.diff(self.starts), 0)
        kept = np.where(np.repeat(out, np.diff(self.starts), 0), 0.0, spread)
        # what blocks near zero still add to the residual is what makes the dual point feasible
        residual = quadratic.residual(spread[:, 0], quadratic.target) / lambda_
        return self._found(quadratic, kept, residual, q, calls)

    def _found(
        self, quadratic: Quadratic, spread: FloatArray, residual: FloatArray, q: float, calls: int
    ) -> Interpolant:
        """Return the interpolation of spreads (p, 1), and a residual over lambda as dual point."""
        columns, root = quadratic.columns, 1.0 / np.sqrt(self.y.shape[0])
        theta = np.zeros((spread.shape[0], self.y.shape[1]))
        for _ in range(REFINEMENTS):
            left = quadratic.target - columns.T @ theta
            theta += spread * (columns @ quadratic.residual(spread[:, 0], left))
        if self.intercept:
            residual = residual - residual.mean(axis=0)
        dual = root * residual
        constant = quadratic.unpenalised(theta).sum(axis=0)
        misfit = float(np.abs(self.y - constant - self.rows.T @ theta).max(initial=0.0))
        if not misfit <= MISFIT * float(np.abs(self.y).max(initial=0.0)):
            raise DataError(
                f"no coefficients were found that interpolate y: {misfit:.2g} is left; X needs "
                "rows that are linearly independent, and fewer than columns."
            )
        norm = float(self.weight @ self.norms(theta) ** q)
        certificate = float(np.max(self.norms(columns @ residual) / self.weight))
        reached = float(np.sum(quadratic.target * residual)) / max(1.0, certificate)
        gap = float("nan") if q < 1.0 else 1.0 - reached / norm if norm > 0 else 0.0
        coef = np.zeros_like(theta)
        coef[self.order] = theta
        if self.single:
            coef, constant, dual = coef[:, 0], constant[0], dual[:, 0]
        return Interpolant(coef, constant, norm, dual, certificate, gap, misfit, calls)


def _sorted(groups: Sequence[Hashable] | None, p: int) -> tuple[IntArray, IntArray]:
    """Return the order that sorts columns by group, and the boundaries of the groups."""
    if groups is None:
        return np.arange(p), np.arange(p + 1)
    labels = list(groups)
    if len(labels) != p:
        raise GroupError(
            f"`groups` has {len(labels)} labels but X has {p} columns; give one for each."
        )
    number = {label: place for place, label in enumerate(dict.fromkeys(labels))}
    code = np.array([number[label] for label in labels], dtype=np.int64)
    sizes = np.bincount(code, minlength=len(number))
    return np.argsort(code, kind="stable"), np.concatenate([[0], np.cumsum(sizes)])
