"""Cross-validation by replicate weights: a fold is weight zero on its held-out rows.

Every fold refits everything that depends on the weights (standardisation, group weights, null
fit) and is solved at every lambda of the path on all rows; its held-out rows are then
predicted. The measure is computed from these out-of-fold predictions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from grpsparse.errors import GrpsparseError
from grpsparse.folds import FoldPlan
from grpsparse.groups import BoolArray, FloatArray, IntArray
from grpsparse.measures import (
    FoldScores,
    Measure,
    check_defined,
    event_weight,
    partial_deviance,
    row_losses,
    rows_as_folds,
    score_fold,
)
from grpsparse.path import Grid, Path, fit_paths
from grpsparse.problem import Problem
from grpsparse.solvers import Solver

__all__ = ["FoldFit", "HeldOut", "cross_validate"]

KEEP_BYTES = 1_000_000_000  # beyond this, out-of-fold predictions of the whole path are not kept
CHUNK_ENTRIES = 4_000_000  # entries of linear predictors computed at a time


@dataclass(frozen=True, slots=True)
class FoldFit:
    """What is kept of a fold: enough to predict its held-out rows again.

    Parameters
    ----------
    problem : Problem
    rows : ndarray of int
        Held-out rows.
    active : ndarray of int
        Coordinates that are not zero somewhere on the path.
    theta : ndarray of shape (L, len(active), K)
    intercept : ndarray of shape (L, K)
    converged : ndarray of bool, shape (L,)
    """

    problem: Problem
    rows: IntArray
    active: IntArray
    theta: FloatArray
    intercept: FloatArray
    converged: BoolArray

    @classmethod
    def of(cls, path: Path, rows: IntArray) -> FoldFit:
        """Keep the active part of a path."""
        return cls(path.problem, rows, path.active, path.theta, path.intercept, path.converged)

    def means(self, index: IntArray) -> FloatArray:
        """Return the held-out means (rows, K, len(index)) at some points of the path."""
        family = self.problem.data.family
        out = np.empty((self.rows.size, self.theta.shape[2], index.size))
        for position, eta in enumerate(self._predictors(index, self.rows)):
            out[:, :, position] = family.mean(eta)
        return out

    def partial_deviances(self, weights: FloatArray) -> FloatArray:
        """Return the held-out deviance (L,) beside the training rows, per event."""
        data, index = self.problem.data, np.arange(self.theta.shape[0])
        training = weights.copy()
        training[self.rows] = 0.0
        predictors = self._predictors(index, np.arange(weights.size))
        return partial_deviance(data.family, data.y, predictors, weights, training)

    def _predictors(self, index: IntArray, rows: IntArray) -> Iterator[FloatArray]:
        """Yield the linear predictors (rows, K) of some rows at some points of the path."""
        data, n_outputs = self.problem.data, self.theta.shape[2]
        step = max(1, CHUNK_ENTRIES // max(1, data.offset.size))
        for start in range(0, index.size, step):
            chosen = index[start : start + step]
            theta = self.theta[chosen].transpose(1, 0, 2)
            theta = theta.reshape(self.active.size, chosen.size * n_outputs)
            eta = self.problem.coordinates.linear_predictor(theta, self.active)[rows]
            eta = eta.reshape(rows.size, chosen.size, n_outputs) + self.intercept[chosen]
            for position in range(chosen.size):
                yield eta[:, position] + data.offset[rows]


@dataclass(frozen=True, slots=True)
class HeldOut:
    """Cross-validated scores and predictions.

    Parameters
    ----------
    path : Path
        The path on all rows.
    scores : FoldScores
        For :func:`grpsparse.measures.cv_curve`.
    fits : tuple of FoldFit
    whole : ndarray of shape (n, K, L) or None
        Out-of-fold means of the whole path; None where they would be too large.
    """

    path: Path
    scores: FoldScores
    fits: tuple[FoldFit, ...]
    whole: FloatArray | None

    def means(self, index: IntArray) -> FloatArray:
        """Return out-of-fold means (n, K, len(index)) at some points of the path."""
        if self.whole is not None:
            return self.whole[:, :, index]
        n, n_outputs = self.fits[0].problem.data.offset.shape
        out = np.full((n, n_outputs, index.size), np.nan)
        for fit in self.fits:
            out[fit.rows] = fit.means(index)
        return out


def cross_validate(
    problem_of: Callable[[FloatArray], Problem],
    grid_of: Callable[[Problem], Grid],
    plan: FoldPlan,
    measure: Measure,
    weights: FloatArray,
    *,
    solver: Solver,
    tol: float,
    on_point: Callable[[], None] | None = None,
) -> HeldOut:
    """Solve all rows and every fold together along lambda, and score the held-out rows.

    Parameters
    ----------
    problem_of : callable
        Builds the problem for weights (n,).
    grid_of : callable
        Chooses the lambdas from the problem of all rows, where their path may end early.
    plan : FoldPlan
    measure : Measure
    weights : ndarray of shape (n,)
        Observation weights of all rows.
    solver, tol, on_point
        As in :func:`grpsparse.path.fit_paths`.

    Raises
    ------
    GrpsparseError
        Training rows that cannot be fitted, where the message names the fold; or no fold for
        which the measure is defined.
    """
    single, notes = rows_as_folds(measure, weights.size, plan.n_folds)
    problem = problem_of(weights)
    problems = [problem]
    for fold, factor in enumerate(plan.replicate_weights()):
        label = plan.labels[fold] if plan.labels else fold
        problems.append(_training_problem(problem_of, weights * factor, label))
    path, *others = fit_paths(problems, grid_of(problem), solver=solver, tol=tol, on_point=on_point)
    n, n_outputs = problem.data.offset.shape
    every = np.arange(path.lambda_.size)
    keep = n * n_outputs * every.size * 8 <= KEEP_BYTES
    whole = np.full((n, n_outputs, every.size), np.nan) if keep else None
    fits, values, totals = [], [], []
    for fold, solved in enumerate(others):
        fit = FoldFit.of(solved, np.flatnonzero(plan.assignment == fold))
        mean = fit.means(every)
        if whole is not None:
            whole[fit.rows] = mean
        y, held_weights = problem.data.y[fit.rows], weights[fit.rows]
        family = problem.data.family
        if measure.beside_training:
            values.append(fit.partial_deviances(weights)[None])
            totals.append(np.array([event_weight(y, held_weights)]))
        elif single:
            values.append(row_losses(measure, family, y, mean))
            totals.append(held_weights)
        else:
            values.append(score_fold(measure, family, y, mean, held_weights)[None])
            totals.append(np.array([held_weights.sum()]))
        fits.append(fit)
    scores = FoldScores(np.concatenate(values), np.concatenate(totals), notes)
    return HeldOut(path, check_defined(measure, scores), tuple(fits), whole)


def _training_problem(
    problem_of: Callable[[FloatArray], Problem], weights: FloatArray, label: object
) -> Problem:
    """Return the problem of a fold's training rows, which an error names."""
    try:
        return problem_of(weights)
    except GrpsparseError as error:
        raise type(error)(f"the training rows of fold {label!r}: {error}") from error
