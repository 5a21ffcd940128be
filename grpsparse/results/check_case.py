"""A fit taken apart for its certificate: rows, coordinates, weights, null fits and points.

Nothing of the engine is imported and no number that it stored is read, but for the weights that
an adaptive penalty took from its first fit.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from scipy.sparse import csr_array

from grpsparse.families import n_outputs
from grpsparse.groups import FloatArray, IntArray, members
from grpsparse.penalties import Penalty
from grpsparse.results.check_loss import Rows, basis, project_out, settled, unpenalised_fit
from grpsparse.results.check_overlap import Overlap
from grpsparse.results.check_scale import Columns, Coordinates, centred_columns, coordinates
from grpsparse.results.check_union import union_coordinates

if TYPE_CHECKING:
    from grpsparse.results.path_fit import PathFit
    from grpsparse.unions import Unions

__all__ = ["Case", "Free", "Point", "points", "squared_singular_values", "take_apart"]

CHUNK = 4_000_000  # entries of linear predictors held at a time


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
    together: float  # the same along all penalised groups at once
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
    bend = np.ones(weight.size), 1.0
    if penalty.steep:
        bend = _curvatures(standard, weight, fit.family.curvature_bound or 1.0)
    return Case(
        rows, columns, standard, penalty, weight, *bend, shared, spanned, null, start, overlap
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


def _curvatures(standard: Coordinates, weight: FloatArray, v: float) -> tuple[FloatArray, float]:
    """Return v times the largest eigenvalues of Gram matrices: every group's, and of all together.

    The last is that of the groups that are penalised.
    """
    squared = squared_singular_values(standard, weight.size)
    rows = standard.rows[weight[standard.group] > 0]
    return v * squared, float(v * np.linalg.norm(rows, 2) ** 2) if rows.size else 0.0


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
