"""What solvers refuse, and how they check their options."""

from __future__ import annotations

from typing import cast

from grpsparse.errors import OptionError
from grpsparse.penalties import JointPenalty
from grpsparse.problem import Problem

__all__ = [
    "check_choice",
    "check_flag",
    "check_iterations",
    "check_sweeps",
    "endless",
    "not_of_norms",
    "together",
    "unbounded",
]

ARITHMETICS = ("auto", "residual", "gram")


def unbounded(problem: Problem) -> str | None:
    """Return why a problem is not for solvers of blocks, None where it is.

    Norms of overlapping groups are no blocks. A penalty that judges zeros by a proximal step needs
    a bound on the curvature of the loss.
    """
    penalty, family = problem.penalty, problem.data.family
    if penalty.overlapping:
        return (
            f"the groups of the {penalty.title} overlap; take 'overlapping', or leave `solver` out."
        )
    if not penalty.steep or family.curvature_bound is not None:
        return None
    near = "'group_l1_l2'" if penalty.joint else "'group_cel0', 'group_log_sum' or 'group_mcp'"
    return (
        f"the {penalty.title} judges zeros by a proximal step, whose length needs a bound on "
        f"the curvature of the loss, and that of the {family.title} family has none; take {near}."
    )


def together(problem: Problem) -> str | None:
    """Return why a problem cannot be solved block by block, None where it can."""
    penalty = problem.penalty
    if not penalty.joint:
        return None
    return (
        f"the {penalty.title} is one penalty of all groups, and steps of single blocks stop where "
        f"none of them can move alone; take solver={penalty.solver!r}."
    )


def endless(problem: Problem) -> str | None:
    """Return why an objective has no minimum, None where it may have one.

    The softmax does not see a shift of all classes. A penalty that falls as norms grow does, and
    where classes have groups of their own it cannot be held fixed without undoing zeros.
    """
    penalty, family = problem.penalty, problem.data.family
    growing = penalty.joint and cast(JointPenalty, penalty).growing
    if not growing or problem.blocks.shared or family.hessian != "softmax":
        return None
    return (
        f"with separate classes the {penalty.title} falls without end as all classes are shifted, "
        "which the softmax does not see; take class_groups='shared', or 'group_l1_l2'."
    )


def not_of_norms(problem: Problem) -> str | None:
    """Return why a solver that knows blocks by their norms refuses a penalty, or None."""
    penalty = problem.penalty
    if penalty.nested:
        return (
            f"in the {penalty.title} a coefficient's penalty depends on its group's other "
            "coefficients; take solver='reweighted'."
        )
    if penalty.matrix:
        return f"the {penalty.title} does not split into blocks; take solver='varpro'."
    return None


def check_sweeps(max_iter: int, arithmetic: str) -> None:
    """Raise OptionError for the options that solvers of sweeps share."""
    check_choice("arithmetic", arithmetic, ARITHMETICS)
    check_iterations(max_iter)


def check_iterations(max_iter: int, name: str = "max_iter", otherwise: str = "") -> None:
    """Raise OptionError for a limit that is no whole number of at least 1, or what else it is."""
    if isinstance(max_iter, bool) or not isinstance(max_iter, int) or max_iter < 1:
        raise OptionError(f"{name}={max_iter!r}; give a whole number of at least 1{otherwise}.")


def check_choice(name: str, value: str, allowed: tuple[str, ...]) -> None:
    """Raise OptionError for a value that is none of those allowed."""
    if value not in allowed:
        raise OptionError(f"{name}={value!r}; it is one of {', '.join(map(repr, allowed))}.")


def check_flag(name: str, value: bool) -> None:
    """Raise OptionError for what is neither True nor False."""
    if not isinstance(value, bool):
        raise OptionError(f"{name}={value!r}; it is True or False.")
