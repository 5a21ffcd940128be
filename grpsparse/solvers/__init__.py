"""Solvers: each improves a point on a working set of groups."""

from __future__ import annotations

from collections.abc import Callable
from difflib import get_close_matches

from grpsparse.errors import OptionError, lacking
from grpsparse.solvers.accelerated import Accelerated
from grpsparse.solvers.admm import ADMM
from grpsparse.solvers.arithmetic import by_gram, by_moments
from grpsparse.solvers.block_descent import BlockDescent
from grpsparse.solvers.interpolate import Interpolant, interpolate
from grpsparse.solvers.latent_dual import LatentDual
from grpsparse.solvers.overlapping import Overlapping
from grpsparse.solvers.protocol import Solution, Solver, SolverDefaults, Task
from grpsparse.solvers.reweighted import Reweighted
from grpsparse.solvers.store import Store
from grpsparse.solvers.varpro import VarPro
from grpsparse.solvers.working_set import WorkingSet, grown_to

__all__ = ["ADMM", "Accelerated", "BlockDescent", "Interpolant", "LatentDual", "Overlapping"]
__all__ += ["Reweighted", "Solution", "Solver", "SolverDefaults", "Store", "Task", "VarPro"]
__all__ += ["WorkingSet", "by_gram", "by_moments", "get", "grown_to", "interpolate", "names"]

_SOLVERS: dict[str, Callable[[], Solver]] = {
    "block_descent": BlockDescent,
    "accelerated": Accelerated,
    "admm": ADMM,
    "reweighted": Reweighted,
    "varpro": VarPro,
    "latent_dual": LatentDual,
    "overlapping": Overlapping,
}


def names() -> tuple[str, ...]:
    """Return the names that ``solver=`` takes besides ``"auto"``."""
    return tuple(_SOLVERS)


def get(solver: str | Solver) -> Solver:
    """Return a solver by name; an object passes through.

    Raises
    ------
    OptionError
        A name that no solver has.
    """
    if not isinstance(solver, str):
        if isinstance(solver, type) or not isinstance(solver, Solver):
            raise OptionError(
                f"solver={solver!r} is neither a name nor a solver object. "
                f"{lacking(solver, Solver)}Give one of "
                f"{', '.join(map(repr, names()))}, or an object such as BlockDescent()."
            )
        return solver
    if solver not in _SOLVERS:
        near = get_close_matches(solver, _SOLVERS, n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise OptionError(f"no solver is called {solver!r}; {hint}names: {', '.join(_SOLVERS)}.")
    return _SOLVERS[solver]()
