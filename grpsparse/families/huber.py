"""Huber's loss of r = y - eta: r**2 / 2 up to delta, delta |r| - delta**2 / 2 beyond.

A row far off pulls with delta and no more. delta is in units of the response; 1.345 times the
scale of the errors is 95% as efficient as least squares where these are gaussian. From about 1e-5
of that scale downwards, where hardly a row is inside and the fit is a median regression, paths may
end with warnings about their certificates.

The second derivative is 1 inside and 0 outside. A quadratic model with zeros has no minimum where
all rows of a column are outside, so the curvature outside is a small share of delta / |r|, the
curvature of the quadratic that lies above the loss everywhere (iteratively reweighted least
squares). That only shortens steps; gradients, and so solutions, are exact.

References: Huber (1964), doi:10.1214/aoms/1177703732; Holland & Welsch (1977),
doi:10.1080/03610927708827533.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import ClassVar, Self

import numpy as np

from grpsparse.backend import Array, namespace
from grpsparse.errors import FamilyError, ResponseError
from grpsparse.families.adaptive import weighted_median
from grpsparse.families.entropy import dual_slack
from grpsparse.families.numbers import positive
from grpsparse.groups import FloatArray

__all__ = ["Huber"]

EFFICIENT = 1.345  # times the standard deviation: 95% efficient for gaussian errors
NORMAL_MAD = 1.482602218505602  # standard deviation over MAD, for gaussian numbers
OUTSIDE_SHARE = 1e-4  # of the majorising curvature; convergence is linear at about this rate


@dataclass(frozen=True, slots=True)
class Huber:
    """Huber's robust loss with the identity link.

    Parameters
    ----------
    delta : float, optional
        Residual beyond which the loss is linear, in units of the response, above 0. Left out,
        it is 1.345 times the normalised median absolute deviation of the response (less its
        offset), so that it goes with the units of y. That scale holds what the terms explain
        too: with the MAD of a first fit's residuals the next fit can be made more robust.
    origin : str
        How `delta` came about, where it was left out.

    Raises
    ------
    FamilyError
        A delta that is no positive number.

    Examples
    --------
    >>> Huber(delta=1.0).loss(np.array([[0.5], [3.0]]), np.zeros((2, 1)))
    array([0.125, 2.5  ])
    """

    delta: float | None = None
    origin: str = field(default="", kw_only=True, repr=False, compare=False)

    name: ClassVar[str] = "huber"
    hessian: ClassVar[str] = "piecewise"
    rescale: ClassVar[float | None] = 1.0
    curvature_bound: ClassVar[float | None] = 1.0
    default_measure: ClassVar[str] = "deviance"

    def __post_init__(self) -> None:
        if self.delta is not None:
            advice = "Give it in units of the response, or leave it out for 1.345 times the MAD."
            object.__setattr__(self, "delta", positive(self.delta, "delta", advice))

    @property
    def title(self) -> str:
        """Name with delta, where it is known."""
        return "Huber" if self.delta is None else f"Huber (delta {self.delta:.4g})"

    def for_data(self, y: FloatArray, weights: FloatArray, offset: FloatArray) -> Self:
        """Return the family with delta from the MAD of y - offset."""
        if self.delta is not None:
            return self
        values = (y - offset)[:, 0]
        centre = weighted_median(values, weights)
        mad = weighted_median(np.abs(values - centre), weights)
        if not mad > 0:
            raise FamilyError(
                f"half of the response is {centre:g}, so its median absolute deviation is 0 and "
                "tells no scale; give gs.families.Huber(delta=...)."
            )
        delta = EFFICIENT * NORMAL_MAD * mad
        origin = f"delta: {delta:.6g}, 1.345 times the normalised MAD of the response"
        return replace(self, delta=delta, origin=origin)

    @property
    def _delta(self) -> float:
        if self.delta is None:
            raise FamilyError("`delta` is open; give Huber(delta=...), or fit: data choose it.")
        return self.delta

    def loss(self, y: Array, eta: Array) -> Array:
        """Return r**2 / 2 or delta |r| - delta**2 / 2 of every row."""
        xp = namespace(eta)
        size = xp.abs(y - eta)
        inside = xp.minimum(size, self._delta)
        return xp.sum(inside * (size - 0.5 * inside), axis=1)

    def gradient(self, y: Array, eta: Array) -> Array:
        """Return eta - y, clipped at delta."""
        return namespace(eta).clip(eta - y, -self._delta, self._delta)

    def curvature(self, y: Array, eta: Array) -> Array:
        """Return 1 inside, and a small share of delta / |r| outside."""
        xp = namespace(eta)
        size = xp.abs(y - eta)
        outside = OUTSIDE_SHARE * self._delta / xp.maximum(size, self._delta)
        return xp.where(size <= self._delta, xp.ones_like(eta), outside)

    def variance(self, eta: Array) -> Array:
        """Return ones."""
        return namespace(eta).ones_like(eta)

    def slope(self, eta: Array) -> Array:
        """Return ones."""
        return namespace(eta).ones_like(eta)

    def mean(self, eta: Array) -> Array:
        """Return eta, the centre of symmetric errors."""
        return eta

    def link(self, mu: Array) -> Array:
        """Return mu."""
        return mu

    def saturated_loss(self, y: Array) -> Array:
        """Return zeros."""
        return namespace(y).zeros_like(y[:, 0])

    def conjugate(self, y: Array, theta: Array, offset: Array | float) -> Array:
        """Return theta**2 / 2 - theta (y - offset) for |theta| <= delta."""
        xp = namespace(theta)
        inside = xp.abs(theta) <= self._delta * (1.0 + dual_slack(theta))
        value = theta * (0.5 * theta - (y - offset))
        return xp.sum(xp.where(inside, value, xp.inf), axis=1)

    def deviance(self, y: Array, mu: Array) -> Array:
        """Return twice the loss."""
        return 2.0 * self.loss(y, mu)

    def check_response(self, y: Array, weights: Array, *, name: str = "the response") -> None:
        """Raise ResponseError for a constant response."""
        xp = namespace(y)
        seen = y[weights > 0]
        low, high = float(xp.min(seen)), float(xp.max(seen))
        if low == high:
            raise ResponseError(
                f"{name} is constant ({low:g} in every row of positive weight); a Huber fit "
                "needs a response that varies."
            )
