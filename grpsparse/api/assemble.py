"""From paths on the standardised scale to the results that a user holds."""

from __future__ import annotations

import warnings

import numpy as np

from grpsparse.api.door import Opened
from grpsparse.errors import ConvergenceWarning
from grpsparse.groups import BoolArray, FloatArray
from grpsparse.path import Path
from grpsparse.problem import Problem
from grpsparse.results import PathFit, Settings, Training

__all__ = ["path_fit", "warn_unconverged"]


def path_fit(opened: Opened, path: Path, weights: FloatArray, call: str) -> PathFit:
    """Return the result of one path."""
    problem = path.problem
    theta = _canonical(problem, path.theta, path.lambda_)
    coef, intercept = _raw_coefficients(problem, theta, path.intercept)
    norms = np.stack([problem.blocks.norms(point) for point in theta])
    saturated = problem.data.mean(problem.data.family.saturated_loss(problem.data.y))
    total = 2.0 * float(weights.sum())
    return PathFit(
        model=opened.model,
        family=problem.data.family,
        penalty=opened.resolved.penalty,
        training=_training(opened, weights),
        settings=_settings(opened, path, call),
        classes=opened.response.classes,
        lambda_=path.lambda_,
        raw_coef=coef,
        raw_intercept=intercept,
        leak=problem.coordinates.leak,
        group_norms=norms[:, :, 0] if norms.shape[2] == 1 else norms,
        group_weights=problem.blocks.weight,
        group_rank=problem.coordinates.rank,
        certificate=path.certificate,
        certificate_kind=path.certificate_kind,
        converged=path.converged,
        n_iter=path.n_iter,
        deviance=np.maximum(total * (path.loss - saturated), 0.0),
        null_deviance=total * (problem.null_loss - saturated),
    )


def _raw_coefficients(
    problem: Problem, theta: FloatArray, intercept: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return coefficients (L, p, K) of the raw columns and intercepts (L, K).

    The linear predictor is ``intercept + X (coef + leak coef)`` on columns as given; intercepts
    of the softmax have mean zero over classes.
    """
    coordinates = problem.coordinates
    own = np.stack([coordinates.own @ point for point in theta])
    design_coef = own
    if coordinates.leak is not None:
        design_coef = own + np.stack([coordinates.leak @ point for point in own])
    moved = np.einsum("q,lqk->lk", coordinates.centre, theta)
    moved += np.einsum("p,lpk->lk", coordinates.design.shift, design_coef)
    intercept = intercept - moved if problem.intercept else np.zeros_like(intercept)
    if problem.data.family.hessian == "softmax" and problem.intercept:
        intercept = intercept - intercept.mean(axis=1, keepdims=True)
    return own, intercept


def _canonical(problem: Problem, theta: FloatArray, lambdas: FloatArray) -> FloatArray:
    """Return theta (L, q, K) with what neither loss nor penalty sees set to zero.

    That is the redundant direction of a factor's frame, and for the softmax the mean over
    classes of groups that are unpenalised or in the flat zone of a nonconvex penalty.
    """
    theta = problem.coordinates.canonical(np.arange(problem.coordinates.starts.size - 1), theta)
    if problem.data.family.hessian != "softmax":
        return theta
    centred = theta - theta.mean(axis=2, keepdims=True)
    sizes = np.diff(problem.blocks.starts)
    free = np.stack(
        [
            _free_shift(problem, point, middle, float(at))
            for point, middle, at in zip(theta, centred, lambdas, strict=True)
        ]
    )
    return np.where(np.repeat(free, sizes, axis=1)[:, :, None], centred, theta)


def _free_shift(
    problem: Problem, theta: FloatArray, centred: FloatArray, lambda_: float
) -> BoolArray:
    """Return the groups whose class mean neither loss nor penalty sees, (G,)."""
    blocks, penalty = problem.blocks, problem.penalty
    free = ~blocks.penalised
    if penalty.convex:
        return free
    level = lambda_ * blocks.weight
    flat = [
        penalty.radial_derivative(norms, level) == 0
        for point in (theta, centred)
        for norms in blocks.norms(point).T
    ]
    return np.asarray(free | np.logical_and.reduce(flat))


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


def warn_unconverged(fits: list[PathFit], *, stacklevel: int) -> None:
    """Warn once, with the count and the worst certificate, if points did not converge."""
    missed = [fit.certificate[~fit.converged] for fit in fits]
    count = sum(values.size for values in missed)
    if not count:
        return
    worst = max(float(values.max()) for values in missed if values.size)
    total = sum(fit.lambda_.size for fit in fits)
    warnings.warn(
        f"{count} of {total} points did not reach tol={fits[0].settings.tol:g} (worst "
        f"certificate {worst:.2g}); raise `tol` or `solver=BlockDescent(max_iter=...)`, or stop "
        "the path at a larger lambda (`lambda_min_ratio`).",
        ConvergenceWarning,
        stacklevel=stacklevel,
    )
