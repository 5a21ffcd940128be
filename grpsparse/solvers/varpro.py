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
from typing import ClassVar

import numpy as np

from grpsparse.backend import segment_sums
from grpsparse.groups import FloatArray
from grpsparse.problem import Problem, State
from grpsparse.solvers.block_descent import BlockDescent
from grpsparse.solvers.eliminate import elimination
from grpsparse.solvers.factors import EXCESS, FLOOR, Factors, Variational, minimum, variational
from grpsparse.solvers.part import Part
from grpsparse.solvers.protocol import Solution, SolverDefaults, Task
from grpsparse.solvers.spectral import least_trace
from grpsparse.solvers.support import check_iterations
from grpsparse.solvers.working_set import WorkingSet

__all__ = ["VarPro"]

FLAT_SHARE = 0.01  # of the root of the accuracy: derivatives whose squares are below it
LOCAL_FLOOR = 0.1  # of the largest factor, below which none starts where minima are local
INSIDE = 1e-4  # by which a gradient is below its limit for a block to be zero


@dataclass(frozen=True, slots=True)
class VarPro(SolverDefaults):
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
    >>> fit = gs.fit(X, y, groups=np.arange(40) // 4, lambda_=0.01, solver=gs.solvers.VarPro(20))
    >>> fit.selected(0.01)
    ['0']
    """

    memory: int = 10
    max_iter: int = 2000

    name: ClassVar[str] = "varpro"
    arithmetic: ClassVar[str] = "residual"  # a Gram matrix of all coordinates is of no use

    def __post_init__(self) -> None:
        check_iterations(self.memory, "memory")
        check_iterations(self.max_iter)

    def supports(self, problem: Problem) -> str | None:
        """Return None for penalties with a smooth form, else a sentence that says why not."""
        penalty, family = problem.penalty, problem.data.family
        if penalty.matrix:
            if family.hessian == "constant":
                return None
            return (
                f"the {penalty.title} is for a quadratic loss, and that of the {family.title} "
                "family is not; take family='mgaussian', or 'group_lasso' with shared classes."
            )
        if variational(penalty) is None:
            return (
                f"the {penalty.title} has no smooth form in one factor for each block; those that "
                "have one are 'group_lasso', 'group_elastic_net', 'lasso' and gs.GroupLq(q) of q "
                "above 2/3. Take solver='block_descent'."
            )
        return BlockDescent().supports(problem)

    def solve(self, problem: Problem, start: State, working: WorkingSet, task: Task) -> Solution:
        """Minimise over the task's groups; see :class:`grpsparse.solvers.protocol.Solver`."""
        part, finish = Part.of(problem, working, task), BlockDescent()
        if part is not None and problem.penalty.matrix:
            flat = _flat(part, start, task)
            return Solution(
                *least_trace(part, start, memory=self.memory, max_iter=self.max_iter, flat=flat)
            )
        form = variational(problem.penalty)
        if part is None or form is None:
            return finish.solve(problem, start, working, task)
        sizes = _sizes(part, start, form, refining=task.gradient is not None)
        if sizes is None:
            return finish.solve(problem, start, working, task)
        eliminate = elimination(problem, part.rows, part.free_rows)
        factors = Factors(eliminate, part.blocks.starts, part.level, form, part.height(start))
        least = minimum(
            factors,
            form.factor(sizes) / factors.unit,
            memory=self.memory,
            max_iter=self.max_iter,
            flat=_flat(part, start, task),
        )
        theta = least.found.theta
        if form.convex:  # the others take over at once what blocks near zero still explained
            theta = factors.at(np.where(least.push < 1.0 - INSIDE, 0.0, least.factor)).theta
        state = part.state(theta, eliminate.unpenalised(theta), start)
        closing = replace(task, gradient=part.gradient(state))
        done = finish.solve(problem, state, working, closing)
        return replace(done, n_iter=done.n_iter + factors.calls)


def _flat(part: Part, start: State, task: Task) -> float:
    """Return the derivative at which to stop, in units of the start's height.

    Half its square, about what is left to gain, is then below the accuracy.
    """
    share = task.accuracy * part.problem.scale / part.height(start)
    return FLAT_SHARE * float(np.sqrt(share))


def _sizes(part: Part, state: State, form: Variational, *, refining: bool) -> FloatArray | None:
    """Return norms of the blocks to start from, (G, K'), or None where all may stay at zero.

    Those of the point, or of a proximal step where they are zero and should not be. No factor
    leaves zero, so that all are raised from it, unless a point is refined whose zeros were found.
    """
    problem, blocks = part.problem, part.blocks
    norms = blocks.norms(part.theta(state))
    rows = np.maximum(blocks.sizes, 1)
    metric = segment_sums(part.working.scale[part.inside], blocks.starts) / rows
    curvature = problem.curvature * metric
    limit = problem.penalty.zero_limit(part.level, curvature)[:, None]
    excess = blocks.norms(part.correlation(state)) - limit
    climbing = (norms == 0) & (excess > EXCESS * limit)
    if not climbing.any() and not norms.any():
        return None
    sizes = np.where(climbing, excess / curvature[:, None], norms)
    if refining:
        return sizes
    floor = FLOOR if form.convex else LOCAL_FLOOR
    raised: FloatArray = np.maximum(sizes, floor**2 * sizes.max())
    return raised
