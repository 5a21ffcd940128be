"""Sweeps of a gaussian problem that has been reduced to its moments: no rows are touched."""

from __future__ import annotations

import numpy as np

from grpsparse.families import Gaussian
from grpsparse.groups import FloatArray, IntArray
from grpsparse.problem import Moments, Observed, State
from grpsparse.problem.smooth import ROUNDING, SmoothFit, newton
from grpsparse.solvers.curved import PenaltyBlocks
from grpsparse.solvers.nested import NestedBlocks
from grpsparse.solvers.protocol import Task
from grpsparse.solvers.working_set import WorkingSet

__all__ = ["MomentSweeps"]

INNER_SHARE = 1e-3  # of the first sweep's gain, at which blocks outside are looked at again
NEWTON_VARIABLES = 400  # largest system that is finished by Newton's method
NEWTON_MARGIN = 0.1
NEWTON_STEPS = 30
FLAT = 1e-13  # eigenvalue, relative to the largest, of a direction that moves nothing
CONVEX_SLACK, NONCONVEX_SLACK = 1.3, 1.0 + 1e-9  # observed curvature over the metric's
EXACT_BELOW = 1e-9  # certificates asked below this are not left to updated correlations


class MomentSweeps:
    """One solve on all groups of a task.

    Parameters
    ----------
    moments : Moments
    start : State
    working : WorkingSet
    task : Task
    levels : ndarray of shape (B, 2), optional
        Of the blocks of the task's groups, in place of lambda times weight.
    """

    def __init__(
        self,
        moments: Moments,
        start: State,
        working: WorkingSet,
        task: Task,
        *,
        levels: FloatArray | None = None,
    ) -> None:
        self.moments, self.working, self.task = moments, working, task
        self.theta, self.intercept, self.eta = start.theta.copy(), start.intercept, start.eta
        self.base = start.correlation.T.copy()
        self.plan = working.plan(task.groups, task.lambda_)
        self.spans, self.metric = self.plan.spans, self.plan.metric
        self.levels = self.plan.levels if levels is None else levels

    def sweep(self, max_sweeps: int) -> tuple[int, float]:
        """Sweep until little is gained; return sweeps and first gain over the null deviance."""
        from grpsparse.backend.kernels import descend
        from grpsparse.backend.scratch import scratch

        problem = self.moments.problem
        penalty = problem.penalty
        if not self.spans.size:
            return 0, 0.0
        first, second = penalty.parameters
        slack = CONVEX_SLACK if penalty.convex else NONCONVEX_SLACK
        sweeps, gain, *_ = descend(
            None,
            None,
            None,
            self.moments.gram,
            (self.spans, self.levels, self.working.scale, self.metric),
            None if self.working.turned else penalty.code,
            (float(first), float(second), slack, problem.least_curvature),
            (self.theta, self.base, None, None),
            None,
            None,
            scratch(self.spans, (1, 0)),
            (max_sweeps, self.task.accuracy * problem.scale, INNER_SHARE, max_sweeps),
        )
        return int(sweeps), float(gain) / problem.scale

    def state(self) -> State:
        """Return the point reached."""
        self.working.keep_metric(self.plan)
        correlation = self.base.T
        if self.task.target < EXACT_BELOW:
            correlation = self.moments.correlation(self.theta)
        square, _ = self.moments.squares(self.theta, correlation)
        return State(self.theta, self.intercept, self.eta, 0.5 * square, correlation=correlation)

    def finish(self) -> int:
        """Take Newton steps on the active blocks if they are few; return how many."""
        problem = self.moments.problem
        if not self.spans.size:
            return 0
        blocks: PenaltyBlocks | NestedBlocks
        if problem.penalty.nested:
            blocks = NestedBlocks.of(problem, self.working, self.task.lambda_)
        else:
            blocks = PenaltyBlocks.of(problem.penalty, self.spans, self.levels, self.theta.shape)
        free = blocks.free_entries(self.theta)
        used = np.flatnonzero(free[:, 0])
        if not 0 < used.size <= NEWTON_VARIABLES:
            return 0
        fit = self._newton(blocks, used)
        step = fit.theta - self.theta[used]
        self.theta[used] = fit.theta
        self.base -= step.T @ self.moments.gram[used]
        return fit.n_steps

    def _newton(self, blocks: PenaltyBlocks | NestedBlocks, used: IntArray) -> SmoothFit:
        """Run Newton's method on as few rows as have the same Gram matrix and correlations."""
        values, basis = np.linalg.eigh(self.moments.gram[np.ix_(used, used)])
        kept = values > FLAT * values[-1]
        rows = np.ascontiguousarray(basis[:, kept] * np.sqrt(values[kept]))
        left = (basis[:, kept] / np.sqrt(values[kept])).T @ self.base[:, used].T
        y: FloatArray = rows.T @ self.theta[used] + left
        data = Observed(Gaussian(), y, np.ones(rows.shape[1]), np.zeros_like(y))
        mask = np.ones((used.size, 1), dtype=np.bool_)
        return newton(
            data,
            rows,
            self.theta[used],
            penalty=blocks.rows(used).curved(mask),
            max_steps=NEWTON_STEPS,
            scale=self.moments.problem.scale,
            enough=max((NEWTON_MARGIN * self.task.target) ** 2, ROUNDING),
        )
