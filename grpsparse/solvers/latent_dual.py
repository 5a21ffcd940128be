"""Latent groups without latent columns: accelerated proximal gradient on the columns themselves.

The objective is one of the columns' coefficients b, loss plus Omega(b), whose proximal map is found
by a projected Newton method on one multiplier per group (:mod:`grpsparse.penalties.latent_prox`).
A column is held once, however many groups it is in; latent coefficients, which certificates and
results ask for, are read off the last proximal step.

It needs coordinates that are multiples of columns, so groups must not have been made
orthonormal. Block descent on the latent coefficients reads each column once for every group,
and is faster all the same wherever it was measured, because a block step is so cheap; this is the
way without them, and a second opinion.

References: Mosci, Villa, Verri & Rosasco (2010), Advances in Neural Information Processing
Systems 23; Villa, Rosasco, Mosci & Verri (2014), doi:10.1007/s10589-013-9628-6.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import ClassVar

import numpy as np

from grpsparse.design import ColumnScale
from grpsparse.groups import FloatArray, IntArray
from grpsparse.penalties.latent_prox import Membership, latent_prox
from grpsparse.problem import Problem, State
from grpsparse.problem.null import unpenalised_basis
from grpsparse.solvers.composite import Composite
from grpsparse.solvers.legs import Limits, Reached
from grpsparse.solvers.protocol import Solution, SolverDefaults, Task
from grpsparse.solvers.recursions import restarted
from grpsparse.solvers.support import check_iterations
from grpsparse.solvers.working_set import WorkingSet

__all__ = ["LatentDual"]


@dataclass(frozen=True, slots=True)
class LatentDual(SolverDefaults):
    """Accelerated proximal gradient on the columns of latent groups.

    Parameters
    ----------
    max_iter : int
        Largest number of iterations on the working set for one value of lambda.

    Raises
    ------
    OptionError
        `max_iter` below 1.

    Examples
    --------
    >>> import grpsparse as gs
    >>> births = gs.datasets.load("birthwt")
    >>> fit = gs.fit(
    ...     births[["age", "lwt", "ptl"]], births["bwt"], groups=[[0, 1], [1, 2]],
    ...     penalty="latent_group_lasso", standardize="column", solver=gs.solvers.LatentDual(),
    ... )
    >>> bool(fit.converged.all())
    True
    """

    max_iter: int = 20_000

    name: ClassVar[str] = "latent_dual"
    arithmetic: ClassVar[str] = "exact"

    def __post_init__(self) -> None:
        check_iterations(self.max_iter)

    def supports(self, problem: Problem) -> str | None:
        """Return None for latent group lasso on columns that are at most scaled."""
        if problem.penalty.overlap != "latent":
            return f"it is for 'latent_group_lasso', not for the {problem.penalty.title}."
        if not isinstance(problem.coordinates.whole, ColumnScale):
            return (
                "its groups were made orthonormal, so that they share no coordinates; give "
                "standardize='column' or False."
            )
        if problem.n_outputs > 1 and not problem.blocks.shared:
            return "its classes have groups of their own; give class_groups='shared'."
        return None

    def solve(self, problem: Problem, start: State, working: WorkingSet, task: Task) -> Solution:
        """Minimise over the task's groups; see :class:`grpsparse.solvers.protocol.Solver`."""
        columns = LatentColumns(problem, start, working, task)
        at = Reached(columns.point(start), 0, settled=False, stiffness=0.0)
        if not columns.rows.shape[0]:
            return Solution(start, 0)
        limits = Limits(self.max_iter, task.accuracy * problem.scale)
        at = restarted(columns, at, limits, restart="gradient")
        return Solution(columns.ended(at), at.n_iter, exhausted=not at.settled)


