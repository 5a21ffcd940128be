"""Weighted cross-products of columns, whole and by parts of the rows, for any storage.

Dense columns are multiplied by BLAS, cells of two terms are cross-tabulated, dense columns
with cells are segmented sums, and sparse columns take sparse products. With parts, the table
of every part is filled in the same go over the rows: the part is one more digit of the code.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from grpsparse.design.columns import CHUNK_ENTRIES, DenseDesign
from grpsparse.design.factor import FactorDesign
from grpsparse.design.sparse import SparseDesign
from grpsparse.groups import CodeArray, FloatArray, IntArray

__all__ = ["Rows", "cross_part", "cross_parts"]


@dataclass(frozen=True, slots=True)
class Rows:
    """Observation weights, and the part of the rows that each row belongs to.

    Parameters
    ----------
    weights : ndarray of shape (n,)
        Not negative.
    part : ndarray of int32, shape (n,), optional
        Numbers 0..n_parts-1; None puts all rows in one part.
    n_parts : int
    """

    weights: FloatArray
    part: CodeArray | None = None
    n_parts: int = 1

    def pieces(self, width: int) -> Iterator[tuple[int, Any]]:
        """Yield parts and rows of them, so few that `width` copies of them fit in memory."""
        n = self.weights.size
        step = max(1, CHUNK_ENTRIES // max(width, 1))
        if self.part is None:
            for low in range(0, n, step):
                yield 0, slice(low, min(n, low + step))
            return
        order = np.argsort(self.part, kind="stable")
        ends = np.cumsum(np.bincount(self.part, minlength=self.n_parts))
        for number, end in enumerate(ends.tolist()):
            first = ends[number - 1] if number else 0
            for low in range(first, end, step):
                yield number, order[low : min(end, low + step)]

    def digits(self, codes: CodeArray, base: int) -> CodeArray:
        """Return codes 0..base-1 with the part in front."""
        return codes if self.part is None else self.part * np.int32(base) + codes


def cross_part(
    design: DenseDesign | FactorDesign | SparseDesign,
    index: IntArray,
    other: IntArray | None,
    rows: Rows,
) -> FloatArray:
    """Return X_i' diag(w) X_j by part, (n_parts, len(index), len(other)), within one storage.

    Parameters
    ----------
    design : DenseDesign, FactorDesign or SparseDesign
    index, other : ndarray of int
        Columns, each at most once; None for the same columns again.
    rows : Rows
    """
    if isinstance(design, DenseDesign):
        return _dense(design, index, other, rows)
    if isinstance(design, FactorDesign):
        return _cells(design, index, other, rows)
    second = design.matrix[:, index if other is None else other]
    return _sparse(design.matrix[:, index], second, rows)


def cross_parts(
    first: DenseDesign | FactorDesign | SparseDesign,
    index: IntArray,
    second: DenseDesign | FactorDesign | SparseDesign,
    other: IntArray,
    rows: Rows,
) -> FloatArray:
    """Return X_i' diag(w) X_j by part, for columns of two storages.

    Parameters
    ----------
    first, second : DenseDesign, FactorDesign or SparseDesign
    index, other : ndarray of int
        Columns of `first` and of `second`, each at most once.
    rows : Rows
    """
    if isinstance(first, DenseDesign) and isinstance(second, FactorDesign):
        return _dense_by_cells(first, index, second, other, rows)
    if isinstance(first, SparseDesign):
        if isinstance(second, DenseDesign):
            return _sparse_by_dense(first, index, second, other, rows)
        if isinstance(second, FactorDesign):
            return _sparse(first.matrix[:, index], second.tocsc(other), rows)
    return cross_parts(second, other, first, index, rows).transpose(0, 2, 1)


def _dense(design: DenseDesign, index: IntArray, other: IntArray | None, rows: Rows) -> FloatArray:
    width = index.size if other is None else index.size + other.size
    out = np.zeros((rows.n_parts, index.size, index.size if other is None else other.size))
    for number, chosen in rows.pieces(width):
        weights = rows.weights[chosen]
        left = design.columns[:, chosen][index] if isinstance(chosen, slice) else None
        if left is None:
            left = design.columns[index[:, None], chosen]
        if other is None:
            half = left * np.sqrt(weights)
            out[number] += half @ half.T
            continue
        right = (
            design.columns[:, chosen][other]
            if isinstance(chosen, slice)
            else design.columns[other[:, None], chosen]
        )
        out[number] += (left * weights) @ right.T
    return out


def _cells(design: FactorDesign, index: IntArray, other: IntArray | None, rows: Rows) -> FloatArray:
    first = [_Term.of(design, *found) for found in design.by_term(index)]
    second = first if other is None else [_Term.of(design, *f) for f in design.by_term(other)]
    out = np.zeros((rows.n_parts, index.size, index.size if other is None else other.size))
    constant = rows.weights.size > 0 and rows.weights.min() == rows.weights.max()
    for position, a in enumerate(first):
        codes = rows.digits(a.codes, a.width)
        weights = rows.weights if a.values is None else rows.weights * a.values
        for b in second[position:] if other is None else second:
            if a.number == b.number:
                _diagonal(design, a, b, rows, out)
                continue
            table = _tabulate(codes, a, b, weights, constant, rows.n_parts)
            _place(out, a, b, table)
            if other is None:
                _place(out, b, a, table.transpose(0, 2, 1))
    return out


def _place(out: FloatArray, a: _Term, b: _Term, table: FloatArray) -> None:
    """Write a table (n_parts, levels of a, levels of b) where it belongs."""
    if isinstance(a.where, slice) and isinstance(b.where, slice):
        out[:, a.where, b.where] = table
    else:
        out[:, a.places[:, None], b.places] = table


@dataclass(frozen=True, slots=True)
class _Term:
    """Some columns of a term: codes (n,) 0..width-2 in the order of `places`, width-1 for none."""

    number: int
    places: IntArray
    levels: IntArray
    codes: CodeArray
    values: FloatArray | None
    where: slice | IntArray

    @property
    def width(self) -> int:
        return self.places.size + 1

    @classmethod
    def of(cls, design: FactorDesign, t: int, places: IntArray, levels: IntArray) -> _Term:
        codes = design.codes[t]
        n_levels = design.width(t)
        if levels.size < n_levels or (np.diff(levels) != 1).any():
            lookup = np.full(n_levels + 1, levels.size, dtype=np.int32)
            lookup[levels] = np.arange(levels.size)
            codes = lookup[codes]
        neighbours = places.size and places[-1] - places[0] == places.size - 1
        where: slice | IntArray = places
        if neighbours and (np.diff(places) == 1).all():
            where = slice(int(places[0]), int(places[-1]) + 1)
        return cls(t, places, levels, codes, design.value_of(t), where)


def _tabulate(
    codes: CodeArray, a: _Term, b: _Term, weights: FloatArray, constant: bool, n_parts: int
) -> FloatArray:
    """Return the table (n_parts, levels of a, levels of b) of weights times both numbers."""
    from grpsparse.backend.tables import count_cells, sum_cells

    size = n_parts * a.width * b.width
    if constant and a.values is None and b.values is None:
        counts = np.zeros(size, dtype=np.int32)
        count_cells(codes, b.codes, b.width, counts)
        flat = counts * weights[0]
    else:
        flat = np.zeros(size)
        both = weights if b.values is None else weights * b.values
        sum_cells(codes, b.codes, b.width, both, flat)
    tables: FloatArray = flat.reshape(n_parts, a.width, b.width)
    return tables[:, :-1, :-1]


def _diagonal(design: FactorDesign, a: _Term, b: _Term, rows: Rows, out: FloatArray) -> None:
    """Fill in the products of a term with itself, where only equal levels meet."""
    from grpsparse.backend.tables import sum_levels

    weights = rows.weights if a.values is None else rows.weights * a.values**2
    total = np.zeros((1, rows.n_parts * a.width))
    sum_levels(rows.digits(a.codes, a.width), weights[None], total)
    table = total.reshape(rows.n_parts, a.width)
    place = np.full(design.width(a.number), -1)
    place[b.levels] = b.places
    shared = np.flatnonzero(place[a.levels] >= 0)
    out[:, a.places[shared], place[a.levels[shared]]] = table[:, shared]


def _dense_by_cells(
    dense: DenseDesign, index: IntArray, cells: FactorDesign, other: IntArray, rows: Rows
) -> FloatArray:
    from grpsparse.backend.tables import sum_levels

    out = np.empty((rows.n_parts, index.size, other.size))
    terms = [_Term.of(cells, *found) for found in cells.by_term(other)]
    step = max(1, CHUNK_ENTRIES // max(rows.weights.size, 1))
    for low in range(0, index.size, step):
        few = slice(low, min(index.size, low + step))
        weighted = dense.columns[index[few]] * rows.weights
        for term in terms:
            table = np.zeros((weighted.shape[0], rows.n_parts * term.width))
            values = weighted if term.values is None else weighted * term.values
            sum_levels(rows.digits(term.codes, term.width), values, table)
            split = table.reshape(-1, rows.n_parts, term.width)[:, :, :-1]
            out[:, few, term.places] = split.transpose(1, 0, 2)
    return out


def _sparse(first: Any, second: Any, rows: Rows) -> FloatArray:
    product = _by_part(first, rows).T @ second
    return np.asarray(product.toarray()).reshape(rows.n_parts, first.shape[1], second.shape[1])


def _sparse_by_dense(
    sparse: SparseDesign, index: IntArray, dense: DenseDesign, other: IntArray, rows: Rows
) -> FloatArray:
    left = _by_part(sparse.matrix[:, index], rows).T
    out = np.empty((rows.n_parts, index.size, other.size))
    step = max(1, CHUNK_ENTRIES // max(rows.weights.size, 1))
    for low in range(0, other.size, step):
        few = slice(low, min(other.size, low + step))
        columns = dense.columns[other[few]].astype(np.float64, copy=False)
        out[:, :, few] = np.asarray(left @ columns.T).reshape(rows.n_parts, index.size, -1)
    return out


def _by_part(matrix: Any, rows: Rows) -> Any:
    """Return diag(w) X with a column for every part and column, (n, n_parts * m)."""
    from scipy import sparse as sp

    n, m = matrix.shape
    column = np.repeat(np.arange(m), np.diff(matrix.indptr))
    if rows.part is not None:
        column = column + m * rows.part[matrix.indices].astype(np.int64)
    data = matrix.data * rows.weights[matrix.indices]
    return sp.csc_array((data, (matrix.indices, column)), shape=(n, m * rows.n_parts))
