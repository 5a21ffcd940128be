"""The shape theta of negative binomial counts by maximum likelihood.

With means mu the score in theta is

    sum_i w_i [psi(theta + y_i) - psi(theta) - log(1 + mu_i / theta)
               - (y_i - mu_i) / (theta + mu_i)]

and has its root where the counts spread more than Poisson's. Beside an intercept the means move
with theta; at the best intercept the score of the profile is the one above.

References: Levin & Reeds (1977), doi:10.1214/aos/1176343736, for the root of a constant mean.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from grpsparse.errors import FamilyError
from grpsparse.groups import FloatArray

__all__ = ["theta_ml", "theta_of_constant_mean"]

SMALLEST, LARGEST = 1e-8, 1e6  # beyond it rounding hides the score
ACCURACY = 1e-13  # of log theta
MOST_STEPS = 100


def theta_ml(y: FloatArray, mu: FloatArray, weights: FloatArray) -> float:
    """Return theta of greatest likelihood for counts y (n,) with means mu (n,).

    Raises
    ------
    FamilyError
        Where the counts spread no more than Poisson's.
    """
    return _root(lambda theta: _score(theta, y, mu, weights))


def theta_of_constant_mean(y: FloatArray, weights: FloatArray, offset: FloatArray) -> float:
    """Return theta of greatest likelihood together with an intercept, beside an offset.

    Raises
    ------
    FamilyError
        Where the counts spread no more than Poisson's.
    """
    both, where = np.unique(np.stack([y, offset]), axis=1, return_inverse=True)
    y, offset = both
    share = np.bincount(where.ravel(), weights=weights) / weights.sum()
    top = float(offset.max())
    level = np.log(share @ y) - np.log(share @ np.exp(offset - top)) - top
    return _root(lambda theta: _score(theta, y, _means(theta, y, share, offset, level), share))


def _means(
    theta: float, y: FloatArray, share: FloatArray, offset: FloatArray, level: float
) -> FloatArray:
    """Return the means of the best intercept for a theta, by Newton's method on its score."""
    size = np.inf
    for _ in range(MOST_STEPS):
        mu: FloatArray = np.exp(level + offset)
        each = share * theta / (theta + mu)
        step = float(each @ (y - mu)) / float(each @ ((y + theta) * mu / (theta + mu)))
        if abs(step) >= size and abs(step) < 1e-8:
            break
        size = abs(step)
        level += float(np.clip(step, -1.0, 1.0))
    return mu


def _score(theta: float, y: FloatArray, mu: FloatArray, weights: FloatArray) -> float:
    from scipy.special import digamma

    ratio = (y - mu) / (theta + mu)
    each = digamma(theta + y) - digamma(theta) - np.log1p(mu / theta) - ratio
    return float(weights @ each)


def _root(score: Callable[[float], float]) -> float:
    """Return the theta at which a score that falls through zero is zero."""
    from scipy.optimize import brentq

    def at(log_theta: float) -> float:
        return score(float(np.exp(log_theta)))

    low = high = 0.0
    while at(low) < 0.0 and low > np.log(SMALLEST):
        low -= 1.0
    while at(high) > 0.0 and high < np.log(LARGEST):
        high += 1.0
    if not at(low) > 0.0 > at(high):
        raise FamilyError(
            "the counts spread no more than a Poisson model says, so theta has no finite "
            'estimate; give family="poisson", or gs.families.NegativeBinomial(theta=...).'
        )
    return float(np.exp(brentq(at, low, high, xtol=ACCURACY)))
