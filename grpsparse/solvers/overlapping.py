"""Norms of groups that overlap: accelerated proximal gradient on single columns.

The proximal map of sum_g w_g ||b_g|| is found group by group in its dual
(:mod:`grpsparse.backend.overlaps`), from where the last one ended. Groups that do not overlap are
blocks, and are left to block descent.

Reference: Yuan, Liu & Ye (2011), Advances in Neural Information Processing Systems 24.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, cast

import numpy as np

from grpsparse.groups import BoolArray, FloatArray
from grpsparse.penalties import OverlapNorm
from grpsparse.penalties.overlap import ACCURATE
from grpsparse.problem import Problem, State
from grpsparse.problem.smooth import loss_hessian
from grpsparse.solvers.block_descent import BlockDescent
from grpsparse.solvers.composite import Composite
from grpsparse.solvers.legs import Limits, Reached
from grpsparse.solvers.overlap_newton import Derivatives, Smooth, SmoothNorms, descend
from grpsparse.solvers.protocol import Solution, SolverDefaults, Task
from grpsparse.solvers.recursions import restarted
from grpsparse.solvers.support import check_iterations
from grpsparse.solvers.working_set import WorkingSet

__all__ = ["Overlapping"]

PATIENCE = 20  # iterations before Newton's method is tried
LARGEST = 600  # entries that it is taken for
INEXACT = 1e-3  # of the last move, squared, by which a proximal point may miss
LOOSEST = 1e-8  # of a squared length, the same


@dataclass(frozen=True, slots=True)
class Overlapping(SolverDefaults):
    """Accelerated proximal gradient for norms of groups that overlap.

    Parameters
    ----------
    max_iter : int
        Largest number of iterations for one value of lambda.

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
    ...     penalty="overlap_group_lasso", solver=gs.solvers.Overlapping(max_iter=5_000),
    ... )
    >>> bool(fit.converged.all())
    True
    """

    max_iter: int = 20_000

    name: ClassVar[str] = "overlapping"
    arithmetic: ClassVar[str] = "auto"  # that of block descent where groups do not overlap

    def __post_init__(self) -> None:
        check_iterations(self.max_iter)

    def supports(self, problem: Problem) -> str | None:
        """Return None for an overlapping group lasso."""
        if problem.penalty.overlap == "norms":
            return None
        return f"it is for 'overlap_group_lasso', not for the {problem.penalty.title}."

    def solve(self, problem: Problem, start: State, working: WorkingSet, task: Task) -> Solution:
        """Minimise over the task's groups; see :class:`grpsparse.solvers.protocol.Solver`."""
        if not problem.penalty.overlapping:
            return BlockDescent(max_iter=self.max_iter).solve(problem, start, working, task)
        columns = OverlapColumns(problem, start, working, task)
        if not columns.rows.shape[0]:
            return Solution(start, 0)
        at = Reached(columns.point(start), 0, settled=False, stiffness=0.0)
        used, steps, patience, enough = 0, 0, PATIENCE, task.accuracy * problem.scale
        while used < self.max_iter:
            limits = Limits(min(self.max_iter - used, patience), enough)
            at = restarted(columns, at, limits, restart="gradient")
            used += at.n_iter
            x, taken = columns.finished(at.x)
            steps += taken
            if at.settled:
                break
            at, patience = replace(at, x=x), 2 * patience
        return Solution(
            columns.state(x), used + steps, exhausted=not at.settled, newton_steps=steps
        )


class OverlapColumns(Composite):
    """Loss plus overlapping norms, as a function of the coefficients of all columns.

    Parameters
    ----------
    problem, start, working, task
        As of :class:`grpsparse.solvers.composite.Composite`; the task names all groups.
    """

    def __init__(self, problem: Problem, start: State, working: WorkingSet, task: Task) -> None:
        super().__init__(problem, start, working, task)
        self._taken: list[FloatArray] = []
        self._level = 0.0
        self._last: FloatArray | None = None
        self._moved = np.inf  # squared length from the last proximal point but one to the last

    def _joint_prox(self, x: FloatArray, step: float) -> FloatArray:
        """Return the proximal point, whose dual starts from that of the last one."""
        norm, out = cast(OverlapNorm, self.problem.penalty), x.copy()
        if not self.blocks.weight.size:
            return out
        views = self.blocks.views(out[self.n_free :])
        level = step * self.lambda_ / float(np.sqrt(self.scale[0]))
        # what is taken may be no longer than a radius that has become smaller
        within = min(1.0, level / self._level) if self._level > 0.0 else 1.0
        given: list[FloatArray | None] = [within * taken for taken in self._taken]
        given = given or [None] * len(views)
        self._taken, self._level = [], level
        size = float(np.vdot(x, x))
        accuracy = min(INEXACT * self._moved / size, LOOSEST) if size > 0.0 else LOOSEST
        for view, start in zip(views, given, strict=True):
            view[:], taken = norm.taken_up(view, level, start, accuracy=max(accuracy, ACCURATE))
            self._taken.append(taken)
        if self._last is not None:
            self._moved = float(np.sum((out - self._last) ** 2))
        self._last = out
        return out

    def finished(self, x: FloatArray) -> tuple[FloatArray, int]:
        """Return x after Newton's method on what is not zero, if the objective is smaller there."""
        norm, bound = cast(OverlapNorm, self.problem.penalty), x[self.n_free :]
        if not self.blocks.weight.size:
            return x, 0
        nonzero = bound != 0
        if self.blocks.shared:
            nonzero = np.repeat(nonzero.any(axis=1, keepdims=True), x.shape[1], axis=1)
        chosen = np.concatenate([np.ones((self.n_free, x.shape[1]), dtype=np.bool_), nonzero])
        if not 0 < chosen.sum() <= LARGEST:
            return x, 0
        norms = SmoothNorms.of(bound, nonzero, norm, shared=self.blocks.shared)
        free = self.n_free * x.shape[1]
        level = self.lambda_ / float(np.sqrt(self.scale[0])) * norms.level
        norms = replace(norms, index=free + norms.index, level=level)
        flat, taken = descend(self._smooth(chosen), norms, x[chosen])
        out = np.zeros_like(x)
        out[chosen] = flat
        lower = self.value(out, self.predictor(out)) <= self.value(x, self.predictor(x))
        return (out, taken) if lower else (x, taken)

    def _smooth(self, chosen: BoolArray) -> Smooth:
        """Return loss, gradient and Hessian as functions of the chosen entries (u + m, K) of x."""
        active = np.flatnonzero(chosen.any(axis=1))
        rows, inside, data = self.rows[active], chosen[active], self.data
        where = np.flatnonzero(inside.T)  # classes are outermost in the Hessian
        order = np.argsort(np.nonzero(inside.T)[1] * inside.shape[1] + np.nonzero(inside.T)[0])
        where = where[order]

        def smooth(flat: FloatArray) -> tuple[float, Derivatives]:
            x = np.zeros(inside.shape)
            x[inside] = flat
            eta = self._base + (x.T @ rows).T

            def derivatives() -> tuple[FloatArray, FloatArray]:
                residual = data.residual(eta)
                gradient = -(rows @ (data.weights[:, None] * residual))
                hessian = loss_hessian(data, rows, eta, residual)
                return gradient[inside], hessian[np.ix_(where, where)]

            return data.loss(eta), derivatives

        return smooth
