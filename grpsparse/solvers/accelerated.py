"""Accelerated proximal gradient: one step for all blocks at once, with momentum.

Every iteration is two or three products with the columns of the working set and one proximal map
of all blocks. Convex penalties take FISTA, whose momentum is dropped where it points uphill.
Penalties of finite slope at 0 whose concave part is smooth are split into a group lasso and that
part. What is left (slopes that are infinite or jump, penalties of all norms together) takes the
global proximal map of the whole penalty and never lets the objective rise.

References: :mod:`grpsparse.solvers.recursions`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from grpsparse.solvers.composite import Composite
from grpsparse.solvers.legs import Legs, Limits, Reached
from grpsparse.solvers.recursions import Concave, monotone, restarted, split
from grpsparse.solvers.support import (
    check_choice,
    check_flag,
    check_iterations,
)

__all__ = ["Accelerated"]

RESTARTS = ("gradient", "function", "never")
STEPS = ("optimal", "classical")
SHARP = 10.0  # times the loss's curvature: a concave part that bends more would shorten steps


@dataclass(frozen=True, slots=True)
class Accelerated(Legs):
    """Accelerated proximal gradient steps of all blocks at once.

    Parameters
    ----------
    max_iter : int
        Largest number of iterations on the working set for one value of lambda.
    restart : {"gradient", "function", "never"}
        What drops the momentum of a convex problem: its angle with the step, a higher
        objective, or nothing.
    steps : {"optimal", "classical"}
        Step lengths where a nonconvex penalty is split.
    finish : bool
        Whether Newton's method gives the last digits on the active blocks where these are few.

    Raises
    ------
    OptionError
        An option out of its range.

    Examples
    --------
    >>> import grpsparse as gs
    >>> births = gs.datasets.load("birthwt")
    >>> fit = gs.fit("bwt ~ race + smoke", births, solver=gs.solvers.Accelerated(max_iter=500))
    >>> bool(fit.converged.all())
    True
    """

    max_iter: int = 20_000
    restart: str = "gradient"
    steps: str = "optimal"
    finish: bool = True

    name: ClassVar[str] = "accelerated"

    def __post_init__(self) -> None:
        check_choice("restart", self.restart, RESTARTS)
        check_choice("steps", self.steps, STEPS)
        check_iterations(self.max_iter)
        check_flag("finish", self.finish)

    def recursion(self, composite: Composite, at: Reached, limits: Limits) -> Reached:
        """Go on with what suits the penalty."""
        penalty = composite.problem.penalty
        if penalty.convex:
            return restarted(composite, at, limits, restart=self.restart)
        if penalty.steep or penalty.joint:
            return monotone(composite, at, limits)
        if Concave.of(composite).weak > SHARP * composite.curvature:
            return monotone(composite, at, limits)
        return split(composite, at, limits, steps=self.steps)
