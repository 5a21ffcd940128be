"""Gaussian family: loss (y - eta)**2 / 2, mean eta.

Half the squared error keeps lambda on the scale of 1/(2n) RSS.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from grpsparse.backend import Array, namespace
from grpsparse.errors import ResponseError

__all__ = ["Gaussian"]


@dataclass(frozen=True, slots=True)
class Gaussian:
    """Gaussian family with the identity link.

    Examples
    --------
    >>> import numpy as np
    >>> Gaussian().loss(np.array([[3.0]]), np.array([[1.0]]))
    array([2.])
    """

    name: ClassVar[str] = "gaussian"
    title: ClassVar[str] = "Gaussian"
    hessian: ClassVar[str] = "constant"
    rescale: ClassVar[float | None] = 1.0
    curvature_bound: ClassVar[float | None] = 1.0
    default_measure: ClassVar[str] = "mse"

    def loss(self, y: Array, eta: Array) -> Array:
        """Return half the squared error of every row."""
        return 0.5 * self.deviance(y, eta)

    def gradient(self, y: Array, eta: Array) -> Array:
        """Return eta - y."""
        return eta - y

    def curvature(self, y: Array, eta: Array) -> Array:  # noqa: ARG002
        """Return ones."""
        return namespace(eta).ones_like(eta)

    def variance(self, eta: Array) -> Array:
        """Return ones."""
        return namespace(eta).ones_like(eta)

    def slope(self, eta: Array) -> Array:
        """Return ones."""
        return namespace(eta).ones_like(eta)

    def mean(self, eta: Array) -> Array:
        """Return eta."""
        return eta

    def link(self, mu: Array) -> Array:
        """Return mu."""
        return mu

    def saturated_loss(self, y: Array) -> Array:
        """Return zeros."""
        return namespace(y).zeros_like(y[:, 0])

    def conjugate(self, y: Array, theta: Array, offset: Array | float) -> Array:
        """Return theta**2 / 2 - theta (y - offset)."""
        value = theta * (0.5 * theta - (y - offset))
        return value[:, 0] if value.shape[1] == 1 else namespace(theta).sum(value, axis=1)

    def deviance(self, y: Array, mu: Array) -> Array:
        """Return the squared error of every row."""
        off = y - mu
        return off[:, 0] ** 2 if off.shape[1] == 1 else namespace(mu).sum(off**2, axis=1)

    def check_response(self, y: Array, weights: Array, *, name: str = "the response") -> None:
        """Raise ResponseError for a constant response."""
        xp = namespace(y)
        seen = y[weights > 0]
        low, high = float(xp.min(seen)), float(xp.max(seen))
        if low == high:
            raise ResponseError(
                f"{name} is constant ({low:g} in every row of positive weight); a gaussian "
                "fit needs a response that varies."
            )
