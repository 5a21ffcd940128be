"""The first fit of an adaptive penalty, which gives the second its weights."""

from __future__ import annotations

from warnings import warn

import numpy as np

from grpsparse.backend import segment_sums
from grpsparse.errors import ConvergenceWarning
from grpsparse.groups import FloatArray
from grpsparse.path import Grid, fit_path
from grpsparse.penalties import AdaptivePenalty
from grpsparse.problem import Problem
from grpsparse.solvers import Solver

__all__ = ["adaptive_factors"]

ACCURATE = 1e-12  # certificate of the first fit, so that weights do not depend on the tolerance
SINGLE = 1e-5  # the same with columns in single precision
SHARE = 0.05  # of lambda_max, where the first fit ends
STEPS = 5  # values of lambda on the way there


def adaptive_factors(problem: Problem, penalty: AdaptivePenalty, *, solver: Solver) -> FloatArray:
    """Return what multiplies the penalty factors of the groups, (G,).

    Parameters
    ----------
    problem : Problem
        The first fit's, with the weights as they are.
    penalty : AdaptivePenalty
    solver : Solver
    """
    starts = problem.coordinates.starts
    if problem.lambda_max <= 0:  # nothing is penalised
        return np.ones(starts.size - 1)
    values = problem.lambda_max * np.geomspace(1.0, SHARE, STEPS)
    tol = ACCURATE if problem.dtype == np.float64 else SINGLE
    path = fit_path(problem, Grid(values, automatic=False), solver=solver, tol=tol)
    if not path.converged[-1]:
        warn(
            f"the first fit of the {penalty.title} ended at a certificate of "
            f"{path.certificate[-1]:.1e}, above {tol:g}, so its weights are less accurate; "
            "give the solver more iterations.",
            ConvergenceWarning,
            stacklevel=2,
        )
    squares = np.zeros(problem.coordinates.size)
    squares[path.active] = np.square(path.theta[-1]).sum(axis=1)
    norms = np.sqrt(segment_sums(squares, starts))
    return penalty.factors(np.where(problem.blocks.penalised, norms, 0.0))