class LatentColumns(Composite):
    """Loss plus Omega(b) as a function of x: what is free, and every column of the groups once.

    Parameters
    ----------
    problem, start, working, task
        As of :class:`grpsparse.solvers.composite.Composite`.
    """

    def __init__(self, problem: Problem, start: State, working: WorkingSet, task: Task) -> None:
        self.problem, self.data, self.lambda_ = problem, problem.data, task.lambda_
        self.curvature, self._working, self.highest = problem.curvature, working, inf
        top, held = working.top, working.blocks
        inside = task.groups[working.groups]
        under = inside & held.penalised & (task.lambda_ > 0)
        loose = held.rows(np.flatnonzero(inside & ~under))
        self._loose: IntArray = np.concatenate([np.arange(top), top + loose])
        self._own: IntArray = held.rows(np.flatnonzero(under))
        self.blocks = held.part(np.flatnonzero(under))
        whole = problem.coordinates.whole
        used = working.coordinates[self._own]
        index = whole.index[used] if isinstance(whole, ColumnScale) else used
        _, first, self._column = np.unique(index, return_index=True, return_inverse=True)
        self._members = Membership.of(self._column, self.blocks.starts, first.size)
        self._multipliers: FloatArray = np.zeros(self.blocks.weight.size)
        self._make_rows(
            working.exact_rows(self._loose), problem.coordinates.working_rows(used[first])
        )
        self._theta = np.zeros((top + working.size, problem.n_outputs))
        self._base = self.data.offset
        self._base = self._base + self._others(start)

    def _make_rows(self, loose: FloatArray, bound: FloatArray) -> None:
        """Fill `rows`: the free ones orthonormal, the others less their projections on these."""
        self._basis = unpenalised_basis(loose, self.data.weights, intercept=False)
        self.n_free = self._basis.rows.shape[0]
        self._given = np.concatenate([loose, bound])
        self._shared = (self._basis.rows * self.data.weights) @ bound.T
        apart = bound - self._shared.T @ self._basis.rows
        self.rows = np.concatenate([self._basis.rows, apart])

    def _others(self, start: State) -> FloatArray | float:
        """Return what groups that the task does not name add to the linear predictor."""
        top = self._working.top
        others = self._theta.copy()
        others[:top] = start.intercept
        others[top : top + start.theta.shape[0]] = start.theta
        self._theta = others.copy()
        others[self._loose] = others[top + self._own] = 0.0
        return self._working.predictor(others) if others.any() else 0.0

    def point(self, state: State) -> FloatArray:
        """Return the x of a state: sums of its latent coefficients."""
        top, working = self._working.top, self._working
        theta = np.concatenate([state.intercept[None][:top], working.grown(state.theta)])
        b = np.zeros((self._members.matrix.shape[1], theta.shape[1]))
        np.add.at(b, self._column, working.standard(theta[top:])[self._own])
        along = theta[self._loose].T @ self._given[: self._loose.size]
        free = (self._basis.rows * self.data.weights) @ along.T + self._shared @ b
        return np.concatenate([free, b])

    def prox(self, x: FloatArray, step: float) -> FloatArray:
        """Return the proximal point of Omega."""
        level = step * self.lambda_ * self.blocks.weight
        b, self._multipliers = latent_prox(
            x[self.n_free :], self._members, level, self._multipliers
        )
        return np.concatenate([x[: self.n_free], b])

    def ended(self, at: Reached) -> State:
        """Return the state after one more step, whose multipliers split it into groups."""
        working, top = self._working, self._working.top
        before = at.x - self.gradient(self.predictor(at.x)) / at.stiffness
        x = self.prox(before, 1.0 / at.stiffness)
        b = x[self.n_free :]
        pull = (before[self.n_free :] - b)[self._column]
        latent = np.repeat(self._multipliers, self.blocks.sizes)[:, None] * pull
        theta = self._theta.copy()
        whole = working.standard(theta[top:])
        whole[self._own] = latent
        theta[top:] = working.own(whole)
        theta[self._loose] = self._basis.back @ (x[: self.n_free] - self._shared @ b)
        own = np.concatenate([theta[self._loose], b])
        eta = self._base + (own.T @ self._given).T
        intercept = theta[0] if top else np.zeros(x.shape[1])
        return State(theta[top:], intercept, eta, self.data.loss(eta))
