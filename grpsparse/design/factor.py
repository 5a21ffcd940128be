"""Factors as integer codes: their columns are never expanded.

A term whose columns are the cells of factors, or such cells times one number, has at most one
nonzero column in a row. It is stored as that column's code, and the number; every product is
a loop over the rows of one code row.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from grpsparse.groups import CodeArray, FloatArray, IntArray

__all__ = ["FactorDesign"]


@dataclass(frozen=True, slots=True)
class FactorDesign:
    """Columns of d terms, each one code for every row.

    Parameters
    ----------
    codes : ndarray of int32, shape (d, n), C order
        Level of each row; the number of levels where a row has no column there.
    values : ndarray of shape (v, n)
        Numbers that stand in the columns.
    value_row : ndarray of int, shape (d,)
        Row of `values` of each term, -1 for indicators of 1.
    starts : ndarray of int, shape (d + 1,)
        First column of each term.
    """

    codes: CodeArray
    values: FloatArray
    value_row: IntArray
    starts: IntArray

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.codes.shape[1], int(self.starts[-1])

    @property
    def dtype(self) -> Any:
        """Type of the working columns."""
        return np.dtype(np.float64)

    @property
    def shift(self) -> FloatArray:
        """Return zeros: the codes stand for columns as they are."""
        return np.zeros(self.shape[1])

    def width(self, t: int) -> int:
        """Return the number of columns of term t."""
        return int(self.starts[t + 1] - self.starts[t])

    def value_of(self, t: int) -> FloatArray | None:
        """Return the numbers (n,) of term t, None for indicators."""
        return None if self.value_row[t] < 0 else self.values[self.value_row[t]]

    def by_term(self, index: IntArray) -> list[tuple[int, IntArray, IntArray]]:
        """Return, for every term that `index` names, its number, the places in `index`, and levels.

        Parameters
        ----------
        index : ndarray of int
            Columns, each at most once.
        """
        if not index.size:
            return []
        owner = np.searchsorted(self.starts, index, side="right") - 1
        order = np.argsort(owner, kind="stable")
        terms, first = np.unique(owner[order], return_index=True)
        places = np.split(order, first[1:])
        return [
            (int(t), place, index[place] - self.starts[t])
            for t, place in zip(terms, places, strict=True)
        ]

    def linear_predictor(self, coef: FloatArray, columns: IntArray | None = None) -> FloatArray:
        """Return X[:, columns] @ coef, (n, K); None takes all columns."""
        from grpsparse.backend.tables import gather_levels

        n, n_classes = self.shape[0], coef.shape[1]
        out = np.zeros((n_classes, n))
        for t, places, levels in self.by_term(
            np.arange(self.shape[1]) if columns is None else columns
        ):
            table = np.zeros((n_classes, self.width(t) + 1))
            table[:, levels] = coef[places].T
            values = self.value_of(t)
            if values is None:
                gather_levels(self.codes[t], table, out)
            else:
                effect = np.zeros_like(out)
                gather_levels(self.codes[t], table, effect)
                effect *= values
                out += effect
        return out.T

    def correlate(self, residual: FloatArray, columns: IntArray | None = None) -> FloatArray:
        """Return X[:, columns]' @ residual, (len(columns), K); None takes all columns."""
        rows = np.ascontiguousarray(residual.T)
        if columns is None:
            tables = [self.sums(t, rows).T for t in range(self.value_row.size)]
            return np.concatenate([np.empty((0, rows.shape[0])), *tables])
        out = np.empty((columns.size, rows.shape[0]))
        for t, places, levels in self.by_term(columns):
            out[places] = self.sums(t, rows)[:, levels].T
        return out

    def sums(self, t: int, rows: FloatArray) -> FloatArray:
        """Return the sums (K, m) over the levels of term t, of `rows` (K, n) times its numbers."""
        from grpsparse.backend.tables import sum_levels

        values = self.value_of(t)
        table = np.zeros((rows.shape[0], self.width(t) + 1))
        sum_levels(self.codes[t], rows if values is None else rows * values, table)
        return table[:, :-1]

    def working_columns(self, index: IntArray) -> FloatArray:
        """Return the columns named by `index`, dense, (len(index), n)."""
        out = np.zeros((index.size, self.shape[0]))
        for t, places, levels in self.by_term(index):
            lookup = np.full(self.width(t) + 1, -1)
            lookup[levels] = places
            place = lookup[self.codes[t]]
            rows = np.flatnonzero(place >= 0)
            values = self.value_of(t)
            out[place[rows], rows] = 1.0 if values is None else values[rows]
        return out

    def second_moments(self, weights: FloatArray, centre: FloatArray) -> FloatArray:
        """Return the weighted sums of squares about `centre`, (p,)."""
        out = np.empty(self.shape[1])
        total = float(weights.sum())
        for t in range(self.value_row.size):
            own = slice(int(self.starts[t]), int(self.starts[t + 1]))
            present = self._totals(t, weights)
            values, middle = self.value_of(t), centre[own]
            if values is None:
                about = present[:-1] * (1.0 - middle) ** 2
            else:
                away = values - np.append(middle, 0.0)[self.codes[t]]
                about = self._totals(t, weights * away * away)[:-1]
            # where all rows are in one level the difference would be rounding
            alone = np.count_nonzero(present) == 1
            rest = np.maximum(total - present[:-1], 0.0)
            absent = np.where(alone & (present[:-1] > 0), 0.0, rest)
            out[own] = about + absent * middle**2
        return out

    def _totals(self, t: int, row: FloatArray) -> FloatArray:
        """Return the sums (m + 1,) of `row` (n,) over the levels of term t, and over no level."""
        from grpsparse.backend.tables import sum_levels

        table: FloatArray = np.zeros((1, self.width(t) + 1))
        sum_levels(self.codes[t], row[None], table)
        return table.ravel()

    def tocsc(self, index: IntArray) -> Any:
        """Return the columns named by `index` as a scipy.sparse.csc_array."""
        from scipy import sparse as sp

        rows, columns, data = [np.empty(0, np.int64)], [np.empty(0, np.int64)], [np.empty(0)]
        for t, places, levels in self.by_term(index):
            lookup = np.full(self.width(t) + 1, -1)
            lookup[levels] = places
            place = lookup[self.codes[t]]
            present = np.flatnonzero(place >= 0)
            values = self.value_of(t)
            rows.append(present)
            columns.append(place[present])
            data.append(np.ones(present.size) if values is None else values[present])
        triple = (np.concatenate(data), (np.concatenate(rows), np.concatenate(columns)))
        return sp.csc_array(triple, shape=(self.shape[0], index.size))
