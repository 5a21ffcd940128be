"""Variable projection: a smooth problem in one factor for each block, by L-BFGS.

Coefficients are products of a factor with a ridge regression's (:mod:`grpsparse.solvers.factors`);
the regression is eliminated (:mod:`grpsparse.solvers.eliminate`), and L-BFGS minimises over the
factors alone. Near lambda 0, where descent by blocks crawls, it takes no more steps than
elsewhere, and a step costs one system as large as the smaller of rows and coordinates.

Factors get small but never zero. Blocks whose gradient is inside their limit are set to zero, and
sweeps by blocks with Newton's method (:mod:`grpsparse.solvers.block_descent`) give the last digits.
A nonconvex penalty Lq has local minima of its own, and the sweeps hold them to the proximal map.

References: Poon & Peyre (2021), "Smooth bilevel programming for sparse regularization".
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from grpsparse.backend import segment_sums
from grpsparse.errors import OptionError
from grpsparse.groups import FloatArray, IntArray
from grpsparse.problem import Blocks, Problem, State
from grpsparse.solvers.block_descent import BlockDescent
from grpsparse.solvers.eliminate import Elimination, elimination
from grpsparse.solvers.factors import (
    EXCESS,
    FLOOR,
    Factors,
    Minimum,
    minimum,
    variational,
)
from grpsparse.solvers.protocol import Solution, Task
from grpsparse.solvers.working_set import WorkingSet

__all__ = ["VarPro"]

FLAT_SHARE = 0.01  # of the root of the accuracy: derivatives whose squares are below it
LOCAL_FLOOR = 0.1  # of the largest factor, below which none starts where minima are local
INSIDE = 1e-4  # by which a gradient is below its limit for a block to be zero


@dataclass(frozen=True, slots=True)
class VarPro:
    """Variable projection: L-BFGS over one factor for each block.

    Parameters
    ----------
    memory : int
        Pairs of steps that L-BFGS remembers.
    max_iter : int
        Largest number of its iterations for one value of lambda.

    Raises
    ------
    OptionError
        A number below 1.

    Examples
    --------
    >>> import numpy as np
    >>> import grpsparse as gs
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(20, 40))
    >>> y = X[:, :4] @ np.ones(4)
    >>> fit = gs.fit(X, y, groups=np.arange(40) // 4, lambda_=0.01, solver=gs.VarPro(memory=20))
    >>> fit.selected()[0]
    '0'
    """

    memory: int = 10
    max_iter: int = 2000

    def __post_init__(self) -> None:
        for name in ("memory", "max_iter"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise OptionError(f"{name}={value!r}; give a whole number of at least 1.")

    @property
    def name(self) -> str:
        """Name under which it can be asked for."""
        return "varpro"

    @property
    def arithmetic(self) -> str:
        """``"residual"``: a Gram matrix of all coordinates is of no use here."""
        return "residual"

    def supports(self, problem: Problem) -> str | None:
        """Return None for penalties with a smooth form, else a sentence that says why not."""
        penalty = problem.penalty
        if variational(penalty) is None:
            return (
                f"the {penalty.title} has no smooth form in one factor for each block; those that "
                "have one are 'group_lasso', 'group_elastic_net', 'lasso' and gs.GroupLq(q) of q "
                "above 2/3. Take solver='block_descent'."
            )
        return BlockDescent().supports(problem)

    def solve(self, problem: Problem, start: State, working: WorkingSet, task: Task) -> Solution:
        """Minimise over the task's groups; see :class:`grpsparse.solvers.protocol.Solver`."""
        finish = BlockDescent()
        part = _Part.of(problem, working, task)
        factor = None if part is None else part.start(start, refining=task.gradient is not None)
        if part is None or factor is None:
            return finish.solve(problem, start, working, task)
        flat = FLAT_SHARE * float(np.sqrt(task.accuracy))
        least = minimum(
            part.factors, factor, memory=self.memory, max_iter=self.max_iter, flat=flat
        )
        state, gradient = part.end(least, start)
        done = finish.solve(problem, state, working, replace(task, gradient=gradient))
        return replace(done, n_iter=done.n_iter + least.calls)


@dataclass(frozen=True, slots=True)
class _Part:
    """The groups to improve, as blocks with factors.

    Parameters
    ----------
    problem : Problem
    working : WorkingSet
    blocks : Blocks
        Of the penalised groups.
    level : ndarray of shape (G,)
    inside, free : ndarray of int
        Rows of the working set with a penalty, and without one, the intercept's among them.
    rows : ndarray of shape (m, n)
        Those inside.
    eliminate : Elimination
    factors : Factors
    """

    problem: Problem
    working: WorkingSet
    blocks: Blocks
    level: FloatArray
    inside: IntArray
    free: IntArray
    rows: FloatArray
    eliminate: Elimination
    factors: Factors

    @classmethod
    def of(cls, problem: Problem, working: WorkingSet, task: Task) -> _Part | None:
        """Build from a task; None where nothing has a penalty."""
        form = variational(problem.penalty)
        asked = task.groups[working.groups]
        chosen = np.flatnonzero(asked & working.blocks.penalised)
        if form is None or not chosen.size or task.lambda_ == 0:
            return None
        inside = working.blocks.rows(chosen) + working.top
        without = working.blocks.rows(np.flatnonzero(asked & ~working.blocks.penalised))
        free = np.concatenate([np.arange(working.top), without + working.top])
        blocks = working.blocks.part(chosen)
        rows, level = working.exact_rows(inside), task.lambda_ * blocks.weight
        eliminate = elimination(problem, rows, working.exact_rows(free))
        factors = Factors(eliminate, blocks.starts, level, form, problem.scale)
        return cls(problem, working, blocks, level, inside, free, rows, eliminate, factors)

    def start(self, state: State, *, refining: bool) -> FloatArray | None:
        """Return factors to start from, None where blocks at zero are to stay there.

        Roots of the norms of the blocks, or of a proximal step where these are zero; all of them
        away from zero, which no factor leaves.
        """
        problem, blocks = self.problem, self.blocks
        theta = self.working.grown(state.theta)[self.inside - self.working.top]
        norms = blocks.norms(theta)
        limit = problem.penalty.zero_limit(self.level, self._curvature)[:, None]
        excess = blocks.norms(self._correlation(state)) - limit
        climbing = (norms == 0) & (excess > EXCESS * limit)
        if not climbing.any() and (refining or not norms.any()):
            return None
        sizes = np.where(climbing, excess / self._curvature[:, None], norms)
        floor = FLOOR if self.factors.convex else LOCAL_FLOOR
        sizes = np.maximum(sizes, floor**2 * sizes.max())
        started: FloatArray = np.sqrt(sizes) / self.factors.unit
        return started

    @property
    def _curvature(self) -> FloatArray:
        """Return the metric of every block, the mean over its rows."""
        sizes = np.maximum(self.blocks.sizes, 1)
        mean = segment_sums(self.working.scale[self.inside], self.blocks.starts) / sizes
        return np.asarray(self.problem.curvature * mean)

    def _correlation(self, state: State) -> FloatArray:
        data = self.problem.data
        return np.asarray(self.rows @ (data.weights[:, None] * data.residual(state.eta)))

    def end(self, least: Minimum, start: State) -> tuple[State, FloatArray | None]:
        """Return the point of a minimum, blocks inside their limits at zero, and the gradient."""
        problem, working = self.problem, self.working
        theta = least.found.theta
        if self.factors.convex:
            out = np.repeat(least.push < 1.0 - INSIDE, self.blocks.sizes, axis=0)
            theta = np.where(out, 0.0, theta)
        whole = np.zeros((working.top + working.size, theta.shape[1]))
        whole[self.inside] = theta
        whole[self.free] = self.eliminate.unpenalised(theta)
        eta = working.predictor(whole) + problem.data.offset
        intercept = whole[0] if working.top else start.intercept
        state = State(whole[working.top :], intercept, eta, problem.data.loss(eta))
        if working.rounded is not None:  # columns in single precision have no better gradient
            return state, None
        weighted = problem.data.weights[:, None] * problem.data.residual(eta)
        gradient = np.zeros_like(whole)
        gradient[self.inside] = self.rows @ weighted
        gradient[self.free] = working.exact_rows(self.free) @ weighted
        return state, gradient[working.top :]
