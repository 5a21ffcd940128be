"""Dense columns, stored one after the other, in single or double precision."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from grpsparse.groups import FloatArray, IntArray

__all__ = ["CHUNK_ENTRIES", "DenseDesign"]

CHUNK_ENTRIES = 4_000_000  # entries of X copied at a time
FEW = 16  # columns of R up to which BLAS is the slower, one excepted


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

    def linear_predictor(self, coef: FloatArray, columns: IntArray | None = None) -> FloatArray:
        """Return X[:, columns] @ coef, (n, K); None takes all columns."""
        from grpsparse.backend.products import add_columns

        index = np.arange(self.shape[1]) if columns is None else columns
        out = np.zeros((coef.shape[1], self.shape[0]))
        add_columns(self.columns, index, np.ascontiguousarray(coef), out)
        return out.T

    def correlate(self, residual: FloatArray, columns: IntArray | None = None) -> FloatArray:
        """Return X[:, columns]' @ residual, (len(columns), K); None takes all columns."""
        by_blas = residual.shape[1] == 1 or residual.shape[1] > FEW
        if columns is None and self.dtype == np.float64 and by_blas:
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
