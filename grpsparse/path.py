"""The path: solutions for decreasing lambda, each started from the last and certified.

For every lambda the groups kept by the strong rule are swept, all others are checked with the
exact conditions, and the point's certificate decides whether more accuracy is needed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from grpsparse.errors import OptionError
from grpsparse.groups import BoolArray, FloatArray, IntArray
from grpsparse.problem import Certificate, Problem, State, certify
from grpsparse.screening import active_groups, strong_set, violators
from grpsparse.solvers import Solver, WorkingSet

__all__ = ["Grid", "Path", "fit_path"]

SATURATED = 0.999  # share of the null deviance explained at which an automatic path stops
NO_GAIN = 1e-5  # relative gain of a step below which it stops
FIRST_POINTS = 5  # an automatic path is at least this long
LOOSEST = 1e-4  # accuracy asked of the solver at first
TIGHTER = 0.03  # factor by which it is tightened while the certificate is above tol
ROUNDS = 25


@dataclass(frozen=True, slots=True)
class Grid:
    """The values of lambda to visit.

    Parameters
    ----------
    values : ndarray of shape (L,)
        Decreasing.
    automatic : bool
        Whether the path may stop early where nothing is gained any more.
    max_terms : int, optional
        Stop once more groups than this are active.
    """

    values: FloatArray
    automatic: bool
    max_terms: int | None = None


@dataclass(frozen=True, slots=True)
class Path:
    """A path on the standardised scale.

    Parameters
    ----------
    problem : Problem
    lambda_ : ndarray of shape (L,)
    theta : ndarray of shape (L, q, K)
    intercept : ndarray of shape (L, K)
    loss : ndarray of shape (L,)
        Weighted mean losses.
    certificate, converged, n_iter : ndarray of shape (L,)
    stopped : str or None
        Why the path is shorter than its grid: a sentence.
    """

    problem: Problem
    lambda_: FloatArray
    theta: FloatArray
    intercept: FloatArray
    loss: FloatArray
    certificate: FloatArray
    converged: BoolArray
    n_iter: IntArray
    stopped: str | None

    @property
    def certificate_kind(self) -> str:
        """``"duality_gap"`` or ``"stationarity"``."""
        return "duality_gap" if self.problem.penalty.convex else "stationarity"


@dataclass(frozen=True, slots=True)
class _Point:
    lambda_: float
    state: State
    certificate: Certificate
    n_iter: int
    converged: bool


def fit_path(
    problem: Problem,
    grid: Grid,
    *,
    solver: Solver,
    tol: float,
    on_point: Callable[[], None] | None = None,
) -> Path:
    """Solve a problem along a grid of lambda.

    Parameters
    ----------
    problem : Problem
    grid : Grid
    solver : Solver
    tol : float
        Bound on every point's certificate.
    on_point : callable, optional
        Called after every point, for a progress bar.

    Raises
    ------
    OptionError
        A problem that the solver does not support.
    """
    refusal = solver.supports(problem)
    if refusal is not None:
        raise OptionError(f"solver={solver.name!r} cannot fit this: {refusal}")
    working = WorkingSet(problem)
    state = problem.start
    correlation = problem.correlation(state)
    previous = max(problem.lambda_max, float(grid.values[0]))
    points: list[_Point] = []
    stopped = None
    for value in grid.values:
        lambda_ = float(value)
        kept = strong_set(problem, state, correlation, lambda_, previous)
        if problem.penalty.convex and len(points) > 1 and lambda_ > 0:
            state = _ahead(problem, points, lambda_)
        point = _solve_point(problem, lambda_, state, kept, working, solver=solver, tol=tol)
        points.append(point)
        state, correlation, previous = point.state, point.certificate.correlation, lambda_
        if on_point is not None:
            on_point()
        stopped = _reason_to_stop(problem, grid, points)
        if stopped is not None:
            break
    return _collect(problem, points, stopped)


def _ahead(problem: Problem, points: list[_Point], lambda_: float) -> State:
    """Go the last step of the path once more, if that lowers the objective at the new lambda.

    Everything is linear in the step, so it costs no pass over X. Not where a group has just
    left: its step would bring it back with the other sign. Convex penalties are linear in
    lambda, so that of the last point is known at the new one.
    """
    before, last = points[-2].state, points[-1].state
    theta = 2.0 * last.theta - before.theta
    if ((last.theta == 0) & (theta != 0)).any():
        return last
    eta = 2.0 * last.eta - before.eta
    state = State(theta, 2.0 * last.intercept - before.intercept, eta, problem.data.loss(eta))
    paid = points[-1].certificate.penalty * lambda_ / points[-1].lambda_
    return state if problem.objective(state, lambda_) < last.loss + paid else last


def _solve_point(
    problem: Problem,
    lambda_: float,
    state: State,
    kept: BoolArray,
    working: WorkingSet,
    *,
    solver: Solver,
    tol: float,
) -> _Point:
    """Solve, check every group outside, and tighten until the certificate holds."""
    accuracy, n_iter, best = LOOSEST, 0, np.inf
    stalled = 0
    for _ in range(ROUNDS):
        working.add(kept)
        solution = solver.solve(
            problem, lambda_, state, working, kept, accuracy=accuracy, target=tol
        )
        state, n_iter = solution.state, n_iter + solution.n_iter
        certificate = certify(problem, state, lambda_)
        if certificate.value <= tol:
            break
        added = violators(problem, certificate.correlation, lambda_, ~kept)
        if added.any():
            kept = kept | added
            continue
        stalled = stalled + 1 if certificate.value > 0.5 * best else 0
        best = min(best, certificate.value)
        if solution.exhausted or (stalled >= 4 and accuracy < 1e-15):
            break
        accuracy = max(accuracy * TIGHTER, 1e-18)
    converged = bool(certificate.value <= tol)
    return _Point(lambda_, state, certificate, n_iter, converged)


def _reason_to_stop(problem: Problem, grid: Grid, points: list[_Point]) -> str | None:
    last = points[-1]
    if grid.max_terms is not None:
        n_active = int(active_groups(problem, last.state).sum())
        if n_active > grid.max_terms:
            return f"path stopped at {n_active} active terms (max_terms={grid.max_terms})"
    if not grid.automatic or len(points) < FIRST_POINTS:
        return None
    explained = [(problem.null_loss - point.state.loss) / problem.scale for point in points[-2:]]
    if explained[1] > SATURATED:
        return f"path stopped at {len(points)} of {grid.values.size} lambdas: deviance explained"
    gained = explained[1] - explained[0]
    # in the flat zone of a nonconvex penalty a group stays as it is while lambda falls
    if problem.penalty.convex and explained[1] > 0 and gained < NO_GAIN * explained[1]:
        return f"path stopped at {len(points)} of {grid.values.size} lambdas: no further gain"
    return None


def _collect(problem: Problem, points: list[_Point], stopped: str | None) -> Path:
    return Path(
        problem,
        np.array([point.lambda_ for point in points]),
        np.stack([point.state.theta for point in points]),
        np.stack([point.state.intercept for point in points]),
        np.array([point.state.loss for point in points]),
        np.array([point.certificate.value for point in points]),
        np.array([point.converged for point in points]),
        np.array([point.n_iter for point in points], dtype=np.int64),
        stopped,
    )
