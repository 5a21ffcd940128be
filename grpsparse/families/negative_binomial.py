"""Negative binomial family with the log link: loss y log(1 + t / mu) + t log(1 + mu / t).

The mean is mu = exp(eta), the variance mu + mu**2 / t: counts with more spread than Poisson's,
which is the limit of large t = theta. For a given theta minus the log likelihood is this loss,
convex in eta, and a constant. With u = eta - log t it is y softplus(-u) + t softplus(u), where
nothing overflows and, however large the counts, nothing cancels.

References: McCullagh & Nelder (1989), Generalized Linear Models; Venables & Ripley (2002),
Modern Applied Statistics with S, section 7.4.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from math import log
from typing import ClassVar, Self

import numpy as np

from grpsparse.backend import Array, exp, namespace
from grpsparse.backend import log1p as log1p_of_shares
from grpsparse.errors import FamilyError, ResponseError
from grpsparse.families.dispersion import theta_ml, theta_of_constant_mean
from grpsparse.families.entropy import capped, dual_slack, safe_log
from grpsparse.families.numbers import positive
from grpsparse.groups import FloatArray

__all__ = ["NegativeBinomial"]


def _part_log(part: Array, other: Array, whole: Array) -> Array:
    """Return part log(part / whole), by log1p of the other part where that is the smaller one."""
    xp = namespace(part)
    near = xp.log1p(-xp.minimum(other / whole, 0.5))
    return part * xp.where(part > other, near, safe_log(part) - safe_log(whole))


@dataclass(frozen=True, slots=True)
class NegativeBinomial:
    """Negative binomial family with the log link.

    Parameters
    ----------
    theta : float, optional
        Shape, above 0: the variance is mu + mu**2 / theta (R's ``theta``, 1 / ``alpha`` of
        statsmodels). Left out, it is estimated by maximum likelihood together with an intercept,
        beside the offset. What the terms would explain counts as dispersion there, so that this
        theta is rather small; :meth:`estimated` gives the one of a fit, for the next fit.
    origin : str
        How `theta` came about, where it was left out.

    Raises
    ------
    FamilyError
        A theta that is no positive number.

    Examples
    --------
    >>> NegativeBinomial(theta=2.0).gradient(np.array([[3.0]]), np.array([[0.0]]))
    array([[-1.33333333]])
    """

    theta: float | None = None
    origin: str = field(default="", kw_only=True, repr=False, compare=False)

    name: ClassVar[str] = "negative_binomial"
    hessian: ClassVar[str] = "diagonal"
    rescale: ClassVar[float | None] = None
    curvature_bound: ClassVar[float | None] = None
    default_measure: ClassVar[str] = "deviance"

    def __post_init__(self) -> None:
        if self.theta is not None:
            advice = "Give 1 / alpha where the variance is mu + alpha mu**2, or leave it out."
            object.__setattr__(self, "theta", positive(self.theta, "theta", advice))

    @classmethod
    def estimated(
        cls, y: FloatArray, mu: FloatArray, weights: FloatArray | None = None
    ) -> NegativeBinomial:
        """Return the family with theta of greatest likelihood at given means.

        Parameters
        ----------
        y, mu : array_like of shape (n,)
            Counts, and the means of a fit.
        weights : array_like of shape (n,), optional

        Raises
        ------
        FamilyError
            Where the counts spread no more than Poisson's.
        """
        share = np.ones(np.shape(y)) if weights is None else np.asarray(weights, dtype=np.float64)
        theta = theta_ml(np.asarray(y, dtype=np.float64), np.asarray(mu, dtype=np.float64), share)
        return cls(theta, origin=f"theta: {theta:.6g}, by maximum likelihood at given means")

    @property
    def title(self) -> str:
        """Name with theta, where it is known."""
        if self.theta is None:
            return "Negative binomial"
        return f"Negative binomial (theta {self.theta:.4g})"

    def for_data(self, y: FloatArray, weights: FloatArray, offset: FloatArray) -> Self:
        """Return the family with theta estimated beside an intercept and the offset."""
        if self.theta is not None:
            return self
        theta = theta_of_constant_mean(y[:, 0], weights, offset[:, 0])
        origin = f"theta: {theta:.6g}, by maximum likelihood with an intercept alone"
        return replace(self, theta=theta, origin=origin)

    @property
    def _theta(self) -> float:
        if self.theta is None:
            raise FamilyError(
                "`theta` is open; give NegativeBinomial(theta=...), or fit: data choose it."
            )
        return self.theta

    def _shares(self, eta: Array) -> tuple[Array, Array]:
        """Return mu / (mu + theta) and theta / (mu + theta), to full relative accuracy."""
        against = exp(-capped(-capped(log(self._theta) - eta)))
        share = 1.0 / (1.0 + against)
        return share, against * share

    def loss(self, y: Array, eta: Array) -> Array:
        """Return y log(1 + theta / mean) + theta log(1 + mean / theta) of every row."""
        xp = namespace(eta)
        u = eta - log(self._theta)
        least = log1p_of_shares(exp(-xp.abs(u)))
        up, down = xp.maximum(u, 0.0) + least, xp.maximum(-u, 0.0) + least
        return xp.sum(y * down + self._theta * up, axis=1)

    def gradient(self, y: Array, eta: Array) -> Array:
        """Return theta (mean - y) / (mean + theta)."""
        share, rest = self._shares(eta)
        return self._theta * share - y * rest

    def curvature(self, y: Array, eta: Array) -> Array:
        """Return (y + theta) mu theta / (mu + theta)**2."""
        share, rest = self._shares(eta)
        return (y + self._theta) * share * rest

    def variance(self, eta: Array) -> Array:
        """Return mean + mean**2 / theta."""
        mean = self.mean(eta)
        return mean * (1.0 + mean / self._theta)

    def slope(self, eta: Array) -> Array:
        """Return the mean."""
        return self.mean(eta)

    def mean(self, eta: Array) -> Array:
        """Return exp(eta)."""
        return exp(capped(eta))

    def link(self, mu: Array) -> Array:
        """Return log(mu), about -708 at 0."""
        return safe_log(mu)

    def saturated_loss(self, y: Array) -> Array:
        """Return y log(1 + theta / y) + theta log(1 + y / theta)."""
        xp = namespace(y)
        down = y * xp.log1p(self._theta / xp.where(y > 0.0, y, 1.0))
        return xp.sum(down + self._theta * xp.log1p(y / self._theta), axis=1)

    def conjugate(self, y: Array, theta: Array, offset: Array | float) -> Array:
        """Return q log(q / m) + p log(p / m) + theta (offset - log t).

        With t the family's theta, q = y - theta and p = t + theta, both at least 0, m = p + q.
        """
        xp = namespace(theta)
        size = y + self._theta
        slack = dual_slack(theta)
        q, p = y - theta, self._theta + theta
        inside = (q >= -slack * (1.0 + y)) & (p >= -slack * (1.0 + self._theta))
        q, p = xp.maximum(q, 0.0), xp.maximum(p, 0.0)
        value = _part_log(q, p, size) + _part_log(p, q, size)
        value = value + theta * (offset - log(self._theta))
        return xp.sum(xp.where(inside, value, xp.inf), axis=1)

    def deviance(self, y: Array, mu: Array) -> Array:
        """Return 2 (y log(y / mu) - (y + theta) log((y + theta) / (mu + theta))) of every row."""
        xp = namespace(mu)
        theta, some = self._theta, xp.where(y > 0.0, y, 1.0)
        mu = exp(-capped(-safe_log(mu)))  # its inverse is finite
        total = y * xp.log1p(theta * (some - mu) / (mu * (some + theta)))
        ratio = (y - mu) / (mu + theta)
        logs = xp.where(  # by log1p where y and mu are close
            ratio > -0.5,
            xp.log1p(xp.maximum(ratio, -0.5)),
            safe_log(y + theta) - safe_log(mu + theta),
        )
        return 2.0 * xp.sum(total - theta * logs, axis=1)

    def check_response(self, y: Array, weights: Array, *, name: str = "the response") -> None:
        """Raise ResponseError for negative or all-zero counts."""
        xp = namespace(y)
        seen = y[weights > 0]
        low, high = float(xp.min(seen)), float(xp.max(seen))
        if low < 0.0:
            raise ResponseError(
                f"{name} has the value {low:g}; a negative binomial response is not negative."
            )
        if high == 0.0:
            raise ResponseError(
                f"{name} is 0 in every row of positive weight; a negative binomial fit needs a "
                "positive count, else its intercept is -infinity."
            )
