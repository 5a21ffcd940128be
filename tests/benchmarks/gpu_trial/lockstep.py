"""A lambda path of replicates in lockstep: array code around the kernel.

At every lambda a strong set per replicate, one launch, then everything in float64 again: the
residual, its product with all columns, the duality gap of every replicate. Groups that break
their bound join the set and unfinished replicates run on, until every gap is below `tol`.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from .descent import Machine, Variant, pack

CORRELATION, ACTIVE_SHARE, SIGNAL_TO_NOISE = 0.5, 0.05, 3.0


@dataclasses.dataclass(frozen=True, slots=True)
class Problem:
    """A gaussian problem with groups of one size, and its columns rotated within groups.

    Attributes
    ----------
    X, y : ndarrays (n, p), (n,)
        Standardised columns; response.
    basis : ndarray (G, m, m)
        Eigenvectors of the groups' Grams: the rotated columns are ``X_g @ basis[g]``.
    Z : ndarray (p + 1, n)
        Rotated columns as rows, then ones for the intercept.
    diagonal : ndarray (p + 1,)
        Mean squares of the rows of Z.
    lambdas : ndarray (L,)
    """

    X: np.ndarray
    y: np.ndarray
    basis: np.ndarray
    Z: np.ndarray
    diagonal: np.ndarray
    lambdas: np.ndarray

    @property
    def size(self) -> int:
        """Columns of a group."""
        return self.basis.shape[1]


def make_problem(
    n: int, p: int, *, size: int = 10, n_lambda: int = 100, ratio: float = 0.05, seed: int = 2026
) -> Problem:
    """Draw neighbours correlated by 0.5, 5 % active groups, three parts signal to one of noise."""
    rng = np.random.default_rng(seed)
    rows = rng.standard_normal((p, n))
    for j in range(1, p):
        rows[j] *= np.sqrt(1 - CORRELATION**2)
        rows[j] += CORRELATION * rows[j - 1]
    rows -= rows.mean(axis=1, keepdims=True)
    rows /= np.sqrt(np.mean(rows**2, axis=1, keepdims=True))
    n_groups = p // size
    active = np.sort(rng.choice(n_groups, max(1, round(ACTIVE_SHARE * n_groups)), replace=False))
    columns = (active[:, None] * size + np.arange(size)).ravel()
    eta = rng.standard_normal((len(columns), 1))[:, 0] @ rows[columns]
    eta = (eta - eta.mean()) / eta.std()
    y = np.sqrt(SIGNAL_TO_NOISE) * eta + rng.standard_normal(n)
    blocks = rows.reshape(n_groups, size, n)
    values, basis = np.linalg.eigh(blocks @ blocks.transpose(0, 2, 1) / n)
    Z = np.empty((p + 1, n))
    np.matmul(basis.transpose(0, 2, 1), blocks, out=Z[:-1].reshape(blocks.shape))
    Z[-1] = 1.0
    norms = np.linalg.norm((Z[:-1] @ (y - y.mean()) / n).reshape(n_groups, size), axis=1)
    lambdas = norms.max() / np.sqrt(size) * np.geomspace(1, ratio, n_lambda)
    return Problem(rows.T, y, basis, Z, np.append(values.ravel(), 1.0), lambdas)


def orthonormalised(problem: Problem) -> Problem:
    """Return the problem whose rotated columns have mean square 1, which group MCP asks for."""
    size, lambdas = problem.size, problem.lambdas
    scale = np.sqrt(problem.diagonal)[:, None]
    Z = problem.Z / scale
    norms = np.linalg.norm((Z[:-1] @ (problem.y - problem.y.mean())).reshape(-1, size), axis=1)
    largest = norms.max() / len(problem.y) / np.sqrt(size)
    return Problem(
        Z[:-1].T,
        problem.y,
        np.broadcast_to(np.eye(size), problem.basis.shape),
        Z,
        np.ones(len(Z)),
        largest * lambdas / lambdas[0],
    )


def half_samples(n: int, count: int, *, seed: int = 2026) -> np.ndarray:
    """Return row weights (count, n): each row of them has one half of the rows, summing to 1."""
    rng = np.random.default_rng(seed)
    weights = np.zeros((count, n))
    for row in weights:
        row[rng.permutation(n)[: n // 2]] = 1.0 / (n // 2)
    return weights


@dataclasses.dataclass(frozen=True, slots=True)
class Path:
    """A path of all replicates, and what it took.

    Attributes
    ----------
    beta : list of (R, p + 1) arrays
        Rotated coefficients of every lambda, where they were computed; the intercept last.
    gap : ndarray (L, R)
        Relative duality gaps, computed on the way.
    effort : ndarray (R, 4)
        Visits, steps, sweeps, redone steps.
    launches : int
    seconds, kernel_seconds : float
        Wall time of everything after the data are in place, and inside the kernel.
    """

    beta: list[Any]
    gap: np.ndarray
    effort: np.ndarray
    launches: int
    seconds: float
    kernel_seconds: float


class Lockstep:
    """The replicates of one problem on one machine, ready to be solved.

    Parameters
    ----------
    machine : Machine
    problem : Problem
    row_weights : ndarray (R, n)
        Each row sums to 1.
    variant : Variant
    gamma : float
        0 for the group lasso, more for group MCP.
    """

    def __init__(
        self,
        machine: Machine,
        problem: Problem,
        *,
        row_weights: np.ndarray,
        variant: Variant,
        gamma: float = 0.0,
    ) -> None:
        xp = machine.xp
        self.machine, self.xp, self.problem, self.variant = machine, xp, problem, variant
        self.launch = machine.compile(variant)
        self.gamma = gamma
        self.Z = xp.asarray(problem.Z)
        self.V = xp.asarray(row_weights)
        y = xp.asarray(problem.y)
        self.y = y[None, :] - (self.V @ y)[:, None]
        self.n_groups = len(problem.basis)
        self.weight = float(np.sqrt(problem.size))
        starts = np.append(np.arange(self.n_groups + 1) * problem.size, len(problem.Z))
        tasks, rows = len(row_weights), variant.rows
        self.arrays = {
            "columns": self._padded(self.Z, rows),
            "starts": xp.asarray(starts.astype(np.int32)),
            "diagonal": xp.asarray(problem.diagonal.astype(np.float32)),
            "mass": self._padded(self.V, rows),
            "beta": xp.zeros((tasks, len(problem.Z))),
            "scale": self.scales().astype(xp.float32),
            "effort": xp.zeros((tasks, 4), xp.int32),
        }
        self.intercept = xp.zeros(tasks)
        self.launches = 0
        self.kernel_seconds = 0.0

    def scales(self) -> Any:
        """Return the metrics to begin with: ones to adapt, else the largest curvatures."""
        xp, size = self.xp, self.problem.size
        out = xp.ones((len(self.V), self.n_groups + 1))
        if self.variant.adapt:
            return out
        root = xp.sqrt(xp.asarray(self.problem.diagonal[:-1]).reshape(-1, size, 1))
        blocks = self.Z[:-1].reshape(self.n_groups, size, -1) / root
        for row, weights in zip(out, self.V, strict=True):
            grams = (blocks * weights) @ blocks.transpose(0, 2, 1)
            row[:-1] = 1.0001 * xp.linalg.eigvalsh(grams)[:, -1]
        return out

    def _padded(self, array: Any, rows: int) -> Any:
        out = self.xp.zeros((array.shape[0], rows), self.xp.float32)
        out[:, : array.shape[1]] = array
        return out

    def residual(self, beta: Any) -> tuple[Any, Any]:
        """Return V (y - Z b) with the intercept solved exactly, and that intercept."""
        xp = self.xp
        used = xp.flatnonzero((beta[:, :-1] != 0).any(axis=0))
        rest = self.y - beta[:, used] @ self.Z[used]
        intercept = (self.V * rest).sum(axis=1)
        return self.V * (rest - intercept[:, None]), intercept

    def norms(self, coordinates: Any) -> Any:
        """Return the norms of the groups' blocks of (R, p) coordinates."""
        blocks = coordinates.reshape(len(coordinates), self.n_groups, -1)
        return self.xp.sqrt((blocks**2).sum(axis=2))

    def primal(self, residual: Any, beta: Any, lambda_: float) -> Any:
        """Return the objective of the group lasso, per replicate."""
        xp = self.xp
        square = xp.where(self.V > 0, residual**2 / xp.where(self.V > 0, self.V, 1), 0)
        penalty = lambda_ * self.weight * self.norms(beta[:, :-1]).sum(axis=1)
        return 0.5 * square.sum(axis=1) + penalty

    def gap(self, residual: Any, primal: Any, gradient_norms: Any, lambda_: float) -> Any:
        """Return the relative duality gap; the dual point is the residual, scaled as fits best."""
        xp = self.xp
        square = xp.where(self.V > 0, residual**2 / xp.where(self.V > 0, self.V, 1), 0).sum(axis=1)
        cross = (residual * self.y).sum(axis=1)
        largest = lambda_ * self.weight / gradient_norms.max(axis=1)
        factor = xp.minimum(largest, cross / square)
        return (primal - factor * cross + 0.5 * factor**2 * square) / primal

    def queues(self, wanted: Any) -> tuple[Any, Any]:
        """Return the lists of wanted groups, the intercept first, and their lengths."""
        xp = self.xp
        row, group = xp.nonzero(wanted)
        length = wanted.sum(axis=1)
        place = xp.cumsum(wanted, axis=1)[row, group]
        room = int(2 ** np.ceil(np.log2(int(length.max()) + 1)))
        queue = xp.full((len(wanted), room), self.n_groups, xp.int32)
        queue[row, place] = group
        return queue, (length + 1).astype(xp.int32)

    def descend(
        self, residual: Any, wanted: Any, lambda_: float, tolerance: Any, busy: Any, sweeps: int
    ) -> None:
        """Launch the kernel once on the busy replicates, from the given residual."""
        xp = self.xp
        queue, length = self.queues(wanted)
        level = xp.full((len(wanted), self.n_groups + 1), lambda_ * self.weight, xp.float32)
        level[:, -1] = 0
        arrays = self.arrays | {
            "residual": self._padded(residual, self.variant.rows),
            "level": level,
            "queue": queue,
            "length": xp.where(busy, length, 0).astype(xp.int32),
            "tolerance": tolerance.astype(xp.float32),
        }
        job = pack(
            arrays,
            n_columns=len(self.Z),
            n_groups=self.n_groups + 1,
            room=queue.shape[1],
            max_sweeps=sweeps,
            gamma=self.gamma,
        )
        shared = self.variant.shared_bytes(queue.shape[1])
        self.launches += 1
        self.kernel_seconds += self.machine.seconds(lambda: self.launch(len(wanted), job, shared))

    def extrapolated(self, beta: Any, before: Any, residual: Any, lambda_: float) -> Any:
        """Move on where both last points are active, in replicates whose objective falls."""
        xp = self.xp
        step = beta - before
        now, then, length = (self.norms(part[:, :-1]) for part in (beta, before, step))
        moves = xp.repeat((then > 0) & (length <= 0.9 * now), self.problem.size, axis=1)
        trial = beta.copy()
        trial[:, :-1] += xp.where(moves, step[:, :-1], 0)
        moved, _ = self.residual(trial)
        better = self.primal(moved, trial, lambda_) < self.primal(residual, beta, lambda_)
        return xp.where(better[:, None], trial, beta), xp.where(better[:, None], moved, residual)

    def solve(
        self, *, tol: float, epsilon: float = 1e-7, keep: Callable[[Any], Any] | None = None
    ) -> Path:
        """Solve the whole path; `keep` says what to store of the coefficients of a lambda."""
        lambdas, beta = self.problem.lambdas, self.arrays["beta"]
        self.machine.wait()
        start = time.perf_counter()
        residual, _ = self.residual(beta)
        gradient = self.norms((residual @ self.Z.T)[:, :-1])
        before, last = beta.copy(), float(gradient.max()) / self.weight
        stored, gaps = [], []
        for lambda_ in lambdas.tolist():
            current = beta.copy()
            active = self.norms(beta[:, :-1]) > 0
            wanted = active | (gradient >= self.weight * (2 * lambda_ - last))
            if self.gamma == 0:
                beta[...], residual = self.extrapolated(beta, before, residual, lambda_)
            residual, gradient, gap = self.point(residual, wanted, lambda_, tol, epsilon)
            before, last = current, lambda_
            gaps.append(gap)
            stored.append(beta.copy() if keep is None else keep(beta))
        self.machine.wait()
        return Path(
            stored,
            np.array([self.machine.host(gap) for gap in gaps]),
            self.machine.host(self.arrays["effort"]),
            self.launches,
            time.perf_counter() - start,
            self.kernel_seconds,
        )

    def point(
        self, residual: Any, wanted: Any, lambda_: float, tol: float, epsilon: float
    ) -> tuple[Any, Any, Any]:
        """Solve one lambda; return the residual, the norms of the gradient, and the gaps."""
        xp, beta = self.xp, self.arrays["beta"]
        tolerance = 2 * epsilon * self.primal(residual, beta, lambda_)
        busy = xp.ones(len(beta), bool)
        for _ in range(30):
            beta[:, -1] = 0
            self.descend(residual, wanted, lambda_, tolerance, busy, 1000)
            residual, intercept = self.residual(beta)
            beta[:, -1] = intercept
            gradient = self.norms((residual @ self.Z.T)[:, :-1])
            primal = self.primal(residual, beta, lambda_)
            gap = self.gap(residual, primal, gradient, lambda_)
            broken = ~wanted & (gradient > (1 + 1e-9) * self.weight * lambda_)
            wanted = wanted | broken
            unsure = (gap > tol) if self.gamma == 0 else xp.zeros_like(busy)
            lower = xp.clip((tol / xp.maximum(gap, 1e-16)) ** 2, 1e-4, 0.2)
            tolerance = xp.where(unsure & ~broken.any(axis=1), lower * tolerance, tolerance)
            busy = broken.any(axis=1) | (unsure & (tolerance > 1e-14 * primal))
            if not bool(busy.any()):
                break
        return residual, gradient, gap


def relative_gap(problem: Problem, weights: np.ndarray, beta: np.ndarray, lambda_: float) -> float:
    """Return the duality gap of one solution, from X itself in float64 and from nothing else."""
    n_groups, size, _ = problem.basis.shape
    blocks = beta[:-1].astype(float).reshape(n_groups, size, 1)
    coef = (problem.basis @ blocks).reshape(-1)
    used = np.flatnonzero(coef)
    y = problem.y - weights @ problem.y
    rest = y - problem.X[:, used] @ coef[used]
    rest -= weights @ rest
    gradient = np.linalg.norm(((weights * rest) @ problem.X).reshape(n_groups, size), axis=1)
    level = lambda_ * np.sqrt(size)
    primal = weights @ rest**2 / 2 + level * np.linalg.norm(blocks[:, :, 0], axis=1).sum()
    factor = min(level / gradient.max(), (weights * rest) @ y / (weights @ rest**2))
    dual = factor * ((weights * rest) @ y) - factor**2 * (weights @ rest**2) / 2
    return float((primal - dual) / primal)
