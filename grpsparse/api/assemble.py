"""From paths on the standardised scale to the results that a user holds."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace

import numpy as np

from grpsparse.api.door import Opened
from grpsparse.design import Standardised
from grpsparse.errors import ConvergenceWarning
from grpsparse.families import has_baseline
from grpsparse.groups import BoolArray, Deferred, FloatArray, IntArray, members
from grpsparse.path import Path
from grpsparse.problem import Blocks, Problem, columns_of
from grpsparse.results import PathFit, Settings, Training
from grpsparse.solvers import Solver

__all__ = ["path_fit", "warn_unconverged"]


def path_fit(opened: Opened, path: Path, weights: FloatArray, call: str) -> PathFit:
    """Return the result of one path."""
    problem = path.problem
    found = _found(path)
    coef, intercept = _raw_coefficients(problem, found, path.intercept)
    saturated = problem.data.mean(problem.data.family.saturated_loss(problem.data.y))
    total = 2.0 * float(weights.sum())
    coordinates, group_weight = problem.coordinates, problem.blocks.weight
    if opened.norms_overlap:
        coordinates, group_weight = opened.weighted_groups(problem.data)
        norms = _overlapping_norms(problem, coordinates, found)
    else:
        norms = _group_norms(problem, found)
    return PathFit(
        model=opened.model,
        family=opened.response.family,
        penalty=opened.resolved.penalty,
        training=_training(opened, weights),
        settings=_settings(opened, path, call),
        classes=opened.response.classes,
        lambda_=path.lambda_,
        raw_coef=coef,
        raw_intercept=intercept,
        leak=problem.coordinates.leak,
        group_norms=norms,
        group_weights=group_weight,
        ranks=_ranks(coordinates),
        certificate=path.certificate,
        certificate_kind=path.certificate_kind,
        converged=path.converged,
        n_iter=path.n_iter,
        unions=opened.unions,
        latent=_latent(opened, problem, found),
        deviance=np.maximum(total * (path.loss - saturated), 0.0),
        null_deviance=total * (problem.null_loss - saturated),
        effort=path.effort,
        lambda_pivotal=path.pivotal,
    )


@dataclass(frozen=True, slots=True)
class _Found:
    """The groups that are not zero somewhere on a path, whole."""

    groups: IntArray  # (g,)
    coordinates: IntArray  # (a,), theirs
    blocks: Blocks  # theirs
    theta: FloatArray  # (L, a, K)


def _found(path: Path) -> _Found:
    """Return what was found, without what neither loss nor penalty sees.

    That is the redundant direction of a factor's frame, and for the softmax the mean over
    classes of groups that are unpenalised or in the flat zone of a nonconvex penalty.
    """
    problem = path.problem
    coordinates = problem.coordinates
    owner = np.searchsorted(coordinates.starts, path.active, side="right") - 1
    groups = np.unique(owner)
    every = coordinates.coordinates_of(groups)
    theta = np.zeros((path.lambda_.size, every.size, path.theta.shape[2]))
    theta[:, np.searchsorted(every, path.active)] = path.theta
    theta = coordinates.canonical(groups, theta)
    found = _Found(groups, every, problem.blocks.part(groups), theta)
    if problem.data.family.hessian != "softmax":
        return found
    return replace(found, theta=_without_shift(problem, found, path.lambda_))


def _without_shift(problem: Problem, found: _Found, lambdas: FloatArray) -> FloatArray:
    """Return theta with the mean over classes taken off where nothing sees it."""
    theta = found.theta
    centred = theta - theta.mean(axis=2, keepdims=True)
    sizes = found.blocks.sizes
    free = np.tile(np.repeat(~found.blocks.penalised, sizes), (lambdas.size, 1))
    if not problem.penalty.convex:
        for place, at in enumerate(lambdas.tolist()):
            points = (theta[place], centred[place])
            free[place] |= _in_flat_zone(problem, found.blocks, points, at)
    return np.where(free[:, :, None], centred, theta)


def _in_flat_zone(
    problem: Problem, blocks: Blocks, points: tuple[FloatArray, FloatArray], lambda_: float
) -> BoolArray:
    """Return the coordinates (a,) around which the penalty is constant at all of the points."""
    penalty = problem.penalty
    if penalty.nested:
        found = [blocks.slopes(penalty, point, lambda_) for point in points]
        return np.asarray(np.logical_and.reduce([(each == 0).all(axis=1) for each in found]))
    flat = [
        slopes == 0
        for point in points
        for slopes in blocks.norm_slopes(penalty, blocks.norms(point), lambda_).T
    ]
    return np.repeat(np.logical_and.reduce(flat), blocks.sizes)


def _group_norms(problem: Problem, found: _Found) -> FloatArray:
    """Return the norms of all groups, (L, G), or (L, G, K) where classes are separate."""
    squares = found.theta**2
    if found.blocks.shared:
        squares = squares.sum(axis=2)
    out = np.zeros((squares.shape[0], problem.blocks.weight.size, *squares.shape[2:]))
    if found.groups.size:
        out[:, found.groups] = np.add.reduceat(squares, found.blocks.starts[:-1], axis=1)
        out[:, found.groups] **= 0.5
    return out[:, :, 0] if out.ndim == 3 and out.shape[2] == 1 else out


def _overlapping_norms(problem: Problem, groups: Standardised, found: _Found) -> FloatArray:
    """Return the norms of groups that share single columns, (L, G), or (L, G, K) as above."""
    n_points, _, n_outputs = found.theta.shape
    squares = np.zeros((n_points, problem.coordinates.design.shape[1], n_outputs))
    squares[:, columns_of(problem.coordinates)[found.coordinates]] = found.theta**2
    if found.blocks.shared:
        squares = squares.sum(axis=2, keepdims=True)
    out = np.zeros((n_points, groups.present.size, squares.shape[2]))
    first = groups.starts[:-1][groups.present]
    each = squares[:, columns_of(groups)]
    out[:, groups.present] = np.sqrt(np.add.reduceat(each, first, axis=1))
    return out[:, :, 0] if out.shape[2] == 1 else out


def _ranks(coordinates: Standardised) -> Deferred[IntArray]:
    """Return the ranks, at once where waiting would keep a second copy of the columns."""
    if coordinates.design.shift.any():
        return Deferred.of(coordinates.rank)
    return coordinates.ranks


def _raw_coefficients(
    problem: Problem, found: _Found, intercept: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return coefficients (L, p, K) of the raw columns and intercepts (L, K).

    The linear predictor is ``intercept + X (coef + leak coef)`` on columns as given; intercepts
    of the softmax have mean zero over classes.
    """
    coordinates = problem.coordinates
    n_points, _, n_outputs = found.theta.shape
    columns, coef = coordinates.coefficients(found.coordinates, found.theta)
    own = np.zeros((n_points, coordinates.design.shape[1], n_outputs))
    own[:, columns] = coef
    shift = coordinates.design.shift
    moved = np.einsum("q,lqk->lk", coordinates.centre[found.coordinates], found.theta)
    moved += np.einsum("c,lck->lk", shift[columns], coef)
    if coordinates.leak is not None:
        moved += np.stack([(coordinates.leak.T @ shift) @ point for point in own])
    levelled = problem.intercept or has_baseline(problem.data.family)
    intercept = intercept - moved if levelled else np.zeros_like(intercept)
    if problem.data.family.hessian == "softmax" and problem.intercept:
        intercept = intercept - intercept.mean(axis=1, keepdims=True)
    return own, intercept


