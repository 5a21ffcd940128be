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

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from scipy.sparse import csr_array

from grpsparse.families import n_outputs
from grpsparse.groups import BoolArray, FloatArray, IntArray, members
from grpsparse.penalties import NestedPenalty, Penalty
from grpsparse.results.check_conjugate import conjugate, mixture
from grpsparse.results.check_loss import (
    Rows,
    basis,
    project_out,
    settled,
    unpenalised_fit,
)
from grpsparse.results.check_nested import largest_by_block, nested_left
from grpsparse.results.check_overlap import Overlap
from grpsparse.results.check_scale import Columns, Coordinates, centred_columns, coordinates
from grpsparse.results.check_union import union_coordinates

if TYPE_CHECKING:
    from grpsparse.results.path_fit import PathFit
    from grpsparse.unions import Unions

__all__ = [
    "Case",
    "Free",
    "Point",
    "certificate",
    "gradient_scale",
    "points",
    "recompute",
    "squared_singular_values",
    "take_apart",
]

CHUNK = 4_000_000  # entries of linear predictors held at a time
HALVINGS = 64
SHORT = 1e-9  # relative, by which a norm may miss the least one that a prox gives


@dataclass(frozen=True, slots=True)
class Case:
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
    shared: bool
    spanned: FloatArray
    null: FloatArray
    start: FloatArray
    overlap: Overlap | None = None  # where norms are of groups that overlap

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

    def per_row(self, values: Any) -> Any:
        """Return values of blocks, (G, 1) or (G, K), for every coordinate of theirs."""
        return values[self.coordinates.group]


@dataclass(frozen=True, slots=True)
class Point:
    """One solution: (n, K) predictors and residuals, (q, K) coefficients and correlations."""

    lambda_: float
    eta: FloatArray
    settled: FloatArray  # the predictor that `dual` is the residual of
    theta: FloatArray
    norms: FloatArray  # (G, 1) or (G, K)
    dual: FloatArray
    correlation: FloatArray


@dataclass(frozen=True, slots=True)
class Free:
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
    case = take_apart(fit)
    return np.array([certificate(case, point, free) for point, free in points(fit, case)])


