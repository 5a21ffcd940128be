"""Storage of the design matrix: dense columns, factors and sparse columns as one operator.

Nothing above this module has to ask how columns are stored. The products are the contract:
``linear_predictor(coef)`` = X coef, ``correlate(residual)`` = X'R for any number of columns
of R, ``cross(index, weights)`` = X_i' diag(w) X_j, and ``working_columns(index)``, the few
columns that a solver works on, dense. Columns keep the model's order, whatever their storage;
all columns of one storage stand together in one part.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from grpsparse.design.columns import DenseDesign
from grpsparse.design.cross import Rows, cross_part, cross_parts
from grpsparse.design.dense import dense_columns
from grpsparse.design.factor import FactorDesign
from grpsparse.design.sparse import SparseDesign
from grpsparse.groups import BoolArray, CellBlock, CodeArray, FloatArray, IntArray

__all__ = ["DENSE", "FACTOR", "SPARSE", "DenseDesign", "Design", "FactorDesign", "SparseDesign"]
__all__ += ["assemble"]

DENSE, FACTOR, SPARSE = 0, 1, 2
FAR = 30.0  # deviations from zero, beyond which at most one entry in FAR**2 is zero


@dataclass(frozen=True, slots=True)
class Design:
    """A matrix of n rows and p columns, seen through its products.

    Parameters
    ----------
    kind : ndarray of int8, shape (p,)
        Storage of each column: 0 dense, 1 factor, 2 sparse.
    position : ndarray of int, shape (p,)
        Its column within its part.
    dense : DenseDesign, optional
    factors : FactorDesign, optional
    sparse : SparseDesign, optional
        The parts, None where no column is stored so.
    """

    kind: Any
    position: IntArray
    dense: DenseDesign | None = None
    factors: FactorDesign | None = None
    sparse: SparseDesign | None = None

    @property
    def parts(self) -> list[tuple[int, Any]]:
        """The parts that there are, each after its kind."""
        every = enumerate((self.dense, self.factors, self.sparse))
        return [(kind, part) for kind, part in every if part is not None]

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.parts[0][1].shape[0], self.kind.size

    @property
    def dtype(self) -> Any:
        """Type of the working columns, the widest of the parts."""
        return np.result_type(*(part.dtype for _, part in self.parts))

    @property
    def shift(self) -> FloatArray:
        """Constants (p,) that were taken off the columns given: X here is X given - shift."""
        out = np.empty(self.kind.size)
        for kind, part in self.parts:
            out[self._members(kind)] = part.shift
        return out

    def linear_predictor(self, coef: FloatArray, columns: IntArray | None = None) -> FloatArray:
        """Return X[:, columns] @ coef, (n, K).

        Parameters
        ----------
        coef : ndarray of shape (len(columns), K)
        columns : ndarray of int, optional
            Columns, each at most once; None takes all.
        """
        if len(self.parts) == 1:
            ((_, only),) = self.parts
            product: FloatArray = only.linear_predictor(coef, columns)
            return product
        index = np.arange(self.kind.size) if columns is None else columns
        eta: FloatArray = np.zeros((coef.shape[1], self.shape[0])).T
        for kind, part in self.parts:
            mine = np.flatnonzero(self.kind[index] == kind)
            if mine.size:
                eta += part.linear_predictor(coef[mine], self.position[index[mine]])
        return eta

    def correlate(self, residual: FloatArray, columns: IntArray | None = None) -> FloatArray:
        """Return X[:, columns]' @ residual, (len(columns), K).

        Parameters
        ----------
        residual : ndarray of shape (n, K)
            Fastest in Fortran order.
        columns : ndarray of int, optional
            Columns, each at most once; None takes all. Dense ones are read where they are.
        """
        if len(self.parts) == 1:
            (_, only) = self.parts[0]
            product: FloatArray = only.correlate(residual, columns)
            return product
        kinds = self.kind if columns is None else self.kind[columns]
        out = np.empty((kinds.size, residual.shape[1]))
        for kind, part in self.parts:
            mine = np.flatnonzero(kinds == kind)
            if columns is None:
                out[mine] = part.correlate(residual)
            elif mine.size:
                out[mine] = part.correlate(residual, self.position[columns[mine]])
        return out

    def working_columns(self, index: IntArray) -> FloatArray:
        """Return the columns named by `index`, (len(index), n), one contiguous row each."""
        if len(self.parts) == 1:
            rows: FloatArray = self.parts[0][1].working_columns(self.position[index])
            return rows
        out = np.empty((index.size, self.shape[0]), dtype=self.dtype)
        for kind, part in self.parts:
            mine = np.flatnonzero(self.kind[index] == kind)
            if mine.size:
                out[mine] = part.working_columns(self.position[index[mine]])
        return out

    def second_moments(self, weights: FloatArray, centre: FloatArray) -> FloatArray:
        """Return sum_i w_i (x_ij - centre_j)^2 for every column, (p,)."""
        out = np.empty(self.kind.size)
        for kind, part in self.parts:
            mine = self._members(kind)
            out[mine] = part.second_moments(np.ascontiguousarray(weights), centre[mine])
        return out

    def cross(
        self, index: IntArray, weights: FloatArray, other: IntArray | None = None
    ) -> FloatArray:
        """Return X_i' diag(w) X_j, (len(index), len(other)).

        Parameters
        ----------
        index, other : ndarray of int
            Columns, each at most once; without `other` the same columns again.
        weights : ndarray of shape (n,)
            Not negative.
        """
        whole: FloatArray = self._cross(index, other, Rows(np.ascontiguousarray(weights)))[0]
        return whole

    def cross_by_part(
        self,
        index: IntArray,
        other: IntArray | None,
        weights: FloatArray,
        part: IntArray,
        n_parts: int,
    ) -> FloatArray:
        """Return `cross` of the rows of each part, (n_parts, len(index), len(other)).

        Parameters
        ----------
        index, other, weights
            As in `cross`.
        part : ndarray of int, shape (n,)
            Part of each row, 0..n_parts-1.
        n_parts : int
        """
        codes: CodeArray = np.ascontiguousarray(part, dtype=np.int32)
        return self._cross(index, other, Rows(np.ascontiguousarray(weights), codes, n_parts))

    def _members(self, kind: int) -> Any:
        """Return the columns of one part, in its order."""
        return slice(None) if len(self.parts) == 1 else np.flatnonzero(self.kind == kind)

    def _cross(self, index: IntArray, other: IntArray | None, rows: Rows) -> FloatArray:
        if len(self.parts) == 1:
            second = None if other is None else self.position[other]
            return cross_part(self.parts[0][1], self.position[index], second, rows)
        chosen = index if other is None else other
        out = np.zeros((rows.n_parts, index.size, chosen.size))
        for kind, first in self.parts:
            mine = np.flatnonzero(self.kind[index] == kind)
            here = self.position[index[mine]]
            for its_kind, second in self.parts:
                theirs = np.flatnonzero(self.kind[chosen] == its_kind)
                if not mine.size or not theirs.size or (other is None and its_kind < kind):
                    continue
                there = self.position[chosen[theirs]]
                if kind == its_kind:
                    block = cross_part(first, here, None if other is None else there, rows)
                else:
                    block = cross_parts(first, here, second, there, rows)
                out[:, mine[:, None], theirs] = block
                if other is None and its_kind > kind:
                    out[:, theirs[:, None], mine] = block.transpose(0, 2, 1)
        return out


def assemble(
    blocks: Sequence[Any],
    *,
    n_rows: int,
    centred: bool,
    dtype: str = "float64",
    sums: FloatArray | None = None,
) -> Design:
    """Put blocks side by side, each storage in one part.

    Beside a free intercept the mean of dense columns is taken off once, in float64, where
    products with a column far from zero (a year, say) would otherwise lose digits. A sparse
    column that is so is stored dense: it hardly has a zero.

    Parameters
    ----------
    blocks : sequence of ndarray, CellBlock or scipy sparse
        One (n, m) block per term, in order.
    n_rows : int
        Number of rows, for a design without columns.
    centred : bool
        Whether the model has a free intercept.
    dtype : str
        Storage type of the dense columns, ``"float64"`` or ``"float32"``.
    sums : ndarray of shape (p,), optional
        Sums of the columns of a single dense block, where they are known.
    """
    kinds: list[Any] = [np.empty(0, np.int8)]
    stored: tuple[list[Any], ...] = ([], [], [])
    for block in blocks:
        of_columns = _kinds(block, centred=centred)
        kinds.append(of_columns)
        for number in np.unique(of_columns).tolist():
            stored[number].append(_columns(block, of_columns == number, number))
    kind = np.concatenate(kinds)
    position = np.empty(kind.size, dtype=np.int64)
    for number in (DENSE, FACTOR, SPARSE):
        mine = kind == number
        position[mine] = np.arange(np.count_nonzero(mine))
    dense, cells, sparse = stored
    return Design(
        kind,
        position,
        _join_dense(dense or [np.empty((n_rows, 0))], centred, dtype, sums)
        if dense or not (cells or sparse)
        else None,
        _join_cells(cells) if cells else None,
        _join_sparse(sparse) if sparse else None,
    )


def _kinds(block: Any, *, centred: bool) -> Any:
    """Return the storage of a block's columns, (m,).

    A sparse column without zeros may be as far from zero as any other: where columns are centred
    it is stored dense, so that its mean can be taken off.
    """
    if isinstance(block, CellBlock):
        return np.full(block.shape[1], FACTOR, dtype=np.int8)
    if not hasattr(block, "tocsc"):
        return np.full(block.shape[1], DENSE, dtype=np.int8)
    kinds = np.full(block.shape[1], SPARSE, dtype=np.int8)
    if not centred:
        return kinds
    matrix = block.tocsc()
    for j in np.flatnonzero(np.diff(matrix.indptr) >= (1.0 - FAR**-2) * block.shape[0]).tolist():
        values = matrix.data[matrix.indptr[j] : matrix.indptr[j + 1]]
        if values.size and abs(values.mean()) > FAR * values.std():
            kinds[j] = DENSE
    return kinds


def _columns(block: Any, mine: BoolArray, kind: int) -> Any:
    """Return some columns of a block, to be stored as said."""
    if kind != SPARSE and hasattr(block, "tocsc") and not isinstance(block, CellBlock):
        return block.tocsc()[:, np.flatnonzero(mine)].toarray()
    return block if mine.all() else block.tocsc()[:, np.flatnonzero(mine)]


def _join_dense(
    blocks: list[Any], centred: bool, dtype: str, sums: FloatArray | None
) -> DenseDesign:
    return DenseDesign(*dense_columns(blocks, centred=centred, dtype=dtype, sums=sums))


def _join_cells(blocks: list[CellBlock]) -> FactorDesign:
    values = [block.values for block in blocks if block.values is not None]
    numbered = np.array([block.values is not None for block in blocks])
    return FactorDesign(
        np.stack([block.codes for block in blocks]),
        np.stack(values) if values else np.empty((0, blocks[0].shape[0])),
        np.where(numbered, np.cumsum(numbered) - 1, -1),
        np.concatenate([[0], np.cumsum([block.n_levels for block in blocks])]).astype(np.int64),
    )


def _join_sparse(blocks: list[Any]) -> SparseDesign:
    from scipy import sparse as sp

    joined = sp.hstack([sp.csc_array(block) for block in blocks], format="csc")
    joined.sum_duplicates()
    return SparseDesign(joined.astype(np.float64))
