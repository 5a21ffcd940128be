"""Which groups to look at: strong rules before, optimality conditions after.

The sequential strong rule keeps a group for lambda if zero would not be optimal for it at
2 lambda - lambda_previous. It can be wrong, so every group outside is checked afterwards with
the exact conditions, and joins when it violates them.

Reference: Tibshirani et al. (2012), doi:10.1111/j.1467-9868.2011.01004.x.
"""

from __future__ import annotations

import numpy as np

from grpsparse.groups import BoolArray, FloatArray
from grpsparse.problem import Problem, State

__all__ = ["active_groups", "strong_set", "violators"]


def active_groups(problem: Problem, state: State) -> BoolArray:
    """Return which groups have a nonzero coefficient, (G,)."""
    return np.asarray((problem.blocks.norms(state.theta) > 0).any(axis=1))


def strong_set(
    problem: Problem, state: State, correlation: FloatArray, lambda_: float, previous: float
) -> BoolArray:
    """Return the groups to sweep at lambda: active, unpenalised, or kept by the strong rule."""
    swept = active_groups(problem, state) | ~problem.blocks.penalised
    if swept.all():
        return swept
    screen = max(0.0, 2.0 * lambda_ - previous)
    return swept | ~problem.blocks.zero_is_optimal(problem.penalty, correlation, screen)


def violators(
    problem: Problem, correlation: FloatArray, lambda_: float, outside: BoolArray
) -> BoolArray:
    """Return the groups outside the working set for which zero is not optimal."""
    return outside & ~problem.blocks.zero_is_optimal(problem.penalty, correlation, lambda_)
