"""Negative binomial family with the log link: loss (y + t) log(1 + exp(eta) / t) - y eta.

The mean is exp(eta), the variance mu + mu**2 / t: counts with more spread than Poisson's, which
is the limit of large t = theta. For a given theta the loss is convex in eta, and with
u = eta - log t it is (y + t) softplus(u) - y eta, which neither overflows nor cancels.

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
from grpsparse.families.entropy import capped, cross_log, dual_slack, safe_log, x_log_x
from grpsparse.families.numbers import positive
from grpsparse.groups import FloatArray

__all__ = ["NegativeBinomial"]


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
        """Return (y + theta) log(1 + exp(eta) / theta) - y eta of every row."""
        xp = namespace(eta)
        u = eta - log(self._theta)
        softplus = xp.maximum(u, 0.0) + log1p_of_shares(exp(-xp.abs(u)))
        return xp.sum((y + self._theta) * softplus - y * eta, axis=1)

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
        """Return (y + theta) log(1 + y / theta) - y log y."""
        xp = namespace(y)
        return xp.sum((y + self._theta) * xp.log1p(y / self._theta) - x_log_x(y), axis=1)

    def conjugate(self, y: Array, theta: Array, offset: Array | float) -> Array:
        """Return q log(q t / m) + (m - q) log(1 - q / m) + theta offset.

        With t the family's theta, m = y + t and q = y - theta in [0, m].
        """
        xp = namespace(theta)
        size = y + self._theta
        q = y - theta
        slack = dual_slack(theta) * (1.0 + size)
        known = xp.minimum(xp.maximum(q, 0.0), size)
        rest = size - known
        # log(rest / m), by log1p where rest is most of m
        logs = xp.where(
            known < 0.5 * size,
            xp.log1p(-xp.minimum(known, 0.5 * size) / size),
            safe_log(rest) - safe_log(size),
        )
        value = x_log_x(known) - known * xp.log1p(y / self._theta) + rest * logs
        inside = (q >= -slack) & (q <= size + slack)
        return xp.sum(xp.where(inside, value + theta * offset, xp.inf), axis=1)

    def deviance(self, y: Array, mu: Array) -> Array:
        """Return 2 (y log(y / mu) - (y + theta) log((y + theta) / (mu + theta))) of every row."""
        xp = namespace(mu)
        size = y + self._theta
        ratio = (y - mu) / (mu + self._theta)
        logs = xp.where(  # by log1p where y and mu are close
            ratio > -0.5,
            xp.log1p(xp.maximum(ratio, -0.5)),
            safe_log(size) - safe_log(mu + self._theta),
        )
        return 2.0 * xp.sum(cross_log(y, mu) - size * logs, axis=1)

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
