"""What a solver is: something that improves a point on a working set of groups."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ClassVar, Protocol, runtime_checkable

from grpsparse.groups import BoolArray, FloatArray
from grpsparse.problem import Problem, State
from grpsparse.solvers.working_set import WorkingSet

__all__ = ["Solution", "Solver", "SolverDefaults", "Task"]


@dataclass(frozen=True, slots=True)
class Task:
    """What a solver is to do.

    Parameters
    ----------
    lambda_ : float
    groups : ndarray of bool, shape (G,)
        Groups to improve, all of which the working set holds.
    accuracy : float
        Stop when an iteration promises less than this share of the null deviance.
    target : float
        The certificate wanted in the end, for steps that converge fast.
    gradient : ndarray of shape (m, K), optional
        Z'W(y - mu) of the working set at the start, in double precision and its basis.
    again : bool
        Whether the start is what the solver returned for this lambda before.
    look : callable, optional
        From a point to all groups to improve, those joining that zero is not optimal for, and
        to the gradient there. For solvers that are not done when one problem is solved.
    """

    lambda_: float
    groups: BoolArray
    accuracy: float
    target: float
    gradient: FloatArray | None = None
    again: bool = False
    look: Callable[[State], tuple[BoolArray, FloatArray]] | None = None


@dataclass(frozen=True, slots=True)
class Solution:
    """A point reached.

    Parameters
    ----------
    state : State
    n_iter : int
        Sweeps, or iterations of another kind, and Newton steps on the working set.
    exhausted : bool
        Whether the limit of iterations ended it.
    newton_steps : int
        Quadratic models that were built.
    stages : int
        Convex problems that were solved one after the other, each a majoriser of the problem;
        0 for a solver that has none.
    """

    state: State
    n_iter: int
    exhausted: bool = field(default=False, kw_only=True)
    newton_steps: int = field(default=0, kw_only=True)
    stages: int = field(default=0, kw_only=True)


@runtime_checkable
class Solver(Protocol):
    """A frozen object with the tuning of one algorithm."""

    @property
    def name(self) -> str:
        """Name under which it can be asked for."""

    @property
    def arithmetic(self) -> str:
        """What the sweeps update: ``"residual"``, ``"gram"``, ``"auto"`` for the cheaper of them.

        ``"exact"``: neither; products are taken with the columns in double precision, and the
        working set gathers none.
        """

    @property
    def ending(self) -> str | None:
        """What to print if it is meant to end before points are stationary, else None."""

    def supports(self, problem: Problem) -> str | None:
        """Return None, or a sentence that says why the problem is not for this solver."""

    def solve(self, problem: Problem, start: State, working: WorkingSet, task: Task) -> Solution:
        """Minimise over the task's groups.

        Parameters
        ----------
        problem : Problem
        start : State
        working : WorkingSet
        task : Task
        """


class SolverDefaults:
    """What is true of most solvers: they go on until points are stationary."""

    __slots__ = ()

    ending: ClassVar[str | None] = None
