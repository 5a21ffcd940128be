"""Storage of the design matrix: dense, sparse, or blocks of both, as one linear operator.

Nothing above this module asks how columns are stored. Three products are the whole contract:
``linear_predictor(coef)`` = X coef, ``correlate(residual)`` = X'R for any number of columns
of R, and ``working_columns(index)``, the few columns that a solver works on, dense.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from grpsparse.design.dense import dense_columns
from grpsparse.groups import FloatArray, IntArray

__all__ = ["BlockDesign", "DenseDesign", "Design", "SparseDesign", "assemble"]

CHUNK_ENTRIES = 4_000_000  # entries of X looked at in float64 at a time


class Design(Protocol):
    """A matrix of n rows and p columns, seen through its products."""

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""

    def linear_predictor(self, coef: FloatArray) -> FloatArray:
        """Return X @ coef, (n, K), for coef (p, K)."""

    def correlate(self, residual: FloatArray) -> FloatArray:
        """Return X' @ residual, (p, K), for residual (n, K)."""

    def working_columns(self, index: IntArray) -> FloatArray:
        """Return the columns named by `index`, (len(index), n), one contiguous row each."""

    def second_moments(self, weights: FloatArray, centre: FloatArray) -> FloatArray:
        """Return sum_i w_i (x_ij - centre_j)^2 for every column, (p,)."""

    @property
    def dtype(self) -> Any:
        """Type of the working columns."""

    @property
    def shift(self) -> FloatArray:
        """Constants (p,) that were taken off the columns given: X here is X given - shift."""


