"""The pivotal lambda: what noise alone reaches, whatever its scale.

Where a family estimates the scale of the errors, the correlations at the null fit are those of
e / ||e||_W, e the errors orthogonal to the intercept and the unpenalised columns. For gaussian
errors their distribution holds nothing unknown, so it is simulated: with

    Lambda(e) = the smallest lambda at which every penalised group is zero, for the response e

(max_g ||Z_g'W e|| / (w_g ||e||_W) for the group lasso) lambda is c times the quantile of Lambda(e)
at 1 - level. Without any effects the fit then is empty with a probability of at least 1 - level.
An observation weight w_i says that the variance of e_i is sigma**2 / w_i.

References: Belloni, Chernozhukov & Wang (2011), doi:10.1093/biomet/asr043, for the rule, level and
c; Bunea, Lederer & She (2014), doi:10.1109/TIT.2013.2290040, for groups.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import isfinite
from typing import Any

import numpy as np

from grpsparse.errors import LambdaError
from grpsparse.families import ScaleFamily
from grpsparse.groups import FloatArray
from grpsparse.problem.problem import Problem

__all__ = ["PivotalLambda"]

BLOCK_ENTRIES = 4_000_000  # of draws held at a time


@dataclass(frozen=True, slots=True)
class PivotalLambda:
    """Rule for a lambda above what noise alone reaches.

    Parameters
    ----------
    level : float
        Probability with which noise may exceed the quantile, between 0 and 1.
    factor : float
        What multiplies the quantile, above 0; above 1 it covers that the errors are not the null
        fit's residuals where some effects are not zero.
    n_draws : int
        Number of simulated responses.
    seed : int
        Seed of the simulation, so that a fit can be repeated.

    Raises
    ------
    LambdaError
        A number out of its range.

    Examples
    --------
    >>> import grpsparse as gs
    >>> births = gs.datasets.load("birthwt")
    >>> rule = gs.PivotalLambda(level=0.2)
    >>> fit = gs.fit("bwt ~ race + smoke + ht", births, family="sqrt_gaussian", lambda_=rule)
    >>> bool(fit.lambda_[-1] == fit.lambda_pivotal), fit.selected("pivotal")
    (True, ['race', 'smoke', 'ht'])
    """

    level: float = 0.05
    factor: float = 1.1
    n_draws: int = 500
    seed: int = 0

    def __post_init__(self) -> None:
        if not _is_real(self.level) or not 0.0 < self.level < 1.0:
            raise LambdaError(f"`level` is {self.level!r}; it is between 0 and 1, such as 0.05.")
        if not _is_real(self.factor) or not 0.0 < self.factor < np.inf:
            raise LambdaError(f"`factor` is {self.factor!r}; it is a positive number, such as 1.1.")
        for name, least in (("n_draws", 1), ("seed", 0)):
            value = getattr(self, name)
            whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
            if not whole or value < least:
                raise LambdaError(f"`{name}` is {value!r}; it is a whole number from {least} up.")

    def of(self, problem: Problem) -> float:
        """Return the lambda of a problem.

        Raises
        ------
        LambdaError
            A family that does not estimate the scale of the errors.
        """
        reached = np.sort([problem.critical_lambda(each) for each in self._noise(problem)])
        place = int(np.ceil((1.0 - self.level) * reached.size)) - 1
        return self.factor * float(reached[max(place, 0)])

    def _noise(self, problem: Problem) -> Iterator[FloatArray]:
        """Yield the correlations (q, K) of every draw with the standardised design."""
        data, family = problem.data, problem.data.family
        if not isinstance(family, ScaleFamily):
            raise LambdaError(
                f"the {family.title} family does not estimate the scale of the errors, which a "
                'pivotal lambda needs; give family="sqrt_gaussian", or another `lambda_`.'
            )
        n, count = data.offset.shape
        rng = np.random.default_rng(self.seed)
        # rows draw in the order of their response, so that their own does not matter
        order = np.lexsort([data.weights, *(data.y - data.offset).T])
        order = order[data.weights[order] > 0]
        spread = 1.0 / np.sqrt(data.weights[order])
        size = max(1, BLOCK_ENTRIES // (n * count))
        for first in range(0, self.n_draws, size):
            width = min(size, self.n_draws - first) * count
            errors = np.zeros((n, width), order="F")
            errors.T[:, order] = rng.normal(size=(width, order.size)) * spread
            errors = problem.basis.project_out(errors, data.weights)
            for k in range(0, width, count):
                errors[:, k : k + count] = family.standardised(errors[:, k : k + count])
            found = problem.correlate(np.asfortranarray(errors))
            yield from (found[:, k : k + count] for k in range(0, width, count))


def _is_real(value: Any) -> bool:
    real = isinstance(value, int | float | np.integer | np.floating)
    return real and not isinstance(value, bool) and isfinite(value)
