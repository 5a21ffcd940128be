"""Trace norm: lambda times the sum of the singular values of the coefficient matrix.

The matrix Theta has the penalised coordinates as rows and the responses as columns, rows times
the weights of their groups; few singular values mean few latent predictors that all responses
share. No group leaves by itself, so none is screened. The dual norm is the largest singular
value, and the proximal map takes the step off every singular value.

The base weight is 1 whatever ``group_weight`` is: lambda_max is the spectral norm of Z'W(y - mu)
at the null fit. With one response the matrix is a column, and the penalty its length.

References: Yuan, Ekici, Lu & Monteiro (2007), doi:10.1111/j.1467-9868.2007.00591.x; Poon & Peyre
(2021), "Smooth bilevel programming for sparse regularization", for the solver.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike

from grpsparse.backend import Array
from grpsparse.groups import FloatArray
from grpsparse.penalties.checks import checked_lambda, checked_step
from grpsparse.penalties.dual import DOWN, UP
from grpsparse.penalties.lasso import GroupLasso
from grpsparse.penalties.protocol import Segments

__all__ = ["TraceNorm"]


@dataclass(frozen=True, slots=True, repr=False)
class TraceNorm(GroupLasso):
    """Trace norm, or nuclear norm, of the coefficients of several responses.

    Its radial functions are those of a matrix of rank one.

    Examples
    --------
    >>> TraceNorm().value([[3.0, 0.0], [0.0, -1.0]], 2.0)
    8.0
    >>> TraceNorm().prox([[3.0, 0.0], [0.0, -1.0]], 1.0, 2.0)
    array([[1., 0.],
           [0., 0.]])
    """

    name: ClassVar[str] = "trace_norm"
    title: ClassVar[str] = "trace norm"
    matrix: ClassVar[bool] = True
    solver: ClassVar[str] = "varpro"

    def value(self, b: ArrayLike, lambda_: float) -> float:
        """Return lambda_ times the sum of the singular values.

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
        return checked_lambda(lambda_) * float(_singular(_matrix(b)).sum())

    def prox(self, b: ArrayLike, step: float, lambda_: float) -> FloatArray:
        """Return the minimiser x of ``||x - b||**2 / 2 + step * lambda_ * ||x||_*``.

        Parameters
        ----------
        b : array_like of shape (m,) or (m, K)
            The point.
        step : float
            Any positive number.
        lambda_ : float
            Penalty level, at least 0.

        Returns
        -------
        ndarray of the shape of b

        Raises
        ------
        OptionError
            If the step is not positive.
        """
        level, length = checked_lambda(lambda_), checked_step(step)
        if level == 0.0:
            return np.array(b, dtype=np.float64)
        left, values, right = np.linalg.svd(_matrix(b), full_matrices=False)
        shrunk = (left * np.maximum(values - length * level, 0.0)) @ right
        return np.asarray(shrunk.reshape(np.shape(b)), dtype=np.float64)

    def matrix_value(self, theta: FloatArray, segments: Segments, level: FloatArray) -> float:
        """Return the trace norm of theta (q, K), rows times the levels (G,) of their groups."""
        return float(_singular(theta * _by_row(level, segments)).sum())

    def critical_lambda(
        self, correlation: FloatArray, segments: Segments, weight: FloatArray, penalised: Array
    ) -> float:
        """Return the largest singular value of the correlations over the weights of their rows."""
        seen = np.where(np.asarray(penalised, dtype=bool), weight, 0.0)
        return _largest(correlation, segments, seen) * UP**4

    def dual_scale(
        self,
        correlation: FloatArray,
        segments: Segments,
        level: FloatArray,
        l1_level: FloatArray,  # noqa: ARG002
    ) -> float:
        """Return the largest c in (0, 1] that takes the largest singular value to 1."""
        largest = _largest(correlation, segments, level)
        return DOWN / largest if largest > 1.0 else 1.0


def _matrix(b: ArrayLike) -> FloatArray:
    """Return coefficients as a matrix, one response as a column."""
    block = np.asarray(b, dtype=np.float64)
    return block[:, None] if block.ndim == 1 else block


def _singular(values: FloatArray) -> FloatArray:
    return np.asarray(np.linalg.svd(values, compute_uv=False), dtype=np.float64)


def _by_row(level: FloatArray, segments: Segments) -> FloatArray:
    """Return the levels (q, 1) of rows, from those of groups (G,)."""
    return np.repeat(level, np.diff(segments.starts))[:, None]


def _largest(correlation: FloatArray, segments: Segments, level: FloatArray) -> float:
    """Return the largest singular value of the rows that have a level, over their levels."""
    rows = _by_row(level, segments)
    seen = rows[:, 0] > 0.0
    return float(_singular(correlation[seen] / rows[seen]).max(initial=0.0))