@dataclass(frozen=True, slots=True)
class DenseDesign:
    """Dense columns, stored one after the other."""

    columns: FloatArray  # (p, n), C order: a column of X is a contiguous row
    shift: FloatArray  # (p,)
    mean: FloatArray | None = None  # (p,), over rows of equal weight, where it is known

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.columns.shape[1], self.columns.shape[0]

    @property
    def dtype(self) -> Any:
        """Type of the working columns."""
        return self.columns.dtype

    def linear_predictor(self, coef: FloatArray) -> FloatArray:
        """Return X @ coef."""
        active = np.flatnonzero(coef.any(axis=1))
        if self.dtype == np.float64 and 4 * active.size >= coef.shape[0]:
            return _float64(self.columns.T @ coef)
        return _float64(self.columns[active].astype(np.float64).T @ coef[active])

    def correlate(self, residual: FloatArray) -> FloatArray:
        """Return X' @ residual."""
        if self.dtype == np.float64:
            return _float64(self.columns @ residual)
        n, p = self.shape
        step = max(1, CHUNK_ENTRIES // max(n, 1))  # widened piece by piece, never whole
        pieces = [
            self.columns[start : start + step].astype(np.float64) @ residual
            for start in range(0, p, step)
        ]
        return np.concatenate([np.empty((0, residual.shape[1])), *pieces])

    def working_columns(self, index: IntArray) -> FloatArray:
        """Return the columns named by `index`."""
        return self.columns[index]

    def second_moments(self, weights: FloatArray, centre: FloatArray) -> FloatArray:
        """Return the weighted sums of squares about `centre`."""
        n, p = self.shape
        out = np.empty(p)
        chunk = max(1, CHUNK_ENTRIES // max(n, 1))
        for start in range(0, p, chunk):
            stop = min(p, start + chunk)
            deviations = self.columns[start:stop].astype(np.float64) - centre[start:stop, None]
            out[start:stop] = (deviations * deviations) @ weights
        return out


@dataclass(frozen=True, slots=True)
class SparseDesign:
    """Sparse columns (CSC). Centring never touches them: it is a rank-one correction."""

    matrix: Any  # scipy.sparse.csc_array (n, p)

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

    def linear_predictor(self, coef: FloatArray) -> FloatArray:
        """Return X @ coef."""
        return _float64(self.matrix @ coef)

    def correlate(self, residual: FloatArray) -> FloatArray:
        """Return X' @ residual."""
        return _float64(self.matrix.T @ residual)

    def working_columns(self, index: IntArray) -> FloatArray:
        """Return the columns named by `index`, dense."""
        dense: FloatArray = self.matrix[:, index].T.toarray(order="C")
        return dense

    def second_moments(self, weights: FloatArray, centre: FloatArray) -> FloatArray:
        """Return the weighted sums of squares about `centre`."""
        matrix = self.matrix
        column = np.repeat(np.arange(matrix.shape[1]), np.diff(matrix.indptr))
        stored = weights[matrix.indices]
        about = stored * (matrix.data - centre[column]) ** 2
        p = matrix.shape[1]
        present = np.bincount(column, weights=stored, minlength=p)
        counted = np.bincount(column, weights=stored > 0, minlength=p)
        full = counted == np.count_nonzero(weights > 0)  # the difference would be rounding
        absent = np.where(full, 0.0, np.maximum(weights.sum() - present, 0.0))
        moments: FloatArray = np.bincount(column, weights=about, minlength=p) + absent * centre**2
        return moments


@dataclass(frozen=True, slots=True)
class BlockDesign:
    """Designs side by side; each answers for its own columns."""

    parts: tuple[Design, ...]
    starts: IntArray  # (len(parts) + 1,), first column of each part

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.parts[0].shape[0], int(self.starts[-1])

    @property
    def dtype(self) -> Any:
        """Type of the working columns, the widest of the parts."""
        return np.result_type(*(part.dtype for part in self.parts))

    @property
    def shift(self) -> FloatArray:
        """Return the shifts of the parts, one after the other."""
        return np.concatenate([part.shift for part in self.parts])

    def linear_predictor(self, coef: FloatArray) -> FloatArray:
        """Return X @ coef."""
        eta = self.parts[0].linear_predictor(coef[: self.starts[1]])
        for part, start, stop in zip(
            self.parts[1:], self.starts[1:], self.starts[2:], strict=False
        ):
            eta = eta + part.linear_predictor(coef[start:stop])
        return eta

    def correlate(self, residual: FloatArray) -> FloatArray:
        """Return X' @ residual."""
        return np.concatenate([part.correlate(residual) for part in self.parts])

    def working_columns(self, index: IntArray) -> FloatArray:
        """Return the columns named by `index`, dense."""
        out = np.empty((index.size, self.shape[0]))
        owner = np.searchsorted(self.starts, index, side="right") - 1
        for number, part in enumerate(self.parts):
            mine = np.flatnonzero(owner == number)
            if mine.size:
                out[mine] = part.working_columns(index[mine] - self.starts[number])
        return out

    def second_moments(self, weights: FloatArray, centre: FloatArray) -> FloatArray:
        """Return the weighted sums of squares about `centre`."""
        bounds = zip(self.starts[:-1], self.starts[1:], strict=True)
        return np.concatenate(
            [
                part.second_moments(weights, centre[start:stop])
                for part, (start, stop) in zip(self.parts, bounds, strict=True)
            ]
        )


def assemble(
    blocks: Sequence[Any], *, n_rows: int, centred: bool, dtype: str = "float64"
) -> Design:
    """Put dense (n, m) and sparse blocks side by side, merging neighbours of one kind.

    Beside a free intercept the mean of dense columns is taken off once, in float64, where
    products with a column far from zero (a year, say) would otherwise lose digits.

    Parameters
    ----------
    blocks : sequence of ndarray or scipy sparse
        One per term, in order.
    n_rows : int
        Number of rows, for a design without columns.
    centred : bool
        Whether the model has a free intercept.
    dtype : str
        Storage type of the dense columns, ``"float64"`` or ``"float32"``.
    """
    runs: list[tuple[bool, list[Any]]] = []
    for block in blocks:
        sparse = hasattr(block, "tocsc")
        if runs and runs[-1][0] == sparse:
            runs[-1][1].append(block)
        else:
            runs.append((sparse, [block]))
    parts = tuple(_merge(sparse, run, centred, dtype) for sparse, run in runs)
    if not parts:
        return DenseDesign(np.empty((0, n_rows), dtype=dtype), np.empty(0))
    if len(parts) == 1:
        return parts[0]
    widths = [part.shape[1] for part in parts]
    return BlockDesign(parts, np.concatenate([[0], np.cumsum(widths)]).astype(np.int64))


def _merge(sparse: bool, run: list[Any], centred: bool, dtype: str) -> Design:
    if sparse:
        from scipy import sparse as sp

        joined = sp.hstack([sp.csc_array(block) for block in run], format="csc")
        joined.sum_duplicates()
        return SparseDesign(joined.astype(np.float64))
    return DenseDesign(*dense_columns(run, centred=centred, dtype=dtype))


def _float64(array: Any) -> FloatArray:
    return np.asarray(array, dtype=np.float64)
