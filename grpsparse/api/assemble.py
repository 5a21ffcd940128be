"""From paths on the standardised scale to the results that a user holds."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace

import numpy as np

from grpsparse.api.door import Opened
from grpsparse.errors import ConvergenceWarning
from grpsparse.groups import BoolArray, Deferred, FloatArray, IntArray
from grpsparse.path import Path
from grpsparse.problem import Blocks, Problem
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
        group_norms=_group_norms(problem, found),
        group_weights=problem.blocks.weight,
        ranks=_ranks(problem),
        certificate=path.certificate,
        certificate_kind=path.certificate_kind,
        converged=path.converged,
        n_iter=path.n_iter,
        deviance=np.maximum(total * (path.loss - saturated), 0.0),
        null_deviance=total * (problem.null_loss - saturated),
        effort=path.effort,
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
    free = np.tile(~found.blocks.penalised, (lambdas.size, 1))
    if not problem.penalty.convex:
        for place, at in enumerate(lambdas.tolist()):
            points = (theta[place], centred[place])
            free[place] |= _in_flat_zone(problem, found.blocks, points, at)
    sizes = found.blocks.sizes
    return np.where(np.repeat(free, sizes, axis=1)[:, :, None], centred, theta)


def _in_flat_zone(
    problem: Problem, blocks: Blocks, points: tuple[FloatArray, FloatArray], lambda_: float
) -> BoolArray:
    """Return the groups (g,) whose penalty is constant at all of the points."""
    flat = [
        slopes == 0
        for point in points
        for slopes in blocks.slopes(problem.penalty, blocks.norms(point), lambda_).T
    ]
    return np.asarray(np.logical_and.reduce(flat))


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


def _ranks(problem: Problem) -> Deferred[IntArray]:
    """Return the ranks, at once where waiting would keep a second copy of the columns."""
    coordinates = problem.coordinates
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
    intercept = intercept - moved if problem.intercept else np.zeros_like(intercept)
    if problem.data.family.hessian == "softmax" and problem.intercept:
        intercept = intercept - intercept.mean(axis=1, keepdims=True)
    return own, intercept


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
    if opened.model.formula is None and not resolved.by_column:
        groups = "labels"
    stopped = () if path.stopped is None else (path.stopped,)
    return Settings(
        call=call,
        standardize=resolved.standardize,
        class_groups="shared" if resolved.shared else "separate",
        groups=groups,
        intercept=opened.intercept,
        tol=resolved.tol,
        backend="numpy",
        dtype=opened.options.dtype,
        notes=(*opened.notes, *path.problem.coordinates.notes, *stopped),
        penalty_factor=tuple(opened.term_factor.tolist()),
        group_weight=opened.options.group_weight or "none",
    )


def warn_unconverged(fits: list[PathFit], solver: Solver, *, stacklevel: int) -> None:
    """Warn once, with the count and the worst certificate, if points did not converge."""
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
