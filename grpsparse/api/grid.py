"""The lambdas of a path: made from lambda_max, or the user's.

Of a family that estimates the scale of the errors the path made from lambda_max holds the pivotal
lambda too; it may be where the path ends.
"""

from __future__ import annotations

import numpy as np

from grpsparse.api.options import Options
from grpsparse.errors import LambdaError
from grpsparse.families import ScaleFamily
from grpsparse.path import Grid
from grpsparse.problem import PivotalLambda, Problem

__all__ = ["data_choose", "grid_length", "make_grid"]

RATIO_TALL = 1e-4  # lambda_min_ratio with more rows than columns
RATIO_WIDE = 1e-2


def data_choose(options: Options) -> bool:
    """Return whether the values of lambda come from the data."""
    return options.lambda_ is None or isinstance(options.lambda_, str | PivotalLambda)


def grid_length(options: Options) -> int:
    """Return how many values of lambda are expected."""
    return options.n_lambda if data_choose(options) else int(np.size(options.lambda_))


def make_grid(options: Options, problem: Problem) -> Grid:
    """Return the grid of a problem.

    Raises
    ------
    LambdaError
        A lambda that is negative, not finite or not a number, or none at all.
    """
    if not data_choose(options):
        return Grid(_given(options), False, options.max_terms)
    if options.lambda_ is not None:
        return _down_to_pivotal(options, problem)
    if problem.lambda_max <= 0:  # nothing is penalised, so every lambda is the same fit
        return Grid(np.zeros(1), False, options.max_terms)
    if problem.penalty.constraint:  # every lambda above 0 is the same problem
        return Grid(np.array([problem.lambda_max]), False, options.max_terms)
    ratio = options.lambda_min_ratio
    if ratio is None:
        n, p = problem.coordinates.design.shape
        ratio = RATIO_TALL if n > p else RATIO_WIDE
    values = problem.lambda_max * np.geomspace(1.0, ratio, options.n_lambda)
    values[0] = problem.lambda_max
    if not isinstance(problem.data.family, ScaleFamily):
        return Grid(values, True, options.max_terms)
    pivotal = PivotalLambda().of(problem)
    if pivotal < problem.lambda_max:  # from there on every group is zero
        values = np.unique([*values, pivotal])[::-1].copy()
    return Grid(values, True, options.max_terms, pivotal)


def _down_to_pivotal(options: Options, problem: Problem) -> Grid:
    """Return the grid from lambda_max to the pivotal lambda, which is alone where it is larger."""
    rule = options.lambda_
    if rule == "pivotal":
        rule = PivotalLambda()
    elif isinstance(rule, str):
        raise LambdaError(
            f"`lambda_` is {rule!r}; give a number, a sequence of them, 'pivotal' or a "
            "gs.PivotalLambda."
        )
    pivotal: float = rule.of(problem)
    if problem.lambda_max <= pivotal:
        return Grid(np.array([pivotal]), False, options.max_terms, pivotal)
    values = np.geomspace(problem.lambda_max, pivotal, options.n_lambda)
    values[0], values[-1] = problem.lambda_max, pivotal
    return Grid(values, False, options.max_terms, pivotal)


def _given(options: Options) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    given = options.lambda_
    kinds = {type(each) for each in np.ravel(np.asarray(given, dtype=object))}
    if kinds & {str, bool, np.bool_, np.str_}:
        raise LambdaError(f"`lambda_` is {given!r}; give a number or a sequence of them.")
    try:
        values = np.atleast_1d(np.asarray(given, dtype=np.float64))
    except (TypeError, ValueError):
        raise LambdaError(f"`lambda_` is {given!r}; give a number or a sequence of them.") from None
    if values.ndim != 1 or not values.size:
        raise LambdaError(
            f"`lambda_` has shape {values.shape}; give one number or a flat sequence."
        )
    bad = ~np.isfinite(values) | (values < 0)
    if bad.any():
        raise LambdaError(
            f"`lambda_` has {values[bad][0]:g}; every lambda is finite and at least 0."
        )
    return np.sort(values)[::-1].copy()