def _latent(opened: Opened, problem: Problem, found: _Found) -> FloatArray | None:
    """Return the coefficients (L, m, K) of the columns of every group, whose sums are the raw ones.

    Their columns are those of all groups, one after the other; None where no groups overlap.
    """
    if opened.unions is None or opened.norms_overlap:
        return None
    index, starts = members(opened.groups)
    out = np.zeros((found.theta.shape[0], index.size, found.theta.shape[2]))
    for g, first, last in zip(
        found.groups.tolist(), found.blocks.starts[:-1], found.blocks.starts[1:], strict=True
    ):
        rows = slice(int(first), int(last))
        columns, coef = problem.coordinates.coefficients(
            found.coordinates[rows], found.theta[:, rows]
        )
        own = index[starts[g] : starts[g + 1]]
        order = np.argsort(own)
        out[:, starts[g] + order[np.searchsorted(own, columns, sorter=order)]] = coef
    return out


def _training(opened: Opened, weights: FloatArray) -> Training:
    return Training(
        opened.blocks,
        opened.y,
        weights,
        opened.offset,
        opened.offset_name,
        opened.rows,
        opened.n_given,
        opened.index,
    )


def _settings(opened: Opened, path: Path, call: str) -> Settings:
    resolved = opened.resolved
    groups = "column" if resolved.by_column else "term"
    if opened.unions is not None:
        groups = "lists"
    elif opened.model.formula is None and not resolved.by_column:
        groups = "labels"
    stopped = () if path.stopped is None else (path.stopped,)
    early = resolved.solver.ending
    ended = () if early is None else (early,)
    return Settings(
        call=call,
        standardize=resolved.standardize,
        class_groups="shared" if resolved.shared else "separate",
        groups=groups,
        intercept=opened.intercept,
        tol=resolved.tol,
        backend="numpy",
        dtype=opened.options.dtype,
        notes=(*opened.notes, *path.problem.coordinates.notes, *stopped, *ended),
        penalty_factor=tuple(opened.term_factor.tolist()),
        group_weight="sqrt_df" if resolved.sqrt_df else "none",
        baseline=opened.baseline,
    )


def warn_unconverged(fits: list[PathFit], solver: Solver, *, stacklevel: int) -> None:
    """Warn once, with the count and the worst certificate, if points did not converge.

    Not where the solver was to end before they do.
    """
    if solver.ending is not None:
        return
    missed = [fit.certificate[~fit.converged] for fit in fits]
    count = sum(values.size for values in missed)
    if not count:
        return
    worst = max(float(values.max()) for values in missed if values.size)
    total = sum(fit.lambda_.size for fit in fits)
    found = f"worst certificate {worst:.2g}" if np.isfinite(worst) else "some without an optimum"
    warnings.warn(
        f"{count} of {total} points did not reach tol={fits[0].settings.tol:g} "
        f"({found}); raise `tol` or `solver={type(solver).__name__}(max_iter=...)`, or "
        "stop the path at a larger lambda (`lambda_min_ratio`).",
        ConvergenceWarning,
        stacklevel=stacklevel,
    )
