"""The groups that a solver is to improve, as rows in double precision with what stays free.

Solvers that take all blocks at once read their columns here, and bring back what they found.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from grpsparse.groups import FloatArray, IntArray
from grpsparse.problem import Blocks, Problem, State
from grpsparse.solvers.protocol import Task
from grpsparse.solvers.working_set import WorkingSet

__all__ = ["Part"]

LOWEST = 1e-13  # of the null deviance, below which a height is rounding


@dataclass(frozen=True, slots=True)
class Part:
    """The penalised groups of a task, and the rows that are free beside them.

    Parameters
    ----------
    problem : Problem
    working : WorkingSet
    blocks : Blocks
        Of the penalised groups.
    lambda_ : float
    level : ndarray of shape (G,)
        Lambda times the weights of the groups.
    inside, free : ndarray of int, shapes (m,) and (u,)
        Rows of the working set with a penalty, and without one, the intercept's among them.
    rows, free_rows : ndarrays of shapes (m, n) and (u, n)
        In double precision and the working set's basis.
    """

    problem: Problem
    working: WorkingSet
    blocks: Blocks
    lambda_: float
    level: FloatArray
    inside: IntArray
    free: IntArray
    rows: FloatArray
    free_rows: FloatArray

    @classmethod
    def of(cls, problem: Problem, working: WorkingSet, task: Task) -> Part | None:
        """Build from a task; None where nothing has a penalty."""
        asked = task.groups[working.groups]
        chosen = np.flatnonzero(asked & working.blocks.penalised)
        if not chosen.size or task.lambda_ == 0:
            return None
        inside = working.blocks.rows(chosen) + working.top
        without = working.blocks.rows(np.flatnonzero(asked & ~working.blocks.penalised))
        free = np.concatenate([np.arange(working.top), without + working.top])
        blocks = working.blocks.part(chosen)
        rows, free_rows = working.exact_rows(inside), working.exact_rows(free)
        level = task.lambda_ * blocks.weight
        found = (inside, free, rows, free_rows)
        return cls(problem, working, blocks, task.lambda_, level, *found)

    def height(self, state: State) -> float:
        """Return the objective of a point above the saturated loss, at most the null deviance.

        It is the unit of a problem far below lambda_max, where what is left is small.
        """
        problem = self.problem
        lost = state.loss - (problem.null_loss - problem.scale)
        paid = self.blocks.value(problem.penalty, self.theta(state), self.lambda_)
        return min(problem.scale, max(lost + paid, LOWEST * problem.scale))

    def theta(self, state: State) -> FloatArray:
        """Return the coefficients (m, K) of a point."""
        own: FloatArray = self.working.grown(state.theta)[self.inside - self.working.top]
        return own

    def correlation(self, state: State) -> FloatArray:
        """Return Z'W(y - mu) of a point, (m, K)."""
        data = self.problem.data
        found: FloatArray = self.rows @ (data.weights[:, None] * data.residual(state.eta))
        return found

    def state(self, theta: FloatArray, unpenalised: FloatArray, start: State) -> State:
        """Return the point of coefficients (m, K), and (u, K) of the free rows."""
        working, data = self.working, self.problem.data
        whole = np.zeros((working.top + working.size, theta.shape[1]))
        whole[self.inside], whole[self.free] = theta, unpenalised
        eta = working.predictor(whole) + data.offset
        intercept = whole[0] if working.top else start.intercept
        return State(whole[working.top :], intercept, eta, data.loss(eta))

    def gradient(self, state: State) -> FloatArray | None:
        """Return Z'W(y - mu) of the working set, zero for groups not asked for.

        None where the predictor is that of columns in single precision, which has no better one.
        """
        if self.working.rounded is not None:
            return None
        data, top = self.problem.data, self.working.top
        weighted = data.weights[:, None] * data.residual(state.eta)
        out = np.zeros((top + self.working.size, weighted.shape[1]))
        out[self.inside] = self.rows @ weighted
        out[self.free] = self.free_rows @ weighted
        return out[top:]
