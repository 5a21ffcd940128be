"""What first-order solvers share: legs of a recursion, between which Newton's method finishes.

A recursion finds the active blocks; there the objective is smooth, and Newton's method gives
the last digits where the system is small. A penalty with infinite slope at 0, whose certificate
looks at proximal points of single blocks, gets steps of single blocks in between: a fixed point
of the step 1 / L of all blocks need not be one of 1 / L_g.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from grpsparse.groups import FloatArray
from grpsparse.problem import Problem, State
from grpsparse.solvers.composite import Composite
from grpsparse.solvers.protocol import Solution, Task
from grpsparse.solvers.sweeps import Sweeps
from grpsparse.solvers.working_set import WorkingSet

__all__ = ["Limits", "Reached", "Recursion", "minimise"]

PATIENCE = 100  # iterations before Newton's method is tried in between
SLACK = 1e-9  # relative, by which a block's step has to lower what it is meant to


@dataclass(frozen=True, slots=True)
class Limits:
    """When a recursion ends.

    Parameters
    ----------
    most : int
        Iterations.
    enough : float
        Gain that another step has to promise.
    """

    most: int
    enough: float


@dataclass(frozen=True, slots=True)
class Reached:
    """Where a recursion ended.

    Parameters
    ----------
    x : ndarray of shape (u + m, K)
    n_iter : int
    settled : bool
        Whether it promises no more than enough.
    stiffness : float
        Weight of the quadratic term of a step to go on with, L or rho; 0 before the first leg.
    """

    x: FloatArray
    n_iter: int
    settled: bool
    stiffness: float


Recursion = Callable[[Composite, Reached, Limits], Reached]


def minimise(
    problem: Problem,
    start: State,
    working: WorkingSet,
    task: Task,
    *,
    recursion: Recursion,
    max_iter: int,
    finish: bool,
) -> Solution:
    """Minimise over the task's groups by legs of a recursion.

    Parameters
    ----------
    problem, start, working, task
        As of :meth:`grpsparse.solvers.protocol.Solver.solve`.
    recursion : callable
        Goes on from a point; see :class:`Reached`.
    max_iter : int
    finish : bool
        Whether Newton's method may be taken on the active blocks.
    """
    composite = Composite(problem, start, working, task)
    at = Reached(composite.point(start), 0, settled=False, stiffness=0.0)
    used, steps, patience = 0, 0, PATIENCE
    while composite.rows.shape[0] and used < max_iter:
        limits = Limits(min(max_iter - used, patience), task.accuracy * problem.scale)
        at = recursion(composite, at, limits)
        used += at.n_iter
        if at.settled:
            alone = problem.penalty.steep and not problem.penalty.joint
            moved = _single_steps(composite, at) if alone else None
            if moved is None:
                break
            at = moved
        elif finish:
            state, taken = _finished(problem, composite.state(at.x), working, task, accuracy=0.0)
            at = Reached(composite.point(state), 0, settled=False, stiffness=at.stiffness)
            steps += taken
        patience *= 2
    state = composite.state(at.x)
    if finish:
        state, taken = _finished(problem, state, working, task, accuracy=task.accuracy)
        steps += taken
    out_of = bool(composite.rows.shape[0]) and not at.settled
    return Solution(state, used + steps, exhausted=out_of, newton_steps=steps)


def _finished(
    problem: Problem, state: State, working: WorkingSet, task: Task, *, accuracy: float
) -> tuple[State, int]:
    """Return the point after Newton's method on the active blocks, and its steps."""
    work = Sweeps(problem, state, working, task)
    taken = work.finish(accuracy)
    if not work.exact:
        work.refresh()
    return work.state(), taken


def _single_steps(composite: Composite, at: Reached) -> Reached | None:
    """Take the step of the block that gains most by itself, or return None where none gains."""
    gains, moved = composite.single_steps(at.x)
    if not gains.size:
        return None
    best = int(np.argmax(gains))
    if not gains.flat[best] > SLACK * composite.problem.scale:
        return None
    return Reached(
        composite.with_block(at.x, moved, best), at.n_iter, settled=False, stiffness=at.stiffness
    )
