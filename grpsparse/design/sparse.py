"""Sparse columns (CSC). Centring never touches them: it is a rank-one correction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from grpsparse.groups import FloatArray, IntArray

__all__ = ["SparseDesign"]


@dataclass(frozen=True, slots=True)
class SparseDesign:
    """Sparse columns.

    Parameters
    ----------
    matrix : scipy.sparse.csc_array of shape (n, p)
    """

    matrix: Any

    @property
    def dtype(self) -> Any:
        """Type of the working columns."""
        return np.dtype(np.float64)

    @property
    def shift(self) -> FloatArray:
        """Return zeros: sparse columns stay as they are."""
        return np.zeros(self.shape[1])

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        n, p = self.matrix.shape
        return int(n), int(p)

    def linear_predictor(self, coef: FloatArray, columns: IntArray | None = None) -> FloatArray:
        """Return X[:, columns] @ coef, (n, K); None takes all columns."""
        matrix = self.matrix
        if columns is None:
            return np.asarray(matrix @ coef, dtype=np.float64)
        from grpsparse.backend.products import add_sparse

        out = np.zeros((coef.shape[1], self.shape[0]))
        weights = np.ascontiguousarray(coef.T)
        add_sparse(matrix.indptr, matrix.indices, matrix.data, columns, weights, out)
        return out.T

    def correlate(self, residual: FloatArray, columns: IntArray | None = None) -> FloatArray:
        """Return X[:, columns]' @ residual, (len(columns), K); None takes all columns."""
        matrix = self.matrix
        if columns is None:
            return np.asarray(matrix.T @ residual, dtype=np.float64)
        from grpsparse.backend.products import sparse_products

        out = np.empty((columns.size, residual.shape[1]))
        rows = np.ascontiguousarray(residual)
        sparse_products(matrix.indptr, matrix.indices, matrix.data, columns, rows, out)
        return out

    def working_columns(self, index: IntArray) -> FloatArray:
        """Return the columns named by `index`, dense, (len(index), n)."""
        dense: FloatArray = self.matrix[:, index].T.toarray(order="C")
        return dense

    def second_moments(self, weights: FloatArray, centre: FloatArray) -> FloatArray:
        """Return the weighted sums of squares about `centre`, (p,)."""
        from grpsparse.backend.products import sparse_moments

        matrix, total = self.matrix, float(weights.sum())
        moments = np.empty(matrix.shape[1])
        counted = int(np.count_nonzero(weights))
        sparse_moments(
            matrix.indptr, matrix.indices, matrix.data, weights, centre, total, counted, moments
        )
        return moments
