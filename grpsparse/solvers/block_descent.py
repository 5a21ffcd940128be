"""Block coordinate descent inside proximal Newton steps, finished by Newton's method.

The loss is replaced by its exact quadratic model (:mod:`grpsparse.backend.kernels`), the
penalised model is minimised by sweeps of block steps, and the step is taken whole or halved
until the objective falls. Once the active blocks stand, the objective is smooth in them, and
a few Newton steps give the last digits where the system is small.

References: Friedman, Hastie & Tibshirani (2010), doi:10.18637/jss.v033.i01; Lee, Sun &
Saunders (2014), doi:10.1137/130921428.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from grpsparse.errors import OptionError
from grpsparse.groups import BoolArray, FloatArray
from grpsparse.problem import Problem, State
from grpsparse.problem.smooth import ROUNDING, newton
from grpsparse.solvers.curved import PenaltyBlocks
from grpsparse.solvers.protocol import Solution
from grpsparse.solvers.shift import class_shift
from grpsparse.solvers.working_set import WorkingSet

__all__ = ["BlockDescent"]

PATIENCE = 100  # sweeps before Newton's method is tried in between
NEWTON_VARIABLES = 600  # largest system that is finished by Newton's method
FEW_VARIABLES = 100  # the same while the accuracy asked is coarse
COARSE = 1e-6
NEWTON_MARGIN = 0.1  # the gap is about the root of the Newton decrement; stop below this share
NEWTON_WORK = 4e8  # rows times variables squared
NEWTON_STEPS = 30
LARGEST_DAMPING = 1e6  # beyond this no step of the model lowers the objective
INNER_SHARE = 0.05  # of the first sweep's gain, at which the model counts as minimised


@dataclass(frozen=True, slots=True)
class BlockDescent:
    """Proximal Newton steps by block coordinate descent.

    Parameters
    ----------
    max_iter : int
        Largest number of sweeps over the working set for one value of lambda.

    Raises
    ------
    OptionError
        `max_iter` below 1.
    """

    max_iter: int = 20_000

    def __post_init__(self) -> None:
        if not isinstance(self.max_iter, int) or self.max_iter < 1:
            raise OptionError(f"max_iter={self.max_iter!r}; give a whole number of at least 1.")

    @property
    def name(self) -> str:
        """Name under which it can be asked for."""
        return "block_descent"

    def supports(self, problem: Problem) -> str | None:  # noqa: ARG002
        """Return None: every problem of separable penalties is supported."""
        return None

    def solve(
        self,
        problem: Problem,
        lambda_: float,
        start: State,
        working: WorkingSet,
        groups: BoolArray,
        *,
        accuracy: float,
        target: float,
    ) -> Solution:
        """Minimise over `groups`; see :class:`grpsparse.solvers.protocol.Solver`."""
        work = _Sweeps(problem, lambda_, start, working, groups)
        if work.settled(accuracy):
            used = work.finish(accuracy, target)
            if used:
                return Solution(work.state(), used, exhausted=False)
        used, since, patience = 0, 0, PATIENCE
        while used < self.max_iter:
            sweeps, gain = work.newton_step(min(self.max_iter - used, patience), accuracy)
            used, since = used + sweeps, since + sweeps
            if gain <= accuracy or work.damping > LARGEST_DAMPING:
                break
            if since >= patience:
                steps = work.finish(0.0, target)
                used, since, patience = used + steps, 0, 2 * patience
        used += work.finish(accuracy, target)
        return Solution(work.state(), used, exhausted=used >= self.max_iter)


class _Sweeps:
    """The moving parts of one solve: local coefficients and their linear predictor."""

    def __init__(
        self,
        problem: Problem,
        lambda_: float,
        start: State,
        working: WorkingSet,
        groups: BoolArray,
    ) -> None:
        self.problem, self.working, self.groups, self.start = problem, working, groups, start
        self.theta = working.gather(start.intercept, start.theta)
        self.eta = start.eta
        level, single = problem.blocks.levels(problem.penalty, lambda_)
        self.spans, self.metric, group = working.blocks(groups)
        # the intercept's group is -1: the entry past the last one
        self.levels = np.stack([np.append(part, 0.0)[group] for part in (level, single)], axis=1)
        self.quadratic = problem.data.family.name == "gaussian"
        self.blocks = PenaltyBlocks.of(problem.penalty, self.spans, self.levels, self.theta.shape)
        self.penalty_value = self.blocks.value(self.theta)
        self.loss = start.loss
        self.exact = False
        self.damping = 1.0  # on the model's curvature

    def state(self) -> State:
        """Return the point reached, in all coordinates of the problem."""
        if not self.exact or self.working.rows.dtype != np.float64:
            self._refresh()
        self.working.keep_metric(self.groups, self.metric)
        theta = self.start.theta.copy()
        top = self.working.top
        theta[self.working.coordinates] = self.theta[top:]
        intercept = self.theta[0] if top else self.start.intercept
        return State(theta, intercept, self.eta, self.loss)

    def settled(self, accuracy: float) -> bool:
        """Return whether Newton's method may go first: all blocks are active, as they were.

        Only for convex problems and a first, coarse attempt: the certificate then tells
        whether a block should have left.
        """
        if accuracy < COARSE or not self.problem.penalty.convex:
            return False
        free = self.blocks.free_entries(self.theta)
        return bool(free[self.blocks.owner >= 0].all())

    def newton_step(self, max_sweeps: int, accuracy: float) -> tuple[int, float]:
        """Minimise the model, move, and return sweeps and first gain over the null deviance."""
        from grpsparse.backend.kernels import descend

        data = self.problem.data
        self.exact = False
        residual = np.ascontiguousarray((data.weights[:, None] * data.residual(self.eta)).T)
        softmax = data.family.hessian == "softmax"
        curvature = data.family.curvature(self.eta)
        weights = self.damping * data.weights
        if not softmax:
            curvature = curvature * weights[:, None]
        theta = self.theta.copy()
        moved = np.zeros_like(residual)
        first, second = self.problem.penalty.parameters
        sweeps, first_gain, _ = descend(
            self.working.rows,
            self.spans,
            self.levels,
            self.metric,
            (self.problem.penalty.code, float(first), float(second)),
            theta,
            residual,
            moved,
            (np.ascontiguousarray(curvature.T), weights, softmax),
            (max_sweeps, accuracy * self.problem.scale, INNER_SHARE),
        )
        self._move(theta, moved.T)
        return int(sweeps), float(first_gain) / self.problem.scale

    def _move(self, theta: FloatArray, moved: FloatArray) -> None:
        """Accept the step if the objective does not rise.

        Between two points a convex objective falls too, so the step is halved; a nonconvex
        one may be higher, so there the curvature of the next model is raised.
        """
        data = self.problem.data
        if self.quadratic:
            self.theta, self.eta = theta, self.eta + moved
            self.penalty_value = self.blocks.value(theta)
            self.loss = data.loss(self.eta)
            return
        before = self.loss + self.penalty_value
        size = 1.0
        for _ in range(30 if self.problem.penalty.convex else 1):
            eta = self.eta + size * moved
            trial = theta if size == 1.0 else self.theta + size * (theta - self.theta)
            penalty = self.blocks.value(trial)
            loss = data.loss(eta)
            if loss + penalty <= before + 1e-15 * max(1.0, abs(before)):
                self.theta, self.eta, self.penalty_value = trial, eta, penalty
                self.loss = loss
                self.damping = max(1.0, 0.5 * self.damping)
                return
            size *= 0.5
        self.damping *= 4.0

    def finish(self, accuracy: float, target: float) -> int:
        """Shift classes, then take Newton steps on the active blocks if they are few."""
        self._shift()
        free = self.blocks.free_entries(self.theta)
        count = int(free.sum())
        if count == 0 or count > (NEWTON_VARIABLES if accuracy < COARSE else FEW_VARIABLES):
            return 0
        if float(self.eta.shape[0]) * count**2 > NEWTON_WORK:
            return 0
        used = np.flatnonzero(free.any(axis=1))
        fit = newton(
            self.problem.data,
            self.working.rows[used].astype(np.float64, copy=False),
            self.theta[used],
            penalty=self.blocks.rows(used).curved(free[used]),
            free=free[used],
            max_steps=NEWTON_STEPS,
            scale=self.problem.scale,
            loss=self.loss,
            enough=max((NEWTON_MARGIN * target) ** 2, ROUNDING),
        )
        self.theta = self.theta.copy()
        self.theta[used] = fit.theta
        self.eta, self.loss, self.exact = fit.eta, fit.loss, True
        self.penalty_value = self.blocks.value(self.theta)
        return fit.n_steps

    def _refresh(self) -> None:
        """Recompute the linear predictor, so that updates of it leave no rounding behind."""
        data = self.problem.data
        working = self.working
        if working.rows.dtype == np.float64:
            active = np.flatnonzero(self.theta.any(axis=1))
            moved = (self.theta[active].T @ working.rows[active]).T
        else:  # the working columns were rounded; the design in float64 is what counts
            theta = np.zeros_like(self.start.theta)
            theta[working.coordinates] = self.theta[working.top :]
            moved = np.asfortranarray(self.problem.coordinates.linear_predictor(theta))
            moved += self.theta[: working.top].sum(axis=0)
        self.eta = data.offset + moved
        self.loss = data.loss(self.eta)

    def _shift(self) -> None:
        """Take the class shift that the penalty alone decides; the softmax never sees it."""
        constant = class_shift(self.problem, self.spans, self.levels, self.theta)
        if constant is not None:
            self.theta = self.theta - constant[:, None]
            self.eta = self.eta - (constant @ self.working.rows)[:, None]
            self.penalty_value = self.blocks.value(self.theta)
