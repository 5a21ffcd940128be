"""Binomial family: loss log(1 + exp(eta)) - y eta, mean 1 / (1 + exp(-eta)).

The response is 0, 1 or a proportion, with the number of trials in the weights. Everything is
computed from exp(-|eta|), so that it neither overflows nor cancels at y in {0, 1}.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

from grpsparse.backend import Array, exp, is_long, log1p, namespace
from grpsparse.errors import ResponseError
from grpsparse.families.entropy import cross_log, dual_slack, safe_log, x_log_x

__all__ = ["Binomial"]

LARGEST = 708.0  # the exponential of more overflows; the other tail is below 1e-307 there


def _tails(eta: Array) -> tuple[Array, Array]:
    """Return the probabilities of success and failure, each to full relative accuracy."""
    odds_against = exp(namespace(eta).clip(-eta, -LARGEST, LARGEST))
    success = 1.0 / (1.0 + odds_against)
    return success, odds_against * success


def _by_loop(loop: Callable[..., None], *values: Any) -> Array:
    """Return what a compiled loop makes of long arrays (n, 1) and numbers."""
    out = namespace(values[0]).empty(values[0].T.shape)
    loop(*(value.T.ravel() if hasattr(value, "shape") else value for value in values), out.ravel())
    return out.T


@dataclass(frozen=True, slots=True)
class Binomial:
    """Binomial family with the logit link.

    Examples
    --------
    >>> import numpy as np
    >>> Binomial().mean(np.array([[0.0]]))
    array([[0.5]])
    """

    name: ClassVar[str] = "binomial"
    title: ClassVar[str] = "Binomial"
    hessian: ClassVar[str] = "diagonal"
    rescale: ClassVar[float | None] = 0.25
    curvature_bound: ClassVar[float | None] = 0.25
    default_measure: ClassVar[str] = "deviance"

    def loss(self, y: Array, eta: Array) -> Array:
        """Return log(1 + exp(eta)) - y eta of every row."""
        if is_long(eta, y):
            from grpsparse.backend.logistic import fill_loss

            return _by_loop(fill_loss, y, eta)[:, 0]
        xp = namespace(eta)
        linear = xp.maximum(eta, 0.0) - y * eta  # exactly 0 for a sure and right prediction
        return xp.sum(linear + log1p(exp(-xp.abs(eta))), axis=1)

    def gradient(self, y: Array, eta: Array) -> Array:
        """Return mean - y."""
        if is_long(eta, y):
            from grpsparse.backend.logistic import fill_gradient

            return _by_loop(fill_gradient, y, eta)
        success, failure = _tails(eta)
        return (1.0 - y) * success - y * failure

    def curvature(self, y: Array, eta: Array) -> Array:  # noqa: ARG002
        """Return mean (1 - mean)."""
        return self.variance(eta)

    def variance(self, eta: Array) -> Array:
        """Return mean (1 - mean)."""
        if is_long(eta):
            from grpsparse.backend.logistic import fill_curvature

            return _by_loop(fill_curvature, eta)
        success, failure = _tails(eta)
        return success * failure

    def slope(self, eta: Array) -> Array:
        """Return mean (1 - mean)."""
        return self.variance(eta)

    def mean(self, eta: Array) -> Array:
        """Return the probability of success."""
        return _tails(eta)[0]

    def link(self, mu: Array) -> Array:
        """Return the logit, about -708 at 0 and 708 at 1."""
        return safe_log(mu) - safe_log(1.0 - mu)

    def saturated_loss(self, y: Array) -> Array:
        """Return the entropy of the proportions, 0 for y in {0, 1}."""
        xp = namespace(y)
        return -xp.sum(x_log_x(y) + x_log_x(1.0 - y), axis=1)

    def conjugate(self, y: Array, theta: Array, offset: Array | float) -> Array:
        """Return q log q + (1 - q) log(1 - q) + theta offset with q = y - theta."""
        xp = namespace(theta)
        q = y - theta
        slack = dual_slack(theta)
        if is_long(theta, y, offset):
            from grpsparse.backend.logistic import fill_conjugate

            return _by_loop(fill_conjugate, y, theta, offset, slack)[:, 0]
        value = x_log_x(xp.clip(q, 0.0, 1.0)) + x_log_x(xp.clip(1.0 - q, 0.0, 1.0))
        inside = (q >= -slack) & (q <= 1.0 + slack)
        return xp.sum(xp.where(inside, value + theta * offset, xp.inf), axis=1)

    def deviance(self, y: Array, mu: Array) -> Array:
        """Return twice the divergence of the fitted from the observed proportion."""
        xp = namespace(mu)
        return 2.0 * xp.sum(cross_log(y, mu) + cross_log(1.0 - y, 1.0 - mu), axis=1)

    def check_response(self, y: Array, weights: Array, *, name: str = "the response") -> None:
        """Raise ResponseError for proportions outside [0, 1], or for one class."""
        xp = namespace(y)
        seen = y[weights > 0]
        low, high = float(xp.min(seen)), float(xp.max(seen))
        if not 0.0 <= low <= high <= 1.0:
            culprit = low if low < 0.0 else high
            raise ResponseError(
                f"{name} has the value {culprit:g}; a binomial response is a proportion in [0, 1]."
            )
        if low == high and low in {0.0, 1.0}:
            raise ResponseError(
                f"{name} has one class only (encoded {low:g}) in the rows of positive weight; "
                "a binomial fit needs rows of both."
            )
