"""A problem with norms of overlapping groups on its way along lambda.

No group can be looked at alone, so all columns are solved for at every lambda and certified
together. A path asks the same steps of it as of :class:`grpsparse.track.Track`.
"""

from __future__ import annotations

from time import perf_counter
from typing import cast

import numpy as np

from grpsparse.groups import FloatArray
from grpsparse.penalties import OverlapNorm
from grpsparse.problem import Checked, Problem, State, certify, dual_point
from grpsparse.record import Point, Work
from grpsparse.solvers import Solution, Solver, Task, WorkingSet
from grpsparse.track import FINEST, TIGHTER, How

__all__ = ["OverlapTrack"]

FIRST_SHARE = 0.1  # of the tolerance squared, that a first step may still promise
ROUNDS = 12
LEAST = 1e-26  # promise that rounding leaves nothing below


class OverlapTrack:
    """A problem, its working set of all columns, and its points so far.

    Parameters
    ----------
    problem : Problem
    solver : Solver
    tol : float
    how : How
        Only what all paths have in common is used.
    """

    asks_all = False

    def __init__(self, problem: Problem, solver: Solver, tol: float, how: How) -> None:
        self.problem, self.solver, self.tol = problem, solver, tol
        self.working = WorkingSet(problem, gathered=False)
        self.working.add(np.ones_like(self.working.held))
        self.points: list[Point] = []
        self.done = True
        start = problem.start
        theta = self.working.own(start.theta[self.working.coordinates])
        self.state = self._null = State(theta, start.intercept, start.eta, start.loss)
        self._lambda, self._work = how.first, Work()
        self._accuracy, self._rounds = FINEST, 0
        self._solution: Solution

    def begin(self, lambda_: float) -> None:
        """Start a new value of lambda."""
        self._lambda, self._work, self.done = lambda_, Work(), False
        self._accuracy, self._rounds = FIRST_SHARE * self.tol**2, 0

    def improve(self) -> None:
        """Solve for all columns."""
        clock = perf_counter()
        if self._lambda >= self.problem.lambda_max and self.problem.lambda_max > 0:
            self._solution = Solution(self._null, 0)  # exactly zero, which sweeps only come near
        else:
            task = Task(self._lambda, np.ones_like(self.working.held), self._accuracy, self.tol)
            self._solution = self.solver.solve(self.problem, self.state, self.working, task)
        self.state = self._solution.state
        self._work.sweeps += self._solution.n_iter
        self._work.seconds_solve += perf_counter() - clock

    def check(self) -> None:
        """Certify the point, or ask for more accuracy."""
        clock = perf_counter()
        problem, work, theta = self.problem, self._work, self._standard()
        dual = dual_point(problem, self.state, self._lambda)
        checked = Checked(problem.blocks, problem.correlate(dual), theta)
        norms = problem.blocks.norms(theta)
        seen = problem.blocks.penalised
        norm, weight = cast(OverlapNorm, problem.penalty), problem.blocks.weight[seen]
        paid = sum(norm.joint_value(each[seen], weight, self._lambda) for each in norms.T)
        value = certify(problem, self.state, self._lambda, dual, checked, penalty=paid)
        work.passes += 1.0
        work.groups += norms.shape[0]
        work.seconds_certify += perf_counter() - clock
        self._rounds += 1
        tried = self._rounds >= ROUNDS or self._solution.exhausted or self._accuracy <= LEAST
        if value > self.tol and not tried:
            self._accuracy = max(self._accuracy * TIGHTER**2, LEAST)
            return
        work.working_set = norms.shape[0]
        sizes = [norm.norms(each[seen][:, None]) for each in norms.T]
        active = int(np.any(sizes, axis=0).sum())
        self.points.append(
            Point(
                self._lambda,
                self.state.lean(),
                paid,
                value,
                bool(value <= self.tol),
                active,
                work,
            )
        )
        self.done = True

    def _standard(self) -> FloatArray:
        """Return the coefficients (q, K) of the problem's coordinates, in their order."""
        out = np.zeros((self.problem.coordinates.size, self.problem.n_outputs))
        out[self.working.coordinates] = self.working.standard(self.state.theta)
        return out
