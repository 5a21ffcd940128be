"""Points of a path: any lambda as a mixture of the two solved ones beside it.

A lambda between two points of the path is interpolated linearly, beyond its ends clamped.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from grpsparse.errors import LambdaError
from grpsparse.groups import BoolArray, FloatArray, IntArray

__all__ = ["LambdaLike", "Points", "locate", "one_lambda"]

LambdaLike = float | str | Sequence[float] | FloatArray | None

_SNAP = 1e-10  # a lambda that went through text or a unit change is still the solved one


@dataclass(frozen=True, slots=True)
class Points:
    """M places on a path of L solutions.

    Parameters
    ----------
    values : ndarray of shape (M,)
        The lambdas, clamped to the ends of the path.
    left, right : ndarray of int, shape (M,)
        The solved points beside each (equal at a solved point).
    fraction : ndarray of shape (M,)
        Weight of the right one.
    single : bool
        Whether one number was asked for, so that results lose the axis of lambda.
    """

    values: FloatArray
    left: IntArray
    right: IntArray
    fraction: FloatArray
    single: bool

    @property
    def solved(self) -> BoolArray:
        """Which places are solved points, (M,)."""
        solved: BoolArray = np.equal(self.left, self.right)
        return solved

    def take(self, path: FloatArray) -> FloatArray:
        """Return the values (M, ...) of an array whose first axis is the path."""
        low: FloatArray = path[self.left]
        if self.solved.all():
            return low
        weight = self.fraction.reshape((-1,) + (1,) * (path.ndim - 1))
        return (1.0 - weight) * low + weight * path[self.right]


def locate(path: FloatArray, lambda_: LambdaLike) -> Points:
    """Find places on a path.

    Parameters
    ----------
    path : ndarray of shape (L,)
        Lambdas of the solutions, decreasing.
    lambda_ : float or sequence of float, optional
        Places asked for; None asks for every solution.

    Returns
    -------
    Points

    Raises
    ------
    LambdaError
        If a place is not a finite number from 0 up.
    """
    if lambda_ is None:
        every = np.arange(path.size)
        return Points(path, every, every, np.zeros(path.size), single=False)
    asked = _numbers(lambda_)
    values = np.clip(asked.ravel(), path[-1], path[0])
    # Ascending positions of the first solved point that is not below the value.
    above = path.size - 1 - np.searchsorted(path[::-1], values, side="left")
    below = np.minimum(above + 1, path.size - 1)
    fraction = np.zeros(values.size)
    inside = path[above] > path[below]
    gap = np.where(inside, path[above] - path[below], 1.0)
    fraction[inside] = ((path[above] - values) / gap)[inside]
    near = np.abs(path[above] - values) <= _SNAP * path[above]
    far = np.abs(path[below] - values) <= _SNAP * path[below]
    left = np.where(far & ~near, below, above)
    solved = near | far | ~inside
    right = np.where(solved, left, below)
    return Points(values, left, right, np.where(solved, 0.0, fraction), single=asked.ndim == 0)


def one_lambda(lambda_: float) -> float:
    """Return a place on the path as a float.

    Raises
    ------
    LambdaError
        If it is not one number; a finite one from 0 up is checked by :func:`locate`.
    """
    try:
        return float(lambda_)
    except (TypeError, ValueError):
        raise LambdaError(
            f"lambda_ is {lambda_!r}; give one number from 0 up, such as `fit.lambda_[10]`."
        ) from None


def _numbers(lambda_: LambdaLike) -> FloatArray:
    """Return lambdas as an array of floats, 0-d for one number."""
    try:
        asked = np.asarray(lambda_, dtype=np.float64)
    except (TypeError, ValueError):
        raise LambdaError(
            f"lambda_ is {lambda_!r}; give a number from 0 up, a sequence of them, or None for "
            "the whole path."
        ) from None
    if asked.ndim > 1 or asked.size == 0 or not np.all(np.isfinite(asked)) or np.any(asked < 0):
        raise LambdaError(
            f"lambda_ is {lambda_!r}; give a finite number from 0 up, a sequence of them, or None "
            "for the whole path."
        )
    return asked