def points(fit: PathFit, case: Case) -> Iterator[tuple[Point, Free]]:
    """Yield the points of a path, and what is free at each."""
    # half of it: a residual of the null fit may stand on the border of the domain itself
    free = Free(case.spanned, 0.5 * case.rows.residual(case.start))
    step = max(1, CHUNK // max(case.rows.y.size, 1))
    n_above = int(np.count_nonzero(fit.lambda_))  # zero can only be the last
    for begin in range(0, n_above, step):
        for point in _some_points(fit, case, np.arange(begin, min(begin + step, n_above)), free):
            yield point, free
    if n_above < fit.lambda_.size:  # then no group is penalised
        every = basis(np.concatenate([case.spanned, case.coordinates.rows]))
        free = Free(every, np.zeros_like(free.inner))
        for point in _some_points(fit, case, np.arange(n_above, fit.lambda_.size), free):
            yield point, free


def certificate(case: Case, point: Point, free: Free) -> float:
    """Return the certificate of one point."""
    certify = _duality_gap if case.penalty.convex else _violation
    return certify(case, point, free)


def take_apart(fit: PathFit) -> Case:
    """Standardise, weigh the groups, and solve the null fits."""
    training, settings = fit.training, fit.settings
    present = np.flatnonzero(training.weights > 0)
    share = training.weights[present] / training.weights[present].sum()
    y = np.asarray(training.y, dtype=np.float64)[present]
    count = n_outputs(fit.family, y)
    offset = np.zeros((y.shape[0], count))
    if training.offset is not None:
        offset = offset + np.asarray(training.offset, dtype=np.float64).reshape(-1, count)[present]
    rows = Rows.of(fit.family, y, offset, share)
    X = (
        training.X.tocsr()[present].toarray()
        if hasattr(training.X, "tocsr")
        else training.X[present]
    )
    columns = centred_columns(X, share, intercept=settings.centred)
    standard = _coordinates(fit, columns)
    overlap = None
    if fit.unions is None or fit.latent is not None:
        weight = _group_weights(fit, standard)
    else:
        overlap = _overlap(fit, columns, standard)
        weight = np.zeros(standard.rank.size)
        weight[standard.group[overlap.rows[overlap.weight[overlap.owner] > 0]]] = 1.0
    constant = basis(rows.root.T) if settings.intercept else np.empty((0, y.shape[0]))
    null = start = unpenalised_fit(rows, constant)
    unpenalised = weight[standard.group] == 0
    spanned = constant
    if unpenalised.any():
        spanned = basis(np.concatenate([constant, standard.rows[unpenalised]]))
        start = unpenalised_fit(rows, spanned)
    v = fit.family.rescale
    if v is None:
        v = float((share @ np.asarray(rows.family.curvature(y, start))).max())
    shared = settings.class_groups == "shared"
    penalty = fit.penalty.rescaled(v)
    bend = np.ones(weight.size)
    if penalty.steep:
        squared = squared_singular_values(standard, weight.size)
        bend = (fit.family.curvature_bound or 1.0) * squared
    return Case(
        rows, columns, standard, penalty, weight, bend, shared, spanned, null, start, overlap
    )


def _coordinates(fit: PathFit, columns: Columns) -> Coordinates:
    """Return the standardised coordinates of the groups."""
    if fit.unions is None or fit.latent is None:
        return coordinates(fit, columns)
    return union_coordinates(fit, columns, fit.unions)


def _overlap(fit: PathFit, columns: Columns, standard: Coordinates) -> Overlap:
    """Return the groups of single columns, with their weights."""
    unions = cast("Unions", fit.unions)
    weight = _group_weights(fit, union_coordinates(fit, columns, unions))
    index, starts = unions.columns(fit.model.terms)
    owner = np.repeat(np.arange(weight.size), np.diff(starts))
    row = np.full(len(fit.model.columns), -1)
    row[standard.group] = np.arange(standard.group.size)
    varying = row[index] >= 0
    shared = fit.settings.class_groups == "shared"
    return Overlap(row[index[varying]], owner[varying], weight, shared)


def squared_singular_values(standard: Coordinates, n_groups: int) -> FloatArray:
    """Return the largest eigenvalue of every group's Gram matrix, (G,)."""
    out = np.zeros(n_groups)
    for g in range(n_groups):
        rows = standard.rows[standard.group == g]
        out[g] = np.linalg.norm(rows, 2) ** 2 if rows.size else 0.0
    return out


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


def _some_points(fit: PathFit, case: Case, chosen: IntArray, free: Free) -> list[Point]:
    """Return some points of the path."""
    rows, standard = case.rows, case.coordinates
    coef = fit.raw_coef[chosen]
    if fit.leak is not None:
        coef = coef + np.stack([np.asarray(fit.leak @ each) for each in coef])
    constant = fit.raw_intercept[chosen] + np.einsum("p,lpk->lk", case.columns.mean, coef)
    moved = np.moveaxis(np.tensordot(case.columns.values, coef, axes=(1, 1)), 1, 0)
    near = eta = rows.offset + constant[:, None, :] + moved / rows.root
    dual = np.stack([rows.residual(each) for each in eta])
    if fit.penalty.convex:
        if rows.partial is not None:  # its residual must stay one
            near = np.stack([settled(rows, free.spanned, each) for each in eta])
            dual = np.stack([rows.residual(each) for each in near])
        else:
            dual = np.stack([project_out(each, free.spanned, rows.root) for each in dual])
    correlation = np.moveaxis(np.tensordot(standard.rows, rows.root * dual, axes=(1, 1)), 1, 0)
    return [
        Point(
            float(fit.lambda_[number]),
            eta[place],
            near[place],
            standard.theta[number],
            case.norms(standard.squares[number]),
            dual[place],
            correlation[place],
        )
        for place, number in enumerate(chosen.tolist())
    ]


def _duality_gap(case: Case, point: Point, free: Free) -> float:
    """Return the gap between objective and dual value, over f(null) - f(saturated)."""
    if case.overlap is not None:
        return _overlap_gap(case, case.overlap, point, free)
    rows, penalty = case.rows, case.penalty
    penalised = (case.weight > 0) & (point.lambda_ > 0)
    shape = (int(penalised.sum()), point.norms.shape[1])
    level = np.broadcast_to(point.lambda_ * case.weight[penalised, None], shape)
    single: FloatArray = np.where(penalised, point.lambda_ * penalty.l1_fraction, 0.0)
    value = float(np.sum(penalty.radial_value(point.norms[penalised], level)))
    if penalty.matrix:
        value = point.lambda_ * float(_singular_values(case, point.theta, case.weight).sum())
    value += float(np.sum(single[case.coordinates.group, None] * np.abs(point.theta)))

    # the penalty is slope * norm + bend * norm**2 / 2, and the single coefficients
    slope = penalty.radial_derivative(np.zeros_like(level), level)
    bend = penalty.radial_curvature(np.ones_like(level), level)
    bent = bend > 0
    bound = np.where(bent, np.inf, slope)
    scale = _largest_scale(case, point, single, penalised, bound)
    if rows.partial is None and (
        mixture(rows.family, rows.y, scale * point.dual, scale * free.inner) > 0
    ):
        point = _inside(case, point, free)
        scale = _largest_scale(case, point, single, penalised, bound)
    excess = np.maximum(_sizes(case, scale * point.correlation, single)[penalised] - slope, 0.0)
    against = float(np.sum(excess[bent] ** 2 / (2.0 * bend[bent])))

    return _gap(case, point, free, scale, value + against)


def _overlap_gap(case: Case, overlap: Overlap, point: Point, free: Free) -> float:
    """Return the same where norms are of groups that overlap."""
    rows, at = case.rows, point.lambda_
    value = at * overlap.value(point.theta)
    scale = overlap.scale(point.correlation, point.theta, at)
    if mixture(rows.family, rows.y, scale * point.dual, scale * free.inner) > 0:
        point = _inside(case, point, free)
        scale = overlap.scale(point.correlation, point.theta, at)
    return _gap(case, point, free, scale, value)


def _gap(case: Case, point: Point, free: Free, scale: float, paid: float) -> float:
    """Return loss and what is paid less the dual value of a scaled point, relatively."""
    rows = case.rows
    # the dual point is orthogonal to the unpenalised fit, which may so stand for the offset
    gap = _lost(case, point, free, scale) + paid
    return gap / (rows.loss(case.null) - rows.saturated())


def _lost(case: Case, point: Point, free: Free, scale: float) -> float:
    """Return the loss and its conjugate at the scaled dual point."""
    rows = case.rows
    if rows.partial is not None:
        slack = float(np.linalg.norm(free.spanned @ (rows.root * point.dual)))
        bound = rows.partial.conjugate(point.dual, point.settled, scale, case.start, slack)
        return rows.loss(point.eta) + bound
    lost = rows.family.loss(rows.y, point.eta) + conjugate(
        rows.family, rows.y, scale * point.dual, case.start
    )
    return float(rows.share @ lost)


def _inside(case: Case, point: Point, free: Free) -> Point:
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


def _singular_values(case: Case, values: FloatArray, factor: FloatArray) -> FloatArray:
    """Return the singular values of a matrix (q, K), rows times the factors (G,) of groups."""
    rows = factor[case.coordinates.group, None] * values
    return np.asarray(np.linalg.svd(rows, compute_uv=False))


def _sizes(case: Case, correlation: FloatArray, single: FloatArray) -> FloatArray:
    """Return the norms of blocks after soft-thresholding, (G, 1) or (G, K)."""
    cut = single[case.coordinates.group, None]
    return case.block_norms(np.maximum(np.abs(correlation) - cut, 0.0))


def _largest_scale(
    case: Case, point: Point, single: FloatArray, penalised: BoolArray, bound: FloatArray
) -> float:
    """Return the largest factor up to 1 that takes the correlations into the dual ball."""

    def inside(scale: float) -> bool:
        sizes = _sizes(case, scale * point.correlation, single)[penalised]
        return bool((sizes <= bound).all())

    if case.penalty.matrix and penalised.any():
        inverse = np.divide(1.0, case.weight, out=np.zeros_like(case.weight), where=penalised)
        top = float(_singular_values(case, point.correlation, inverse).max(initial=0.0))
        return min(1.0, point.lambda_ / top) if top > 0 else 1.0
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


def _violation(case: Case, point: Point, free: Free) -> float:
    """Return the largest violation of stationarity, over the largest gradient of the null fit."""
    penalised = (case.weight > 0) & (point.lambda_ > 0)
    violation = (_nested if case.penalty.nested else _radial)(case, point)
    relative = violation[penalised] / case.weight[penalised, None]
    left = free.spanned @ (case.rows.root * point.dual)
    worst = max(float(np.max(relative, initial=0.0)), float(np.linalg.norm(left)))
    return worst / gradient_scale(case)


def _nested(case: Case, point: Point) -> FloatArray:
    """Return what a nested penalty leaves of the gradient of every block, (G, K')."""
    return nested_left(
        cast(NestedPenalty, case.penalty),
        point.lambda_ * case.weight,
        case.coordinates.group,
        point.theta,
        point.correlation,
        shared=case.shared,
    )


def _radial(case: Case, point: Point) -> FloatArray:
    """Return what a penalty of norms leaves of the gradient of every block, (G, K')."""
    level = np.broadcast_to(point.lambda_ * case.weight[:, None], point.norms.shape)
    curvature = np.broadcast_to(case.curvature[:, None], point.norms.shape)
    slope = case.penalty.radial_derivative(point.norms, level)
    limit = case.penalty.zero_limit(level, curvature)
    active = point.norms > 0
    pull = np.divide(slope, point.norms, out=np.zeros_like(slope), where=active)
    balance = point.correlation - pull[case.coordinates.group] * point.theta
    too_steep = np.maximum(case.block_norms(point.correlation) - limit, 0.0)
    short = point.norms < case.penalty.least_norm(level, curvature) * (1.0 - SHORT)
    unbalanced = case.block_norms(balance) + short * curvature * point.norms
    left: FloatArray = np.where(active, unbalanced, too_steep)
    return left


def gradient_scale(case: Case) -> float:
    """Return the largest gradient of a penalised block at the null fit, over its weight.

    That is its largest entry for a nested penalty, its norm for others.
    Where nothing is penalised, the size of the null fit's residual takes its place.
    """
    rows, penalised = case.rows, case.weight > 0
    if not penalised.any():
        return float(np.sqrt(rows.share @ np.sum(rows.residual(case.null) ** 2, axis=1)))
    gradient = case.coordinates.rows @ (rows.root * rows.residual(case.start))
    if case.penalty.nested:
        n_groups, group = case.weight.size, case.coordinates.group
        sizes = largest_by_block(gradient, group, n_groups, shared=case.shared)[penalised]
    else:
        sizes = case.block_norms(gradient)[penalised]
    return float(np.max(sizes / case.weight[penalised, None]))
