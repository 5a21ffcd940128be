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
from typing import ClassVar

from grpsparse.problem import Problem, State
from grpsparse.solvers.moment_sweeps import MomentSweeps
from grpsparse.solvers.protocol import Solution, SolverDefaults, Task
from grpsparse.solvers.support import check_sweeps, not_of_norms, together, unbounded
from grpsparse.solvers.sweeps import LARGEST_DAMPING, Sweeps
from grpsparse.solvers.working_set import WorkingSet

__all__ = ["BlockDescent", "by_moments", "by_rows"]

PATIENCE = 100  # sweeps before Newton's method is tried in between
FINE = 1e-9  # certificate for which Newton's method gives the last digits without rows


@dataclass(frozen=True, slots=True)
class BlockDescent(SolverDefaults):
    """Proximal Newton steps by block coordinate descent.

    Parameters
    ----------
    max_iter : int
        Largest number of sweeps over the working set for one value of lambda.
    arithmetic : {"auto", "residual", "gram"}
        What the sweeps update: the residual of every row, or the gradient through a Gram
        matrix of the coordinates (of all, once, for the gaussian family; of the working set, at
        every Newton step, for others). Auto takes what is expected to be cheaper.

    Raises
    ------
    OptionError
        `max_iter` below 1, or another arithmetic.
    """

    max_iter: int = 20_000
    arithmetic: str = "auto"

    name: ClassVar[str] = "block_descent"

    def __post_init__(self) -> None:
        check_sweeps(self.max_iter, self.arithmetic)

    def supports(self, problem: Problem) -> str | None:
        """Refuse what is no sum over groups, and where a bound on the curvature is missing."""
        return not_of_norms(problem) or unbounded(problem) or together(problem)

    def solve(self, problem: Problem, start: State, working: WorkingSet, task: Task) -> Solution:
        """Minimise over the task's groups; see :class:`grpsparse.solvers.protocol.Solver`."""
        if working.moments is not None:
            work = MomentSweeps(working.moments, start, working, task)
            return by_moments(work, task, self.max_iter)
        return by_rows(Sweeps(problem, start, working, task), task, self.max_iter)


def by_rows(work: Sweeps, task: Task, max_iter: int) -> Solution:
    """Take proximal Newton steps until little is gained."""
    if task.gradient is None and work.settled():
        used = work.finish(task.accuracy)
        if used:
            return Solution(work.state(), used, newton_steps=used)
    used, since, patience, steps = 0, 0, PATIENCE, 0
    while used < max_iter:
        refined, damping = work.gradient is not None, work.damping
        step = work.newton_step(min(max_iter - used, patience), task.accuracy)
        used, since, steps = used + step.sweeps, since + step.sweeps, steps + 1
        rejected = work.damping > damping
        if work.damping > LARGEST_DAMPING:
            break
        if not rejected and (refined or min(step.opening, step.left) <= task.accuracy):
            break
        if since >= patience:
            finished = work.finish(0.0)
            used, since, patience = used + finished, 0, 2 * patience
    used += work.finish(task.accuracy)
    if not work.exact:
        work.refresh()
    return Solution(work.state(), used, exhausted=used >= max_iter, newton_steps=steps)


def by_moments(work: MomentSweeps, task: Task, max_iter: int) -> Solution:
    """Minimise a gaussian problem without its rows."""
    used, patience, finished = 0, PATIENCE, 0
    while used < max_iter:
        sweeps, gain = work.sweep(min(max_iter - used, patience))
        used += sweeps
        if gain <= task.accuracy:
            break
        if used >= patience:
            finished += work.finish()
            patience *= 2
    if task.target < FINE:
        finished += work.finish()
    return Solution(work.state(), used + finished, exhausted=used >= max_iter)
