"""Dense columns, stored one after the other, in single or double precision."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from grpsparse.groups import FloatArray, IntArray

__all__ = ["CHUNK_ENTRIES", "DenseDesign"]

CHUNK_ENTRIES = 4_000_000  # entries of X copied at a time
SMALL_ENTRIES = 20_000  # entries of X that are copied in some microseconds
FEW = 16  # columns of R up to which BLAS is not the faster


@dataclass(frozen=True, slots=True)
class DenseDesign:
    """Dense columns.

    Parameters
    ----------
    columns : ndarray of shape (p, n), C order
        A column of X is a contiguous row.
    shift : ndarray of shape (p,)
        Constants that were taken off the columns given.
    mean : ndarray of shape (p,), optional
        Means over rows of equal weight, where they are known.
    """

    columns: FloatArray
    shift: FloatArray
    mean: FloatArray | None = None

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.columns.shape[1], self.columns.shape[0]

    @property
    def dtype(self) -> Any:
        """Type of the working columns."""
        return self.columns.dtype

    def is_small(self, count: int) -> bool:
        """Return whether so few columns are copied sooner than a kernel is compiled."""
        return count * self.shape[0] <= SMALL_ENTRIES

    def linear_predictor(self, coef: FloatArray, columns: IntArray | None = None) -> FloatArray:
        """Return X[:, columns] @ coef, (n, K); None takes all columns."""
        index = np.arange(self.shape[1]) if columns is None else columns
        if self.is_small(index.size):
            return (coef.T @ self.columns[index].astype(np.float64, copy=False)).T
        from grpsparse.backend.products import add_columns

        out = np.zeros((coef.shape[1], self.shape[0]))
        add_columns(self.columns, index, np.ascontiguousarray(coef), out)
        return out.T

    def correlate(self, residual: FloatArray, columns: IntArray | None = None) -> FloatArray:
        """Return X[:, columns]' @ residual, (len(columns), K); None takes all columns."""
        if columns is None and self.dtype == np.float64 and residual.shape[1] > FEW:
            return np.asarray(self.columns @ residual)
        index = np.arange(self.shape[1]) if columns is None else columns
        if self.is_small(index.size):
            return np.asarray(self.columns[index].astype(np.float64, copy=False) @ residual)
        from grpsparse.backend.products import column_products

        out = np.zeros((index.size, residual.shape[1]))
        column_products(self.columns, index, np.ascontiguousarray(residual.T), out)
        return out

    def working_columns(self, index: IntArray) -> FloatArray:
        """Return the columns named by `index`, (len(index), n)."""
        return self.columns[index]

    def second_moments(self, weights: FloatArray, centre: FloatArray) -> FloatArray:
        """Return the weighted sums of squares about `centre`, (p,)."""
        if self.is_small(self.shape[1]):
            away = self.columns - centre[:, None]
            moments: FloatArray = np.square(away) @ weights
            return moments
        from grpsparse.backend.products import column_moments

        out = np.empty(self.shape[1])
        column_moments(self.columns, np.arange(self.shape[1]), weights, centre, out)
        return out
