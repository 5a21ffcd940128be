"""Poisson family: loss exp(eta) - y eta, mean exp(eta).

Above eta = log(largest float) / 2, about 354 and far above any data, the loss goes on as its
tangent: convex, differentiable and finite, so that a wild trial step is refused, not a crash.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from grpsparse.backend import Array, exp, namespace
from grpsparse.errors import ResponseError
from grpsparse.families.entropy import capped, cross_log, dual_slack, safe_log, x_log_x

__all__ = ["Poisson"]


@dataclass(frozen=True, slots=True)
class Poisson:
    """Poisson family with the log link.

    Examples
    --------
    >>> import numpy as np
    >>> Poisson().gradient(np.array([[3.0]]), np.array([[0.0]]))
    array([[-2.]])
    """

    name: ClassVar[str] = "poisson"
    title: ClassVar[str] = "Poisson"
    hessian: ClassVar[str] = "diagonal"
    rescale: ClassVar[float | None] = None
    curvature_bound: ClassVar[float | None] = None
    default_measure: ClassVar[str] = "deviance"

    def loss(self, y: Array, eta: Array) -> Array:
        """Return exp(eta) - y eta of every row."""
        xp = namespace(eta)
        known = capped(eta)
        return xp.sum(exp(known) * (1.0 + (eta - known)) - y * eta, axis=1)

    def gradient(self, y: Array, eta: Array) -> Array:
        """Return exp(eta) - y."""
        return self.mean(eta) - y

    def curvature(self, y: Array, eta: Array) -> Array:  # noqa: ARG002
        """Return exp(eta)."""
        return self.mean(eta)

    def variance(self, eta: Array) -> Array:
        """Return exp(eta)."""
        return self.mean(eta)

    def slope(self, eta: Array) -> Array:
        """Return exp(eta)."""
        return self.mean(eta)

    def mean(self, eta: Array) -> Array:
        """Return exp(eta)."""
        return exp(capped(eta))

    def link(self, mu: Array) -> Array:
        """Return log(mu), about -708 at 0."""
        return safe_log(mu)

    def saturated_loss(self, y: Array) -> Array:
        """Return y - y log y."""
        return namespace(y).sum(y - x_log_x(y), axis=1)

    def conjugate(self, y: Array, theta: Array, offset: Array | float) -> Array:
        """Return q log q - q + theta offset with q = y - theta >= 0."""
        xp = namespace(theta)
        q = y - theta
        inside = q >= -dual_slack(theta) * (1.0 + y)
        known = xp.maximum(q, 0.0)
        value = x_log_x(known) - known + theta * offset
        return xp.sum(xp.where(inside, value, xp.inf), axis=1)

    def deviance(self, y: Array, mu: Array) -> Array:
        """Return 2 (y log(y / mu) - (y - mu)) of every row."""
        return 2.0 * namespace(mu).sum(cross_log(y, mu) - (y - mu), axis=1)

    def check_response(self, y: Array, weights: Array, *, name: str = "the response") -> None:
        """Raise ResponseError for negative or all-zero counts."""
        xp = namespace(y)
        seen = y[weights > 0]
        low, high = float(xp.min(seen)), float(xp.max(seen))
        if low < 0.0:
            raise ResponseError(
                f"{name} has the value {low:g}; a Poisson response is not negative."
            )
        if high == 0.0:
            raise ResponseError(
                f"{name} is 0 in every row of positive weight; a Poisson fit needs a positive "
                "count, else its intercept is -infinity."
            )
