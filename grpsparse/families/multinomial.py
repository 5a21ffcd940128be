"""Multinomial family: loss -log softmax(eta)_y with one linear predictor per class.

The symmetric softmax: adding a number to all predictors of a row changes nothing. The response
is a one-hot row per observation.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from grpsparse.backend import Array, exp, namespace
from grpsparse.errors import ResponseError
from grpsparse.families.entropy import cross_log, dual_slack, safe_log, x_log_x

__all__ = ["Multinomial"]


@dataclass(frozen=True, slots=True)
class Multinomial:
    """Multinomial family with the symmetric softmax.

    Examples
    --------
    >>> import numpy as np
    >>> Multinomial().mean(np.zeros((1, 4)))
    array([[0.25, 0.25, 0.25, 0.25]])
    """

    name: ClassVar[str] = "multinomial"
    title: ClassVar[str] = "Multinomial"
    hessian: ClassVar[str] = "softmax"
    rescale: ClassVar[float | None] = 0.5
    curvature_bound: ClassVar[float | None] = 0.5
    default_measure: ClassVar[str] = "deviance"

    def loss(self, y: Array, eta: Array) -> Array:
        """Return log sum exp(eta) - y'eta of every row."""
        xp = namespace(eta)
        gap = eta - xp.max(eta, axis=1, keepdims=True)
        total = gap[:, 0]
        for k in range(1, gap.shape[1]):  # pair by pair, which keeps tiny losses exact
            total = xp.logaddexp(total, gap[:, k])
        return total - xp.sum(y * gap, axis=1)

    def gradient(self, y: Array, eta: Array) -> Array:
        """Return the probabilities minus y."""
        return self.mean(eta) - y

    def curvature(self, y: Array, eta: Array) -> Array:  # noqa: ARG002
        """Return the probabilities P; the Hessian of row i is diag(P_i) - P_i P_i'."""
        return self.mean(eta)

    def variance(self, eta: Array) -> Array:
        """Return P (1 - P), the variance of every class by itself."""
        chances = self.mean(eta)
        return chances * (1.0 - chances)

    def slope(self, eta: Array) -> Array:
        """Return P (1 - P), the derivative of every class in its own predictor."""
        return self.variance(eta)

    def mean(self, eta: Array) -> Array:
        """Return the class probabilities."""
        xp = namespace(eta)
        terms = exp(eta - xp.max(eta, axis=1, keepdims=True))
        return terms / xp.sum(terms, axis=1, keepdims=True)

    def link(self, mu: Array) -> Array:
        """Return the logs of the probabilities, centred to mean zero over the classes."""
        xp = namespace(mu)
        logs = safe_log(mu)
        return logs - xp.mean(logs, axis=1, keepdims=True)

    def saturated_loss(self, y: Array) -> Array:
        """Return the entropy of the rows of y, 0 for one-hot rows."""
        return -namespace(y).sum(x_log_x(y), axis=1)

    def conjugate(self, y: Array, theta: Array, offset: Array | float) -> Array:
        """Return sum_k (q_k log q_k + theta_k offset_k) with q = y - theta on the simplex."""
        xp = namespace(theta)
        q = y - theta
        slack = dual_slack(theta)
        inside = xp.all(q >= -slack, axis=1) & (xp.abs(xp.sum(q, axis=1) - 1.0) <= slack)
        terms = x_log_x(xp.maximum(q, 0.0)) + theta * offset
        return xp.where(inside, xp.sum(terms, axis=1), xp.inf)

    def deviance(self, y: Array, mu: Array) -> Array:
        """Return twice the divergence of the fitted from the observed probabilities."""
        return 2.0 * namespace(mu).sum(cross_log(y, mu), axis=1)

    def check_response(self, y: Array, weights: Array, *, name: str = "the response") -> None:
        """Raise ResponseError for one class, or a class without rows of positive weight."""
        xp = namespace(y)
        if y.shape[1] < 2:
            raise ResponseError(f"{name} has one class only; a multinomial fit needs two or more.")
        seen = xp.sum(y[weights > 0], axis=0)
        missing = [k + 1 for k in range(y.shape[1]) if not float(seen[k]) > 0.0]
        if missing:
            raise ResponseError(
                f"{name}: class number {', '.join(map(str, missing))} of {y.shape[1]} has no row "
                "of positive weight; leave the class out or give its rows weight."
            )
