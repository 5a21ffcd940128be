"""How good a path is, computed here in float64 for every solver alike.

accuracy   max over lambda of (F - F*) / F*, F* the best objective known (folder reference/)
kkt        max over lambda and groups of the distance to stationarity / (lambda_ w_g), and of
           |gradient in the intercept| / lambda_
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .problems import Problem

REFERENCE = Path(__file__).resolve().parent / "reference"
COLUMNS = 4000  # of a dense X in one product
WORK_BYTES = 2e8  # for arrays over rows, classes and lambdas


@dataclasses.dataclass(frozen=True)
class Solution:
    """Coefficient path of one fit.

    Attributes
    ----------
    intercepts : ndarray (n_lambda, K)
    coefs : sequence of n_lambda arrays or sparse matrices (p, K), or (1, p K)
        As the solver gives them: bringing them to one form is not in its time.
    seconds : tuple of float, optional
        CPU and wall time, where another process has measured them.
    """

    intercepts: np.ndarray
    coefs: Sequence[Any]
    seconds: tuple[float, float] | None = None


@dataclasses.dataclass(frozen=True)
class Quality:
    """Objective, stationarity and number of active groups at each lambda, (n_lambda,) each."""

    objective: np.ndarray
    kkt: np.ndarray
    active: np.ndarray


def loss_and_gradient(family: str, y: np.ndarray, eta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean loss (L,) and its gradient in eta (n, K, L)."""
    n = len(y)
    if family == "multinomial":
        top = eta.max(axis=1, keepdims=True)
        mass = np.exp(eta - top)
        total = mass.sum(axis=1, keepdims=True)
        value = (np.log(total) + top)[:, 0] - np.einsum("nk,nkl->nl", y, eta)
        return value.sum(axis=0) / n, (mass / total - y[:, :, None]) / n
    response, predictor = y[:, None], eta[:, 0]
    if family == "gaussian":
        residual = predictor - response
        return 0.5 * (residual**2).sum(axis=0) / n, residual[:, None] / n
    value = (np.logaddexp(0, predictor) - response * predictor).sum(axis=0) / n
    return value, ((1 / (1 + np.exp(-predictor)) - response) / n)[:, None]


def correlate(X: Any, residual: np.ndarray) -> np.ndarray:
    """X'R for R (n, m)."""
    if sp.issparse(X):
        return np.asarray(X.T @ residual)
    out = np.empty((X.shape[1], residual.shape[1]))
    for a in range(0, X.shape[1], COLUMNS):
        out[a : a + COLUMNS] = X[:, a : a + COLUMNS].T @ residual
    return out


def null_intercept(problem: Problem) -> np.ndarray:
    """Intercept of the model without groups, (K,)."""
    mean = problem.y.mean(axis=0, keepdims=True).reshape(-1)
    if problem.spec.family == "binomial":
        return np.log(mean / (1 - mean))
    return np.log(mean) if problem.spec.family == "multinomial" else mean


def lambda_max(problem: Problem) -> float:
    """Smallest lambda at which every group is 0."""
    shape = (len(problem.y), problem.spec.classes, 1)
    eta = np.broadcast_to(null_intercept(problem)[None, :, None], shape).copy()
    residual = loss_and_gradient(problem.spec.family, problem.y, eta)[1][:, :, 0]
    square = (correlate(problem.X, residual) ** 2).sum(axis=1)
    return float(np.max(np.sqrt(np.add.reduceat(square, problem.starts)) / problem.weights))


def penalty(
    problem: Problem, norms: np.ndarray, lambdas: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Penalty (L,) and its slope over lambda_ w_g, for group norms (n_groups, L)."""
    threshold = problem.weights[:, None] * lambdas[None]
    if problem.spec.penalty == "lasso":
        return (threshold * norms).sum(axis=0), np.ones_like(norms)
    gamma = problem.gamma
    inside = norms <= gamma * threshold
    rising = threshold * norms - norms**2 / (2 * gamma)
    value = np.where(inside, rising, gamma * threshold**2 / 2)
    return value.sum(axis=0), np.where(inside, 1 - norms / (gamma * threshold), 0.0)


def evaluate(problem: Problem, solution: Solution) -> Quality:
    """Quality of every point of a path, which may end early."""
    n, p = problem.X.shape
    step = max(1, int(WORK_BYTES // (8 * problem.spec.classes * (n + 2 * p))))
    parts = [
        _evaluate_some(problem, solution, slice(a, min(a + step, len(solution.coefs))))
        for a in range(0, len(solution.coefs), step)
    ]
    names = [field.name for field in dataclasses.fields(Quality)]
    return Quality(**{name: np.concatenate([getattr(q, name) for q in parts]) for name in names})


def _evaluate_some(problem: Problem, solution: Solution, points: slice) -> Quality:
    classes, (n, p) = problem.spec.classes, problem.X.shape
    lambdas = problem.lambdas[points]
    coef = np.stack([_dense(c, classes) for c in solution.coefs[points]], axis=2)
    flat = coef.reshape(p, -1)
    live = np.flatnonzero(np.any(flat != 0, axis=1))
    intercepts = np.asarray(solution.intercepts[points]).reshape(-1, classes)
    eta = np.asarray(problem.X[:, live] @ flat[live]).reshape(n, classes, -1) + intercepts.T[None]
    loss, residual = loss_and_gradient(problem.spec.family, problem.y, eta)
    gradient = correlate(problem.X, residual.reshape(n, -1)).reshape(coef.shape)
    norms = _group_norms(problem, coef)
    value, slope = penalty(problem, norms, lambdas)
    threshold = problem.weights[:, None] * lambdas[None]
    unit = coef / np.maximum(np.repeat(norms, problem.sizes, axis=0), 1e-300)[:, None, :]
    pull = np.repeat(slope * threshold, problem.sizes, axis=0)[:, None, :]
    distance = _group_norms(problem, gradient + unit * pull)
    violation = np.where(norms > 0, distance, np.maximum(distance - threshold, 0)) / threshold
    free = np.abs(residual.sum(axis=0)).max(axis=0) / lambdas
    return Quality(loss + value, np.maximum(violation.max(axis=0), free), (norms > 0).sum(axis=0))


def _dense(coef: Any, classes: int) -> np.ndarray:
    array = coef.toarray() if sp.issparse(coef) else coef
    return np.asarray(array, dtype=float).reshape(-1, classes)


def _group_norms(problem: Problem, block: np.ndarray) -> np.ndarray:
    return np.sqrt(np.add.reduceat((block**2).sum(axis=1), problem.starts, axis=0))


def best_known(name: str, folder: Path = REFERENCE) -> np.ndarray | None:
    """Lowest objectives that any solver has reached, or None."""
    path = folder / f"{name}.npy"
    return np.load(path) if path.exists() else None


def suboptimality(objective: np.ndarray, best: np.ndarray) -> np.ndarray:
    """(F - F*) / |F*| at each lambda; below 0 where the objective is better than known."""
    best = best[: len(objective)]
    objective = np.where(np.isfinite(objective), objective, np.inf)
    return (objective - best) / np.abs(best)
