"""Square-root gaussian family: least squares whose scale is estimated with the coefficients.

For residuals r = y - eta and weights W that sum to one the mean loss is

    min over sigma >= sigma0 of  ||r||_W**2 / (2 sigma) + sigma / 2

the residuals' own norm while that is above sigma0, a parabola below, where a fit that
interpolates would otherwise have no derivative. The scale is sigma = max(sigma0, ||r||_W), and
the gradient -r / sigma has no units: at lambda the solution is that of least squares at
lambda sigma, so that lambda need not know how large the errors are, and y in other units gives
the same groups at the same lambda.

The loss ties rows together: of a row it is r_i**2 / (2 sigma) + sigma / 2. For a fixed sigma this
lies above the loss everywhere, so 1 / sigma is a curvature under which every quadratic model
majorises it; the exact Hessian, (I - r r'W / ||r||_W**2) / sigma, is what Newton's method takes.
The deviance is twice the loss above sigma0 / 2: its share explained is one of the scale, not of the
variance (an automatic path ends where the variance is explained, long before sigma0).

Several responses share one scale, the root mean square of all residuals, or have one each; the
loss is then the sum over responses of the formula above.

References: Belloni, Chernozhukov & Wang (2011), doi:10.1093/biomet/asr043; Sun & Zhang (2012),
doi:10.1093/biomet/ass043; Bunea, Lederer & She (2014), doi:10.1109/TIT.2013.2290040, for groups;
Ndiaye et al. (2017), doi:10.1088/1742-6596/904/1/012006, for sigma0.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import ClassVar, Self

import numpy as np

from grpsparse.backend import Array, namespace
from grpsparse.errors import FamilyError
from grpsparse.families.entropy import dual_slack
from grpsparse.families.gaussian import Gaussian
from grpsparse.families.mgaussian import MultiGaussian
from grpsparse.families.numbers import positive
from grpsparse.groups import FloatArray

__all__ = ["SqrtGaussian"]

FLOOR = 1e-2  # of the null scale: below it a fit interpolates


@dataclass(frozen=True, slots=True)
class SqrtGaussian(MultiGaussian):
    """Gaussian family whose scale is estimated along the path.

    Parameters
    ----------
    sigma0 : float or tuple of float, optional
        Smallest scale, in units of the response; one per response where scales are separate.
        Left out, it is 1% of the scale around an intercept and the offset, so that it goes with
        the units of y.
    separate_scales : bool
        Whether each of several responses has its own scale. With groups of its own as well
        (``class_groups="separate"``) each may be in its own units; a norm over all mixes these.
    origin : str
        How `sigma0` came about, where it was left out.

    Raises
    ------
    FamilyError
        A sigma0 that is no positive number.

    Examples
    --------
    >>> import numpy as np
    >>> family = SqrtGaussian(sigma0=0.1)
    >>> y, eta = np.array([[3.0], [-4.0]]), np.zeros((2, 1))
    >>> float(family.loss(y, eta).mean()) == float(np.sqrt(np.mean(y**2)))
    True
    >>> family.scale(y, eta).round(3), family.scale(y, y)
    (array([3.536]), array([0.1]))
    """

    sigma0: float | tuple[float, ...] | None = None
    separate_scales: bool = False
    origin: str = field(default="", kw_only=True, repr=False, compare=False)

    name: ClassVar[str] = "sqrt_gaussian"
    title: ClassVar[str] = "Square-root Gaussian"
    hessian: ClassVar[str] = "piecewise"
    rescale: ClassVar[float | None] = None
    # 1 / sigma0 is one, but far above the curvature of any fit but an interpolating one
    curvature_bound: ClassVar[float | None] = None
    baseline: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if not isinstance(self.separate_scales, bool | np.bool_):
            raise FamilyError(f"`separate_scales` is {self.separate_scales!r}; give True or False.")
        advice = "Give it in units of the response, or leave it out for 1% of the null scale."
        if self.sigma0 is None:
            return
        if isinstance(self.sigma0, tuple | list | np.ndarray):
            if not self.separate_scales:
                raise FamilyError(
                    f"`sigma0` is {self.sigma0!r}, but the responses share one scale; give one "
                    "number, or separate_scales=True."
                )
            each = tuple(positive(value, "sigma0", advice) for value in self.sigma0)
            object.__setattr__(self, "sigma0", each)
        else:
            object.__setattr__(self, "sigma0", positive(self.sigma0, "sigma0", advice))

    def for_data(self, y: FloatArray, weights: FloatArray, offset: FloatArray) -> Self:
        """Return the family with sigma0 from the response around its mean."""
        if self.sigma0 is not None:
            if isinstance(self.sigma0, tuple) and len(self.sigma0) != y.shape[1]:
                raise FamilyError(
                    f"`sigma0` has {len(self.sigma0)} numbers for {y.shape[1]} responses; give "
                    "one number, or one for each."
                )
            return self
        share = weights / weights.max()
        share /= share.sum()
        values = y - offset
        values = values - share @ values
        squares = share @ values**2
        if not (squares > 0).all():
            raise FamilyError(
                "the response less its offset is constant, so it tells no scale; give "
                "gs.families.SqrtGaussian(sigma0=...)."
            )
        floor = FLOOR * np.sqrt(squares if self.separate_scales else squares.mean(keepdims=True))
        numbers = tuple(floor.tolist())
        told = ", ".join(f"{number:.6g}" for number in numbers)
        origin = f"sigma0: {told}, 1% of the scale around the mean"
        sigma0 = numbers if len(numbers) > 1 else numbers[0]
        return replace(self, sigma0=sigma0, origin=origin)

    def n_outputs(self, y: Array) -> int:
        """Return the number of responses."""
        return int(y.shape[1])

    def among(self, y: Array, weights: Array) -> _Among:  # noqa: ARG002
        """Return the family for rows under weights (n,) that sum to one."""
        return _Among(self.sigma0, self.separate_scales, origin=self.origin, shares=weights)

    def _shares(self, values: Array) -> Array:
        """Return the weights of the rows, (n,): all the same unless they are known."""
        xp, n = namespace(values), values.shape[0]
        return xp.full(n, 1.0 / n, dtype=values.dtype)

    def _floor(self, values: Array) -> Array | float:
        if self.sigma0 is None:
            raise FamilyError(
                "`sigma0` is open; give SqrtGaussian(sigma0=...), or fit: data choose it."
            )
        if isinstance(self.sigma0, tuple):
            return namespace(values).asarray(self.sigma0, dtype=values.dtype)
        return self.sigma0

    def _sizes(self, values: Array) -> Array:
        """Return the root mean squares of values (n, K): (K,) for separate scales, else (1,)."""
        xp = namespace(values)
        weights = self._shares(values)[:, None]
        # rows of weight zero may hold anything
        each = xp.sum(xp.where(weights > 0.0, weights * values**2, 0.0), axis=0)
        return xp.sqrt(each if self.separate_scales else xp.mean(each, keepdims=True))

    def scale(self, y: Array, eta: Array) -> Array:
        """Return sigma: (K,) for separate scales, else (1,)."""
        return namespace(eta).maximum(self._sizes(y - eta), self._floor(eta))

    def standardised(self, residual: Array) -> Array:
        """Return residuals (n, K) over their scale, however small that is."""
        return residual / self._sizes(residual)

    def loss(self, y: Array, eta: Array) -> Array:
        """Return r**2 / (2 sigma) + sigma / 2 of every row."""
        sigma = self.scale(y, eta)
        return namespace(eta).sum(0.5 * ((y - eta) ** 2 / sigma + sigma), axis=1)

    def gradient(self, y: Array, eta: Array) -> Array:
        """Return (eta - y) / sigma."""
        return (eta - y) / self.scale(y, eta)

    def curvature(self, y: Array, eta: Array) -> Array:
        """Return 1 / sigma, a bound."""
        return namespace(eta).ones_like(eta) / self.scale(y, eta)

    def information(self, y: Array, eta: Array, rows: Array) -> Array:
        """Return the Hessian of the mean loss on columns ``rows`` (m, n), (K m, K m)."""
        xp = namespace(eta)
        count, m = int(eta.shape[1]), int(rows.shape[0])
        residual, weighted = y - eta, rows * self._shares(eta)
        sigma, sizes = self.scale(y, eta), self._sizes(residual)
        own = (sizes > 0.0) & (sizes >= sigma)  # where sigma moves with the residual
        slope = (weighted @ residual / sigma).T  # (K, m)
        gram = weighted @ rows.T
        out = xp.zeros((count, m, count, m), dtype=eta.dtype)
        for k in range(count):
            scale = k if self.separate_scales else 0
            out[k, :, k, :] = gram / sigma[scale]
            if self.separate_scales and own[k]:
                out[k, :, k, :] -= slope[k, :, None] * slope[k, None, :] / sigma[k]
        out = xp.reshape(out, (count * m, count * m))
        if not self.separate_scales and own[0]:
            flat = xp.reshape(slope, (-1,))
            out -= flat[:, None] * flat[None, :] / (count * sigma[0])
        return out

    def saturated_loss(self, y: Array) -> Array:
        """Return sigma0 / 2, once for every response."""
        xp = namespace(y)
        return xp.sum(0.5 * self._floor(y) * xp.ones_like(y), axis=1)

    def conjugate(self, y: Array, theta: Array, offset: Array | float) -> Array:
        """Return sigma0 (theta**2 - 1) / 2 - theta (y - offset) where ||theta||_W <= 1."""
        xp = namespace(theta)
        value = 0.5 * self._floor(theta) * (theta**2 - 1.0) - theta * (y - offset)
        inside = xp.all(self._sizes(theta) <= 1.0 + dual_slack(theta))
        return xp.where(inside, xp.sum(value, axis=1), xp.inf)

    def conjugate_near(self, y: Array, eta: Array, theta: Array, offset: Array | float) -> Array:  # noqa: ARG002
        """Return the conjugate, which has a closed form."""
        return self.conjugate(y, theta, offset)

    def deviance(self, y: Array, mu: Array) -> Array:
        """Return r**2 / sigma + sigma - sigma0 of every row, summed over responses."""
        sigma, floor = self.scale(y, mu), self._floor(mu)
        return namespace(mu).sum((y - mu) ** 2 / sigma + (sigma - floor), axis=1)

    def check_response(self, y: Array, weights: Array, *, name: str = "the response") -> None:
        """Raise ResponseError for a constant response."""
        check = Gaussian.check_response if y.shape[1] == 1 else MultiGaussian.check_response
        check(self, y, weights, name=name)


@dataclass(frozen=True, slots=True)
class _Among(SqrtGaussian):
    """The family with the weights of its rows, (n,), which sum to one."""

    shares: Array = field(kw_only=True, repr=False, compare=False)

    def _shares(self, values: Array) -> Array:  # noqa: ARG002
        return self.shares
