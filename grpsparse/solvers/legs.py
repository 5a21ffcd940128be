"""What first-order solvers share: legs of a recursion, between which Newton's method finishes.

A recursion finds the active blocks; there the objective is smooth, and Newton's method gives
the last digits where the system is small. A penalty with infinite slope at 0, whose certificate
looks at proximal points of single blocks, gets steps of single blocks in between: a fixed point
of the step 1 / L of all blocks need not be one of 1 / L_g. A steep penalty of all norms gets them
out of zero, a constraint on the number of groups a subset to start from, and exchanges in between.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import ClassVar, Protocol, cast

import numpy as np

from grpsparse.groups import FloatArray
from grpsparse.penalties import JointPenalty
from grpsparse.problem import Problem, State
from grpsparse.solvers.composite import Composite
from grpsparse.solvers.exchange import Subsets
from grpsparse.solvers.protocol import Solution, SolverDefaults, Task
from grpsparse.solvers.support import endless, not_of_norms, unbounded
from grpsparse.solvers.sweeps import Sweeps
from grpsparse.solvers.working_set import WorkingSet

__all__ = ["Legs", "Limits", "Reached"]

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


class Legs(SolverDefaults, ABC):
    """A solver that minimises by legs of its recursion.

    Attributes
    ----------
    max_iter : int
    finish : bool
        Whether Newton's method may be taken on the active blocks.
    """

    __slots__ = ()

    max_iter: int
    finish: bool
    arithmetic: ClassVar[str] = "exact"

    @abstractmethod
    def recursion(self, composite: Composite, at: Reached, limits: Limits) -> Reached:
        """Go on from a point; see :class:`Reached`."""

    def supports(self, problem: Problem) -> str | None:
        """Refuse what is not of norms, or lacks a bound on the curvature or a minimum."""
        return not_of_norms(problem) or unbounded(problem) or endless(problem)

    def solve(self, problem: Problem, start: State, working: WorkingSet, task: Task) -> Solution:
        """Minimise over the task's groups; see :class:`grpsparse.solvers.protocol.Solver`."""
        composite = Composite(problem, start, working, task)
        between = _between(composite)
        x, steps = between.opened(composite.point(start))
        at = Reached(x, 0, settled=False, stiffness=0.0)
        used, patience = 0, PATIENCE
        finish = self.finish and composite.alone  # Newton's method knows no other groups
        while composite.rows.shape[0] and used < self.max_iter:
            limits = Limits(min(self.max_iter - used, patience), task.accuracy * problem.scale)
            at = self.recursion(composite, at, limits)
            used += at.n_iter
            if at.settled:
                moved = between.moved(at.x)
                if moved is None:
                    break
                at = replace(at, x=moved[0], settled=False)
                steps += moved[1]
            elif finish:
                state, taken = _finished(problem, composite.state(at.x), working, task, 0.0)
                at = Reached(composite.point(state), 0, settled=False, stiffness=at.stiffness)
                steps += taken
            patience *= 2
        state = composite.state(at.x)
        if finish:
            state, taken = _finished(problem, state, working, task, task.accuracy)
            steps += taken
        out_of = bool(composite.rows.shape[0]) and not at.settled
        return Solution(state, used + steps, exhausted=out_of, newton_steps=steps)


def _finished(
    problem: Problem, state: State, working: WorkingSet, task: Task, accuracy: float
) -> tuple[State, int]:
    """Return the point after Newton's method on the active blocks, and its steps."""
    work = Sweeps(problem, state, working, task)
    taken = work.finish(accuracy)
    if not work.exact:
        work.refresh()
    return work.state(), taken


class _Between(Protocol):
    """Moves that a recursion does not find, each to a point with the Newton steps it took."""

    def opened(self, x: FloatArray) -> tuple[FloatArray, int]:
        """Return where to begin."""

    def moved(self, x: FloatArray) -> tuple[FloatArray, int] | None:
        """Return a better point than one where the recursion stands, None where there is none."""


def _between(composite: Composite) -> _Between:
    """Return the moves that suit a penalty."""
    penalty = composite.problem.penalty
    most = cast(JointPenalty, penalty).most if penalty.joint else None
    if most is not None and composite.blocks.weight.size:
        return Subsets(composite, most)
    if penalty.steep:
        return _OutOfZero(composite) if penalty.joint else _SingleSteps(composite)
    return _Nothing()


@dataclass(frozen=True, slots=True)
class _Nothing:
    """No moves at all."""

    def opened(self, x: FloatArray) -> tuple[FloatArray, int]:
        """Return the point itself."""
        return x, 0

    def moved(self, x: FloatArray) -> None:
        """Return None."""


@dataclass(frozen=True, slots=True)
class _OutOfZero:
    """The first group of a penalty of all norms, whose price a step of all may not find worth."""

    composite: Composite

    def opened(self, x: FloatArray) -> tuple[FloatArray, int]:
        """Return the point with one group where there was none."""
        moved = self.composite.out_of_zero(x)
        return (x, 0) if moved is None else (moved, 0)

    def moved(self, x: FloatArray) -> tuple[FloatArray, int] | None:
        """Return the same, None where nothing changes."""
        moved = self.composite.out_of_zero(x)
        return None if moved is None else (moved, 0)


@dataclass(frozen=True, slots=True)
class _SingleSteps:
    """Proximal steps of single blocks."""

    composite: Composite

    def opened(self, x: FloatArray) -> tuple[FloatArray, int]:
        """Return the point itself."""
        return x, 0

    def moved(self, x: FloatArray) -> tuple[FloatArray, int] | None:
        """Take the step of the block that gains most by itself, if one gains."""
        gains, moved = self.composite.single_steps(x)
        if not gains.size:
            return None
        best = int(np.argmax(gains))
        if not gains.flat[best] > SLACK * self.composite.problem.scale:
            return None
        return self.composite.with_block(x, moved, best), 0
