"""The public face of every penalty: value, prox and derivative of one block.

All three follow from the radial functions. A block of a group penalty has one norm; for an
elementwise penalty each coefficient is a block. What most penalties share stands here too.
"""

from __future__ import annotations

from dataclasses import fields, replace
from math import inf
from typing import ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike

from grpsparse.backend import Array, codes, namespace
from grpsparse.groups import FloatArray
from grpsparse.penalties.checks import check_flag, check_number, checked_lambda, checked_step
from grpsparse.penalties.dual import any_positive
from grpsparse.penalties.protocol import Penalty

__all__ = ["BlockFunctions", "PriceFunctions", "Rescaled"]


def _lengths(penalty: Penalty, block: FloatArray) -> FloatArray:
    """Return the norm of the block, or of each coefficient if elementwise."""
    if penalty.elementwise:
        return np.abs(block).ravel()
    return np.array([np.linalg.norm(block)])


class BlockFunctions:
    """Value, prox and derivative of one block, and the printed form."""

    __slots__ = ()

    steep: ClassVar[bool] = False
    adaptive: ClassVar[bool] = False
    joint: ClassVar[bool] = False
    nested: ClassVar[bool] = False
    matrix: ClassVar[bool] = False
    overlap: ClassVar[str] = "none"
    overlapping: ClassVar[bool] = False
    constraint: ClassVar[bool] = False
    solver: ClassVar[str] = "block_descent"

    def value(self: Penalty, b: ArrayLike, lambda_: float) -> float:
        """Return the penalty of one block of weight 1.

        Parameters
        ----------
        b : array_like of shape (m,) or (m, K)
            The coefficients.
        lambda_ : float
            Penalty level, at least 0.

        Returns
        -------
        float
        """
        block, level = np.asarray(b, dtype=float), checked_lambda(lambda_)
        lengths = _lengths(self, block)
        radial = np.sum(self.radial_value(lengths, np.full_like(lengths, level)))
        return float(radial) + self.l1_fraction * level * float(np.sum(np.abs(block)))

    def prox(self: Penalty, b: ArrayLike, step: float, lambda_: float) -> FloatArray:
        """Return the global minimiser x of ``||x - b||**2 / 2 + step * p(x; lambda_)``.

        Parameters
        ----------
        b : array_like of shape (m,) or (m, K)
            The point, a block of weight 1.
        step : float
            Any positive number, also where the problem is not convex.
        lambda_ : float
            Penalty level, at least 0.

        Returns
        -------
        ndarray of the shape of b
            The smaller one where there are two minimisers.

        Raises
        ------
        OptionError
            If the step is not positive.
        """
        from grpsparse.backend.prox import radial_prox

        level, length = checked_lambda(lambda_), checked_step(step)
        block = np.asarray(b, dtype=float)
        soft = length * self.l1_fraction * level
        block = np.sign(block) * np.maximum(np.abs(block) - soft, 0.0)
        old = _lengths(self, block)
        first, second = self.parameters
        new = [radial_prox(self.code, first, second, s, length, level) for s in old.tolist()]
        factor = np.array(new) / np.where(old > 0.0, old, 1.0)
        shrunk: FloatArray = block * factor.reshape(block.shape if self.elementwise else ())
        return shrunk

    def derivative(self: Penalty, t: ArrayLike, lambda_: float) -> Array:
        """Return p'(t; lambda_), at 0 from the right, without the single-coefficient part.

        Parameters
        ----------
        t : float or array_like
            Norms, at least 0.
        lambda_ : float
            Penalty level, at least 0.

        Returns
        -------
        float or ndarray
            Of the shape of t.
        """
        norm = np.asarray(t, dtype=float)
        level = np.full(norm.shape, checked_lambda(lambda_))
        slope = self.radial_derivative(np.atleast_1d(norm), np.atleast_1d(level))
        return slope if norm.ndim else float(slope[0])

    def radial_curvature(self, norm: Array, level: Array) -> Array:
        """Return zeros, the curvature of all that is made of lines."""
        return namespace(norm).zeros_like(norm + level)

    def rescaled(self, factor: float) -> Self:  # noqa: ARG002
        """Return itself: no parameter is in units of the loss's curvature."""
        return self

    def zero_limit(self: Penalty, level: Array, curvature: Array) -> Array:  # noqa: ARG002
        """Return p'(0+)."""
        return self.radial_derivative(namespace(level).zeros_like(level), level)

    def least_norm(self: Penalty, level: Array, curvature: Array) -> Array:  # noqa: ARG002
        """Return 0."""
        return namespace(level).zeros_like(level)

    def __repr__(self) -> str:
        pairs = [(field.name, getattr(self, field.name)) for field in fields(self)]  # type: ignore[arg-type]
        shown = ", ".join(f"{n}={v!r}" for n, v in pairs if (n, v) != ("scale", 1.0))
        return f"{type(self).__name__}({shown})"


class PriceFunctions(BlockFunctions):
    """A group that is in costs its level, whatever its norm."""

    __slots__ = ()

    steep: ClassVar[bool] = True
    code: ClassVar[int] = codes.L0

    @property
    def parameters(self) -> tuple[float, float]:
        """Two numbers that are not used."""
        return (0.0, 0.0)

    def radial_value(self, norm: Array, level: Array) -> Array:
        """Return level where norm is above 0."""
        xp = namespace(norm, level)
        return xp.where(norm > 0.0, level, xp.zeros_like(norm + level))

    def radial_derivative(self, norm: Array, level: Array) -> Array:
        """Return 0, at 0 infinity."""
        xp = namespace(norm, level)
        jump = (norm == 0.0) & (level > 0.0)
        return xp.where(jump, inf, xp.zeros_like(norm + level))

    def weak_convexity(self, level: Array | float) -> float:
        """Return infinity, 0 where nothing is penalised."""
        return inf if any_positive(level) else 0.0


class Rescaled:
    """A penalty P whose concavity is relative to the curvature v of the loss.

    Outside the gaussian family P(v t; l) / v takes its place, if `rescale` allows it.
    """

    __slots__ = ()

    rescale: bool
    scale: float

    def check_rescaling(self) -> None:
        """Raise PenaltyError for values that the two fields may not have."""
        check_flag(self, "rescale")
        check_number(self, "scale", lambda x: x > 0.0, "a positive number")

    def rescaled(self, factor: float) -> Self:
        """Return P(factor t; l) / factor, or itself if ``rescale`` is False."""
        return replace(self, scale=factor) if self.rescale else self  # type: ignore[type-var]
