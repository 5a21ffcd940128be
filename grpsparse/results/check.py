"""The certificate of a path, a second time: from its rows and its coefficients alone.

Convex penalties: the duality gap. The residual y - mu is made orthogonal to the intercept and
the unpenalised coordinates and scaled into the dual ball of the penalty; with the conjugates of
loss and penalty it bounds the objective from below. Reported over f(null) - f(saturated).

Nonconvex penalties: the largest violation of stationarity over blocks, each over its weight, and
over the orthonormal directions of the unpenalised part; reported over the largest gradient of
the null fit over its weight.

Nothing of the engine is imported and no number that it stored is read, but for the weights that
an adaptive penalty took from its first fit: standardisation, ranks, other weights, null fits and
lambda_max are all worked out again.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, cast

import numpy as np
from scipy.sparse import csr_array

from grpsparse.families import n_outputs
from grpsparse.groups import BoolArray, FloatArray, IntArray, members
from grpsparse.penalties import JointPenalty, Penalty
from grpsparse.results.check_conjugate import conjugate, mixture
from grpsparse.results.check_loss import (
    Rows,
    basis,
    project_out,
    settled,
    unpenalised_fit,
)
from grpsparse.results.check_scale import Columns, Coordinates, centred_columns, coordinates

if TYPE_CHECKING:
    from grpsparse.results.path_fit import PathFit

__all__ = ["recompute"]

CHUNK = 4_000_000  # entries of linear predictors held at a time
HALVINGS = 64
SHORT = 1e-9  # relative, by which a norm may miss the least one that a prox gives


@dataclass(frozen=True, slots=True)
class _Case:
    """A fit, taken apart.

    `spanned` (r, n) are orthonormal rows of the intercept and the unpenalised coordinates,
    `null` and `start` the linear predictors of offset and intercept, and of `spanned`.
    """

    rows: Rows
    columns: Columns
    coordinates: Coordinates
    penalty: Penalty
    weight: FloatArray  # (G,)
    curvature: FloatArray  # (G,), bounds on that of the loss, for a steep penalty
    together: float  # the same along all penalised groups at once
    shared: bool
    spanned: FloatArray
    null: FloatArray
    start: FloatArray

    def norms(self, squares: FloatArray) -> FloatArray:
        """Return norms of blocks, (G, 1) or (G, K), from squared norms (G, K)."""
        if self.shared:
            squares = squares.sum(axis=1, keepdims=True)
        return np.sqrt(squares)

    def block_norms(self, values: FloatArray) -> FloatArray:
        """Return norms of the blocks of values (q, K), (G, 1) or (G, K)."""
        group = self.coordinates.group
        entries = (np.ones(group.size), (group, np.arange(group.size)))
        gather = csr_array(entries, shape=(self.weight.size, group.size))
        return self.norms(np.asarray(gather @ values**2))


@dataclass(frozen=True, slots=True)
class _Point:
    """One solution: (n, K) predictors and residuals, (q, K) coefficients and correlations."""

    lambda_: float
    eta: FloatArray
    theta: FloatArray
    norms: FloatArray  # (G, 1) or (G, K)
    dual: FloatArray
    correlation: FloatArray


@dataclass(frozen=True, slots=True)
class _Free:
    """What carries no penalty at a lambda: orthonormal rows (r, n), and a dual point inside."""

    spanned: FloatArray
    inner: FloatArray  # (n, K), orthogonal to `spanned`


def recompute(fit: PathFit) -> FloatArray:
    """Recompute the certificate of every point of a path.

    Parameters
    ----------
    fit : PathFit
        Its training rows, terms, settings, family, penalty and coefficients are read.

    Returns
    -------
    ndarray of shape (L,)
        Duality gap over f(null) - f(saturated), or violation of stationarity over the largest
        gradient of the null fit.

    Notes
    -----
    The standardised design is held in memory, dense.
    """
    case = _take_apart(fit)
    out = np.empty(fit.lambda_.size)
    zero = fit.lambda_ == 0
    # half of it: a residual of the null fit may stand on the border of the domain itself
    free = _Free(case.spanned, 0.5 * case.rows.residual(case.start))
    step = max(1, CHUNK // max(case.rows.y.size, 1))
    for where in (np.flatnonzero(~zero), np.flatnonzero(zero)):
        if where.size and fit.lambda_[where[0]] == 0:  # then no group is penalised
            every = basis(np.concatenate([case.spanned, case.coordinates.rows]))
            free = _Free(every, np.zeros_like(free.inner))
        for begin in range(0, where.size, step):
            chosen = where[begin : begin + step]
            out[chosen] = _certificates(fit, case, chosen, free)
    return out


def _take_apart(fit: PathFit) -> _Case:
    """Standardise, weigh the groups, and solve the null fits."""
    training, settings = fit.training, fit.settings
    present = np.flatnonzero(training.weights > 0)
    share = training.weights[present] / training.weights[present].sum()
    y = np.asarray(training.y, dtype=np.float64)[present]
    count = n_outputs(fit.family, y)
    offset = np.zeros((y.shape[0], count))
    if training.offset is not None:
        offset = offset + np.asarray(training.offset, dtype=np.float64).reshape(-1, count)[present]
    rows = Rows(fit.family, y, offset, share)
    X = (
        training.X.tocsr()[present].toarray()
        if hasattr(training.X, "tocsr")
        else training.X[present]
    )
    columns = centred_columns(X, share, intercept=settings.intercept)
    standard = coordinates(fit, columns)
    weight = _group_weights(fit, standard)
    constant = basis(rows.root.T) if settings.intercept else np.empty((0, y.shape[0]))
    null = start = unpenalised_fit(rows, constant)
    unpenalised = weight[standard.group] == 0
    spanned = constant
    if unpenalised.any():
        spanned = basis(np.concatenate([constant, standard.rows[unpenalised]]))
        start = unpenalised_fit(rows, spanned)
    v = fit.family.rescale
    if v is None:
        v = float((share @ np.asarray(fit.family.curvature(y, start))).max())
    shared = settings.class_groups == "shared"
    penalty = fit.penalty.rescaled(v)
    bend = np.ones(weight.size), 1.0
    if penalty.steep:
        bend = _curvatures(standard, weight, fit.family.curvature_bound or 1.0)
    return _Case(rows, columns, standard, penalty, weight, *bend, shared, spanned, null, start)


def _curvatures(standard: Coordinates, weight: FloatArray, v: float) -> tuple[FloatArray, float]:
    """Return v times the largest eigenvalues of Gram matrices: every group's, and of all together.

    The last is that of the groups that are penalised.
    """
    out = np.zeros(weight.size)
    for g in range(weight.size):
        rows = standard.rows[standard.group == g]
        out[g] = v * np.linalg.norm(rows, 2) ** 2 if rows.size else 0.0
    rows = standard.rows[weight[standard.group] > 0]
    return out, float(v * np.linalg.norm(rows, 2) ** 2) if rows.size else 0.0


def _group_weights(fit: PathFit, standard: Coordinates) -> FloatArray:
    """Return penalty factor times sqrt(rank * K'), 0 for a group without rank.

    Weights that come from a first fit are part of the problem that is certified.
    """
    if fit.penalty.adaptive:
        return fit.group_weights
    n_groups = standard.rank.size
    factor = np.asarray(fit.settings.penalty_factor or np.ones(len(fit.model.terms)))
    if factor.size != n_groups:  # every column of a term is a group
        index, starts = members(fit.model.terms)
        spread = np.ones(n_groups)
        spread[index] = np.repeat(factor, np.diff(starts))
        factor = spread
    if fit.settings.group_weight == "none":
        return factor * (standard.rank > 0)
    n_classes = n_outputs(fit.family, fit.training.y)
    copies = n_classes if fit.settings.class_groups == "shared" else 1
    if copies > 1 and fit.family.hessian == "softmax":
        copies -= 1
    return factor * np.sqrt(standard.rank * copies)


def _certificates(fit: PathFit, case: _Case, chosen: IntArray, free: _Free) -> list[float]:
    """Return the certificates of some points of the path."""
    rows, standard = case.rows, case.coordinates
    coef = fit.raw_coef[chosen]
    if fit.leak is not None:
        coef = coef + np.stack([np.asarray(fit.leak @ each) for each in coef])
    constant = fit.raw_intercept[chosen] + np.einsum("p,lpk->lk", case.columns.mean, coef)
    moved = np.moveaxis(np.tensordot(case.columns.values, coef, axes=(1, 1)), 1, 0)
    eta = rows.offset + constant[:, None, :] + moved / rows.root
    dual = np.stack([rows.residual(each) for each in eta])
    if fit.penalty.convex:
        dual = np.stack([project_out(each, free.spanned, rows.root) for each in dual])
    correlation = np.moveaxis(np.tensordot(standard.rows, rows.root * dual, axes=(1, 1)), 1, 0)
    found = []
    for place, number in enumerate(chosen.tolist()):
        point = _Point(
            float(fit.lambda_[number]),
            eta[place],
            standard.theta[number],
            case.norms(standard.squares[number]),
            dual[place],
            correlation[place],
        )
        certify = _duality_gap if fit.penalty.convex else _violation
        found.append(certify(case, point, free))
    return found


def _duality_gap(case: _Case, point: _Point, free: _Free) -> float:
    """Return the gap between objective and dual value, over f(null) - f(saturated)."""
    rows, penalty = case.rows, case.penalty
    penalised = (case.weight > 0) & (point.lambda_ > 0)
    shape = (int(penalised.sum()), point.norms.shape[1])
    level = np.broadcast_to(point.lambda_ * case.weight[penalised, None], shape)
    single: FloatArray = np.where(penalised, point.lambda_ * penalty.l1_fraction, 0.0)
    value = float(np.sum(penalty.radial_value(point.norms[penalised], level)))
    value += float(np.sum(single[case.coordinates.group, None] * np.abs(point.theta)))

    # the penalty is slope * norm + bend * norm**2 / 2, and the single coefficients
    slope = penalty.radial_derivative(np.zeros_like(level), level)
    bend = penalty.radial_curvature(np.ones_like(level), level)
    bent = bend > 0
    bound = np.where(bent, np.inf, slope)
    scale = _largest_scale(case, point, single, penalised, bound)
    if mixture(rows.family, rows.y, scale * point.dual, scale * free.inner) > 0:
        point = _inside(case, point, free)
        scale = _largest_scale(case, point, single, penalised, bound)
    excess = np.maximum(_sizes(case, scale * point.correlation, single)[penalised] - slope, 0.0)
    against = float(np.sum(excess[bent] ** 2 / (2.0 * bend[bent])))

    # the dual point is orthogonal to the unpenalised fit, which may so stand for the offset
    lost = rows.family.loss(rows.y, point.eta) + conjugate(
        rows.family, rows.y, scale * point.dual, case.start
    )
    gap = float(rows.share @ lost) + value + against
    saturated = float(rows.share @ rows.family.saturated_loss(rows.y))
    return gap / (rows.loss(case.null) - saturated)


def _inside(case: _Case, point: _Point, free: _Free) -> _Point:
    """Return the point with its dual point brought into the domain.

    The unpenalised part is settled to rounding; what is still outside is mixed with `inner`.
    """
    rows = case.rows
    residual = rows.residual(settled(rows, free.spanned, point.eta))
    dual = project_out(residual, free.spanned, rows.root)
    share = mixture(rows.family, rows.y, dual, free.inner)
    if share > 0:
        dual = (1.0 - share) * dual + share * free.inner
    return replace(point, dual=dual, correlation=case.coordinates.rows @ (rows.root * dual))


def _sizes(case: _Case, correlation: FloatArray, single: FloatArray) -> FloatArray:
    """Return the norms of blocks after soft-thresholding, (G, 1) or (G, K)."""
    cut = single[case.coordinates.group, None]
    return case.block_norms(np.maximum(np.abs(correlation) - cut, 0.0))


def _largest_scale(
    case: _Case, point: _Point, single: FloatArray, penalised: BoolArray, bound: FloatArray
) -> float:
    """Return the largest factor up to 1 that takes the correlations into the dual ball."""

    def inside(scale: float) -> bool:
        sizes = _sizes(case, scale * point.correlation, single)[penalised]
        return bool((sizes <= bound).all())

    if not single.any():
        sizes = case.block_norms(point.correlation)[penalised]
        over = sizes > bound
        return float(np.min(bound[over] / sizes[over], initial=1.0))
    if inside(1.0):
        return 1.0
    low, high = 0.0, 1.0
    for _ in range(HALVINGS):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if inside(middle) else (low, middle)
    return low


def _violation(case: _Case, point: _Point, free: _Free) -> float:
    """Return the largest violation of stationarity, over the largest gradient of the null fit."""
    penalised = (case.weight > 0) & (point.lambda_ > 0)
    weight = case.weight[:, None]
    slope, limit, short = _limits(case, point)
    active = point.norms > 0
    pull = np.divide(slope, point.norms, out=np.zeros_like(slope), where=active)
    balance = point.correlation - pull[case.coordinates.group] * point.theta
    too_steep = np.maximum(case.block_norms(point.correlation) - limit, 0.0)
    unbalanced = case.block_norms(balance) + short * case.curvature[:, None] * point.norms
    violation = np.where(active, unbalanced, too_steep)[penalised]
    worst = float(np.max(violation / weight[penalised], initial=0.0))
    left = free.spanned @ (case.rows.root * point.dual)
    return max(worst, float(np.linalg.norm(left))) / _gradient_scale(case)


def _limits(case: _Case, point: _Point) -> tuple[FloatArray, FloatArray, BoolArray]:
    """Return slopes, what a gradient may be where zero is, and which norms are too short."""
    norms, penalty, weight = point.norms, case.penalty, case.weight
    if penalty.joint:
        return _joint_limits(case, point)
    level = np.broadcast_to(point.lambda_ * weight[:, None], norms.shape)
    curvature = np.broadcast_to(case.curvature[:, None], norms.shape)
    least = penalty.least_norm(level, curvature) * (1.0 - SHORT)
    slope = penalty.radial_derivative(norms, level)
    return slope, penalty.zero_limit(level, curvature), norms < least


def _joint_limits(case: _Case, point: _Point) -> tuple[FloatArray, FloatArray, BoolArray]:
    """Return the same for a penalty of all norms, class by class where they are separate."""
    penalty, seen = cast(JointPenalty, case.penalty), case.weight > 0
    slope, limit = np.zeros_like(point.norms), np.zeros_like(point.norms)
    short = np.zeros(point.norms.shape, dtype=np.bool_)
    for k in range(point.norms.shape[1]):
        given = (point.norms[seen, k], case.weight[seen], point.lambda_)
        slope[seen, k] = penalty.joint_slope(*given)
        limit[seen, k] = penalty.joint_limit(*given, case.curvature[seen], case.together)
        least = penalty.joint_least(*given, case.together) * (1.0 - SHORT)
        short[seen, k] = np.linalg.norm(given[0]) < least
    return slope, limit, short


def _gradient_scale(case: _Case) -> float:
    """Return the largest gradient of a penalised block at the null fit, over its weight.

    Where nothing is penalised, the size of the null fit's residual takes its place.
    """
    rows, penalised = case.rows, case.weight > 0
    if not penalised.any():
        return float(np.sqrt(rows.share @ np.sum(rows.residual(case.null) ** 2, axis=1)))
    gradient = case.coordinates.rows @ (rows.root * rows.residual(case.start))
    sizes = case.block_norms(gradient)[penalised]
    return float(np.max(sizes / case.weight[penalised, None]))
