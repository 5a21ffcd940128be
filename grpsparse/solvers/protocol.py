"""What a solver is: something that improves a point on a working set of groups."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from grpsparse.groups import BoolArray, FloatArray
from grpsparse.problem import Problem, State
from grpsparse.solvers.working_set import WorkingSet

__all__ = ["Solution", "Solver", "Task"]


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
    """

    lambda_: float
    groups: BoolArray
    accuracy: float
    target: float
    gradient: FloatArray | None = None


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
    """

    state: State
    n_iter: int
    exhausted: bool = field(default=False, kw_only=True)
    newton_steps: int = field(default=0, kw_only=True)


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
