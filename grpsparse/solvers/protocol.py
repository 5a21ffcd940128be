"""What a solver is: it improves a point on a working set and says how far it came."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from grpsparse.groups import BoolArray
from grpsparse.problem import Problem, State
from grpsparse.solvers.working_set import WorkingSet

__all__ = ["Solution", "Solver"]


@dataclass(frozen=True, slots=True)
class Solution:
    """A point and the work it took.

    Parameters
    ----------
    state : State
    n_iter : int
        Sweeps over the blocks plus Newton steps.
    exhausted : bool
        Whether the solver's own limit on iterations ended it.
    """

    state: State
    n_iter: int
    exhausted: bool


class Solver(Protocol):
    """Minimises a problem over the groups of a working set."""

    @property
    def name(self) -> str:
        """Name under which it can be asked for."""

    def supports(self, problem: Problem) -> str | None:
        """Return None, or a sentence that says why the problem is not for this solver."""

    def solve(
        self,
        problem: Problem,
        lambda_: float,
        start: State,
        working: WorkingSet,
        groups: BoolArray,
        *,
        accuracy: float,
        target: float,
    ) -> Solution:
        """Minimise over `groups`, all of which `working` holds.

        Parameters
        ----------
        problem : Problem
        lambda_ : float
        start : State
        working : WorkingSet
        groups : ndarray of bool, shape (G,)
        accuracy : float
            Stop when an iteration promises less than this share of the null deviance.
        target : float
            The certificate wanted in the end, for steps that converge fast.
        """
