"""Multi-stage convex relaxation: a concave penalty by the weighted lassos that touch it.

A concave p lies below its tangents, p(t) <= p(s) + p'(s) (t - s). So with slopes taken at the last
stage's norms r_g,

    minimise  loss + sum_g p'(r_g; lambda w_g) ||theta_g||,

a group lasso with weights of its own, lowers the objective, and the point where slopes repeat is
stationary. Stage 1 has the slopes at zero, p'(0+): it is the convex relaxation, so that what comes
after depends on the data alone and not on a path. Under a nested penalty every coefficient has
a slope, and a stage is a lasso. Capped-L1 has two slopes only and ends exactly; others converge at
a linear rate, and once the active set stands Newton's method on the penalty itself gives the last
digits.

Where p'(0+) is infinite, slopes p'(r + e) are finite. Stage 1 takes the gradients at which zero
ceases to be a proximal point in their place; then e is a share of the least norm of such a point,
which falls at every stage; and block descent, whose steps are proximal, settles which groups stay.

References: Zhang (2010), Journal of Machine Learning Research 11, 1081-1107; Zhang (2013),
doi:10.48550/arXiv.1106.0565; Zou & Li (2008), doi:10.1214/009053607000000802.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from grpsparse.groups import BoolArray, FloatArray
from grpsparse.penalties import GroupLasso
from grpsparse.problem import Problem, State, left_over
from grpsparse.solvers.block_descent import BlockDescent, by_moments, by_rows
from grpsparse.solvers.moment_sweeps import MomentSweeps
from grpsparse.solvers.protocol import Solution, Task
from grpsparse.solvers.support import check_iterations, check_sweeps
from grpsparse.solvers.sweeps import Sweeps
from grpsparse.solvers.working_set import Plan, WorkingSet

__all__ = ["Reweighted"]

MOST_STAGES = 200
SHARE = 0.5  # of the certificate wanted, that a stage may leave and that slopes may move by
ROUGH = 0.01  # of what the end of a stage moves slopes by, that it may leave if others follow
FIRST_ACCURACY = 1e-7  # of such a stage, tightened until it leaves no more
ANNEALING = 0.1  # share of the least norm that is added, by which it falls from stage to stage
STEEP_STAGES = 6  # of a penalty of infinite slope, before block descent
ROUNDS = 40  # of a stage, each more accurate
TIGHTER = 0.1
FINEST = 1e-28
PROGRESS = 0.9  # of what a stage left before, below which a round has helped
PATIENCE = 4


@dataclass(frozen=True, slots=True)
class Reweighted:
    """Multi-stage convex relaxation, for concave penalties of groups and of coefficients.

    Parameters
    ----------
    max_stages : int, optional
        End after so many stages, whether or not the point is stationary: 1 is the convex
        relaxation, 2 the two-stage method. None goes on until it is.
    max_iter : int
        Largest number of sweeps for one value of lambda.
    arithmetic : {"auto", "residual", "gram"}
        As of :class:`~grpsparse.solvers.BlockDescent`.

    Raises
    ------
    OptionError
        A number of stages or sweeps below 1, or another arithmetic.

    Notes
    -----
    `PathFit.diagnostics` counts the stages. After a given number of stages the certificate says
    how far from stationary a point is, `converged` whether that is within `tol`; nobody is
    warned, since that is what was asked for.

    Examples
    --------
    >>> import grpsparse as gs
    >>> data = gs.datasets.load("birthwt")
    >>> two = gs.fit("bwt ~ age + lwt + race + smoke", data, penalty="group_capped_l1",
    ...              solver=gs.solvers.Reweighted(max_stages=2), lambda_=[100.0, 30.0])
    >>> two.diagnostics["stages"].tolist()
    [1, 2]
    """

    max_stages: int | None = None
    max_iter: int = 20_000
    arithmetic: str = "auto"

    name: ClassVar[str] = "reweighted"

    def __post_init__(self) -> None:
        check_sweeps(self.max_iter, self.arithmetic)
        if self.max_stages is not None:
            otherwise = ", or None to go on until the point is stationary"
            check_iterations(self.max_stages, "max_stages", otherwise)

    @property
    def ending(self) -> str | None:
        """What to print where stages are limited, so that points need not be stationary."""
        if self.max_stages is None:
            return None
        stages = "1 stage" if self.max_stages == 1 else f"{self.max_stages} stages"
        return f"points are those after at most {stages} of reweighting, stationary or not"

    def supports(self, problem: Problem) -> str | None:
        """Return None for a concave penalty that is a sum over groups."""
        penalty = problem.penalty
        if penalty.convex:
            return f"the {penalty.title} is convex already; take solver='block_descent'."
        if penalty.joint:
            return f"the {penalty.title} is not a sum over groups; take solver='auto'."
        if penalty.steep and penalty.derivative(1.0, 1.0) == 0.0:
            return f"the {penalty.title} has no slopes; take solver='block_descent'."
        return None if penalty.nested else BlockDescent().supports(problem)

    def solve(self, problem: Problem, start: State, working: WorkingSet, task: Task) -> Solution:
        """Minimise over the task's groups; see :class:`grpsparse.solvers.protocol.Solver`."""
        steep = problem.penalty.steep and self.max_stages is None
        run = _Run(problem, working, task, self.max_iter)
        point, anchor = start, start if task.again else None
        last = STEEP_STAGES if steep else self.max_stages or MOST_STAGES
        if steep and task.again:
            last = 0
        settled, support = False, None
        rough = ROUGH if self.max_stages is None else 0.0
        for stage in range(last):
            point, left = run.stage(point, anchor, stage, rough)
            settled = left <= SHARE * task.target
            if settled or run.used >= self.max_iter:
                break
            if self.max_stages is None and not steep:
                active = run.active(point)
                if support is not None and np.array_equal(support, active):
                    point = run.newton(point)
                support = active
            anchor = point
        if steep:
            return run.descended(point)
        return run.solution(point, exhausted=not settled)


