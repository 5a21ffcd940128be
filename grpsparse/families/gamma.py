"""Gamma family with the log link: loss y exp(-eta) + eta, mean exp(eta).

Convex in eta for any y > 0, and without a scale: other units of y move the intercept only. The
shape of the distribution multiplies the loss, so it changes neither a fit nor its deviance ratio.

Beyond |eta| of about 354 exponentials are continued as their tangent, as in the Poisson family.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from grpsparse.backend import Array, exp, namespace
from grpsparse.errors import ResponseError
from grpsparse.families.entropy import capped, dual_slack, safe_log, x_log_x

__all__ = ["Gamma"]


@dataclass(frozen=True, slots=True)
class Gamma:
    """Gamma family with the log link.

    Examples
    --------
    >>> import numpy as np
    >>> Gamma().gradient(np.array([[3.0]]), np.array([[0.0]]))
    array([[-2.]])
    """

    name: ClassVar[str] = "gamma"
    title: ClassVar[str] = "Gamma"
    hessian: ClassVar[str] = "diagonal"
    rescale: ClassVar[float | None] = 1.0
    curvature_bound: ClassVar[float | None] = None
    default_measure: ClassVar[str] = "deviance"

    def loss(self, y: Array, eta: Array) -> Array:
        """Return y exp(-eta) + eta of every row."""
        known = capped(-eta)
        return namespace(eta).sum(y * exp(known) * (1.0 + (-eta - known)) + eta, axis=1)

    def gradient(self, y: Array, eta: Array) -> Array:
        """Return 1 - y exp(-eta), (mean - y) / mean."""
        return 1.0 - y * exp(capped(-eta))

    def curvature(self, y: Array, eta: Array) -> Array:
        """Return y exp(-eta)."""
        return y * exp(capped(-eta))

    def variance(self, eta: Array) -> Array:
        """Return the square of the mean."""
        return self.mean(eta) ** 2

    def slope(self, eta: Array) -> Array:
        """Return the mean."""
        return self.mean(eta)

    def mean(self, eta: Array) -> Array:
        """Return exp(eta)."""
        return exp(-capped(-capped(eta)))

    def link(self, mu: Array) -> Array:
        """Return log(mu), about -708 at 0."""
        return safe_log(mu)

    def saturated_loss(self, y: Array) -> Array:
        """Return 1 + log y."""
        return namespace(y).sum(1.0 + safe_log(y), axis=1)

    def conjugate(self, y: Array, theta: Array, offset: Array | float) -> Array:
        """Return q log(q / y) - q + theta offset with q = 1 + theta >= 0."""
        xp = namespace(theta)
        q = 1.0 + theta
        known = xp.maximum(q, 0.0)
        value = x_log_x(known) - known * (safe_log(y) + 1.0) + theta * offset
        return xp.sum(xp.where(q >= -dual_slack(theta), value, xp.inf), axis=1)

    def deviance(self, y: Array, mu: Array) -> Array:
        """Return 2 ((y - mu) / mu - log(y / mu)) of every row."""
        xp = namespace(mu)
        logs = safe_log(mu)
        floor = exp(-capped(-logs))  # its inverse is finite
        return 2.0 * xp.sum(y / floor - 1.0 - (safe_log(y) - logs), axis=1)

    def check_response(self, y: Array, weights: Array, *, name: str = "the response") -> None:
        """Raise ResponseError for values that are not positive."""
        low = float(namespace(y).min(y[weights > 0]))
        if not low > 0.0:
            raise ResponseError(
                f"{name} has the value {low:g}; a gamma response is positive. Drop such rows, or "
                'give family="poisson", which allows zeros.'
            )
