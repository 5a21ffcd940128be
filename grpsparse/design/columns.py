"""Dense columns, stored one after the other, in single or double precision."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from grpsparse.groups import FloatArray, IntArray

__all__ = ["CHUNK_ENTRIES", "DenseDesign"]

CHUNK_ENTRIES = 4_000_000  # entries of X copied at a time


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

    def linear_predictor(self, coef: FloatArray) -> FloatArray:
        """Return X @ coef, (n, K)."""
        active = np.flatnonzero(coef.any(axis=1))
        if self.dtype == np.float64 and 4 * active.size >= coef.shape[0]:
            return np.asarray(self.columns.T @ coef)
        n, n_classes = self.shape[0], coef.shape[1]
        out = np.zeros((n, n_classes))
        step = max(1, CHUNK_ENTRIES // max(n, 1))
        for start in range(0, active.size, step):
            few = active[start : start + step]
            out += self.columns[few].astype(np.float64, copy=False).T @ coef[few]
        return out

    def correlate(self, residual: FloatArray, columns: IntArray | None = None) -> FloatArray:
        """Return X[:, columns]' @ residual, (len(columns), K); None takes all columns."""
        if columns is None and self.dtype == np.float64:
            return np.asarray(self.columns @ residual)
        from grpsparse.backend.products import column_products

        index = np.arange(self.shape[1]) if columns is None else columns
        out = np.zeros((index.size, residual.shape[1]))
        column_products(self.columns, index, np.ascontiguousarray(residual.T), out)
        return out

    def working_columns(self, index: IntArray) -> FloatArray:
        """Return the columns named by `index`, (len(index), n)."""
        return self.columns[index]

    def second_moments(self, weights: FloatArray, centre: FloatArray) -> FloatArray:
        """Return the weighted sums of squares about `centre`, (p,)."""
        from grpsparse.backend.products import column_moments

        out = np.empty(self.shape[1])
        column_moments(self.columns, weights, centre, out)
        return out
