"""The lambdas of a path: made from lambda_max, or the user's."""

from __future__ import annotations

import numpy as np

from grpsparse.api.options import Options
from grpsparse.errors import LambdaError
from grpsparse.path import Grid
from grpsparse.problem import Problem

__all__ = ["make_grid"]

RATIO_TALL = 1e-4  # lambda_min_ratio with more rows than columns
RATIO_WIDE = 1e-2


def make_grid(options: Options, problem: Problem) -> Grid:
    """Return the grid of a problem.

    Raises
    ------
    LambdaError
        A lambda that is negative, not finite or not a number, or none at all.
    """
    if options.lambda_ is not None:
        return Grid(_given(options), False, options.max_terms)
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
    return Grid(values, True, options.max_terms)


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