class _Run:
    """The stages of one solve, and the work they took."""

    def __init__(self, problem: Problem, working: WorkingSet, task: Task, max_iter: int) -> None:
        self.problem, self.working, self.task = problem, working, task
        self.tangent = replace(problem, penalty=GroupLasso())
        self.groups = task.groups
        self.max_iter = max_iter
        self.used = self.newton_steps = self.stages = 0

    def stage(
        self, point: State, anchor: State | None, number: int, rough: float
    ) -> tuple[State, float]:
        """Minimise loss and tangent at an anchor; return the point, and its own violation.

        Parameters
        ----------
        point : State
            Where to start.
        anchor : State or None
            Where slopes are taken, None being zero.
        number : int
            Stages before.
        rough : float
            What the stage may leave, over what its end moves the slopes by.
        """
        self.stages += 1
        enough, gradient = SHARE * self.task.target, self.task.gradient
        accuracy = max(self.task.accuracy, FIRST_ACCURACY if rough > 0.0 else 0.0)
        moved, best, stalled = np.inf, np.inf, 0
        for _ in range(ROUNDS):
            task = replace(self.task, groups=self.groups, accuracy=accuracy, gradient=gradient)
            point = self._solve(point, task, self._slopes(anchor, number))
            held = self.groups
            gradient = seen = self._look(point)
            if (self.groups & ~held).any():
                continue
            left = self._left(point, seen, self._slopes(anchor, number))
            moved = self._left(point, seen, self._slopes(point, number + 1))
            stalled = stalled + 1 if left > PROGRESS * best else 0
            best = min(best, left)
            if left <= max(enough, rough * moved) or self.used >= self.max_iter:
                break
            if stalled >= PATIENCE and accuracy <= FINEST:
                break
            floor = enough**2 if accuracy <= self.task.accuracy else accuracy
            accuracy = max(TIGHTER * min(accuracy, floor), FINEST)
        return point, moved

    def newton(self, point: State) -> State:
        """Take Newton steps on the penalty itself, where active coefficients are few."""
        task = replace(self.task, groups=self.groups, gradient=None)
        moments = self.working.moments
        if moments is not None:
            by_gram = MomentSweeps(moments, point, self.working, task)
            steps, state = by_gram.finish(), by_gram.state
        else:
            by_row = Sweeps(self.problem, point, self.working, task)
            steps, state = by_row.finish(0.0), by_row.state
        self.used += steps
        return state() if steps else point

    def active(self, point: State) -> BoolArray:
        """Return which coefficients are not zero."""
        return np.asarray(self.working.grown(point.theta) != 0)

    def descended(self, point: State) -> Solution:
        """Return what block descent makes of a point."""
        task = replace(self.task, groups=self.groups, gradient=None)
        descent = BlockDescent(max_iter=max(1, self.max_iter - self.used))
        found = descent.solve(self.problem, point, self.working, task)
        self.used += found.n_iter
        self.newton_steps += found.newton_steps
        return self.solution(found.state, exhausted=found.exhausted)

    def solution(self, point: State, *, exhausted: bool) -> Solution:
        """Return a point with the work that led to it."""
        return Solution(
            point,
            self.used,
            exhausted=exhausted,
            newton_steps=self.newton_steps,
            stages=self.stages,
        )

    def _solve(self, point: State, task: Task, slopes: FloatArray) -> State:
        """Minimise loss and tangent over the groups of a task."""
        working, left = self.working, max(1, self.max_iter - self.used)
        levels = self._levels(working.plan(task.groups, task.lambda_), slopes)
        if working.moments is None:
            work = Sweeps(self.tangent, point, working, task, levels=levels)
            found = by_rows(work, task, left)
        else:
            moments = replace(working.moments, problem=self.tangent)
            sweeps = MomentSweeps(moments, point, working, task, levels=levels)
            found = by_moments(sweeps, task, left)
        self.used += found.n_iter
        self.newton_steps += found.newton_steps
        return found.state

    def _slopes(self, anchor: State | None, number: int) -> FloatArray:
        """Return the slopes of the penalty at a point, None being zero; see `Blocks.slopes`."""
        working, penalty, lambda_ = self.working, self.problem.penalty, self.task.lambda_
        blocks = self.problem.blocks.part(working.groups)
        if anchor is None:
            theta = np.zeros((working.size, self.problem.n_outputs))
        else:
            theta = working.grown(anchor.theta)
        if number == 0 or not penalty.steep:
            return blocks.slopes(penalty, theta, lambda_)
        level = lambda_ * blocks.weight
        more = ANNEALING**number * penalty.least_norm(level, blocks.curvature)
        more = np.where(level > 0.0, more, 1.0)
        norms = blocks.norms(theta)
        slopes = [penalty.radial_derivative(column + more, level) for column in norms.T]
        return np.stack(slopes, axis=1)

    def _levels(self, plan: Plan, slopes: FloatArray) -> FloatArray:
        """Return slopes as levels of the blocks of a plan, those of the intercept 0."""
        top, levels = self.working.top, np.zeros((plan.chosen.size, 2))
        own = plan.chosen >= top * self.problem.n_outputs
        if self.problem.penalty.nested:
            spans = plan.spans[own]
            levels[own, 0] = slopes[spans[:, 0] - top, spans[:, 2]]
        else:
            levels[own, 0] = slopes.ravel()[plan.chosen[own] - top * self.problem.n_outputs]
        return levels

    def _look(self, point: State) -> FloatArray:
        """Let groups join that violate the conditions, and return the gradient."""
        if self.task.look is not None:
            self.groups, gradient = self.task.look(point)
            return gradient
        weighted = self.problem.data.weights[:, None] * self.problem.data.residual(point.eta)
        return self.problem.coordinates.correlate(weighted)[self.working.coordinates]

    def _left(self, point: State, gradient: FloatArray, slopes: FloatArray) -> float:
        """Return the largest violation of stationarity, as certificates measure it."""
        problem, working = self.problem, self.working
        theta, blocks = working.grown(point.theta), working.blocks
        left = left_over(blocks, gradient, theta, slopes, nested=problem.penalty.nested)
        weight = np.where(blocks.weight > 0, blocks.weight, 1.0)
        worst = float((left / weight[:, None])[self.groups[working.groups]].max(initial=0.0))
        if working.top:
            residual = problem.data.residual(point.eta)
            worst = max(worst, float(np.abs(problem.data.weights @ residual).max()))
        return worst / problem.gradient_scale
