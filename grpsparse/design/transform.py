"""Linear maps from coordinates to the columns of X: one column each, or a sparse matrix.

A map T (p x q) takes coefficients of coordinates to those of columns; products with X come back
through T'. Both kinds answer alike.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from grpsparse.groups import BoolArray, FloatArray, IntArray

__all__ = ["ColumnScale", "SparseTransform", "Transform"]


class Transform(Protocol):
    """What coordinates need of their map T."""

    @property
    def size(self) -> int:
        """Number of coordinates q."""

    def part(self, coordinates: IntArray) -> tuple[IntArray, Transform]:
        """Return the columns that some coordinates act on, and the map between these two."""

    def by_group(self, coordinates: IntArray, size: int) -> tuple[IntArray, FloatArray] | None:
        """Return the columns (g, c) and the maps (g, c, m) of groups of m coordinates each.

        None where the coordinates of a group do not all combine the same c columns.
        """

    def back(self, product: FloatArray) -> FloatArray:
        """Return T' @ product, (q, K), for product (p, K)."""

    def forward(self, theta: FloatArray) -> FloatArray:
        """Return T @ theta, (p, M), for theta (q, M)."""

    def matrix(self) -> Any:
        """Return T as a scipy.sparse array of shape (p, q)."""


@dataclass(frozen=True, slots=True)
class ColumnScale:
    """Every coordinate is a multiple of one column, which several have where groups overlap.

    Parameters
    ----------
    index, scale : ndarray of shape (q,)
        The column of each coordinate, and its factor.
    n_columns : int
        Number of columns p.
    in_order : bool
        Whether coordinate j is a multiple of column j, for all of them.
    repeated : bool
        Whether a column is in several coordinates.
    """

    index: IntArray
    scale: FloatArray
    n_columns: int
    in_order: bool
    repeated: bool = False

    @classmethod
    def of(cls, index: IntArray, scale: FloatArray, n_columns: int) -> ColumnScale:
        """Find out whether the columns are in order, and whether any is there twice."""
        ordered = index.size == n_columns and bool((index == np.arange(index.size)).all())
        repeated = not ordered and bool((np.bincount(index, minlength=1) > 1).any())
        return cls(index, scale, n_columns, ordered, repeated)

    @property
    def size(self) -> int:
        """Number of coordinates q."""
        return self.index.size

    def part(self, coordinates: IntArray) -> tuple[IntArray, ColumnScale]:
        """Return the columns that some coordinates act on, and the map between these two."""
        columns, count = self.index[coordinates], coordinates.size
        if self.repeated:
            columns, place = np.unique(columns, return_inverse=True)
            return columns, ColumnScale.of(place, self.scale[coordinates], columns.size)
        return columns, ColumnScale(np.arange(count), self.scale[coordinates], count, in_order=True)

    def by_group(self, coordinates: IntArray, size: int) -> tuple[IntArray, FloatArray]:
        """Return the columns (g, m) and the diagonal maps (g, m, m) of groups."""
        shape = (coordinates.size // size, size)
        scale = self.scale[coordinates].reshape(shape)
        return self.index[coordinates].reshape(shape), np.eye(size) * scale[:, :, None]

    def back(self, product: FloatArray) -> FloatArray:
        """Return T' @ product, (q, K)."""
        rows = product if self.in_order else product[self.index]
        out: FloatArray = rows * self.scale[:, None]
        return out

    def forward(self, theta: FloatArray) -> FloatArray:
        """Return T @ theta, (p, M)."""
        if self.in_order:
            return np.asarray(theta * self.scale[:, None])
        out = np.zeros((self.n_columns, theta.shape[1]))
        if self.repeated:
            np.add.at(out, self.index, theta * self.scale[:, None])
            return out
        out[self.index] = theta * self.scale[:, None]
        return out

    def matrix(self) -> Any:
        """Return T as a scipy.sparse array of shape (p, q)."""
        from scipy import sparse as sp

        triple = (self.scale, self.index, np.arange(self.size + 1))
        return sp.csc_array(triple, shape=(self.n_columns, self.size))


@dataclass(frozen=True, slots=True)
class SparseTransform:
    """Coordinates that combine columns.

    Parameters
    ----------
    rows : scipy.sparse.csr_array of shape (q, p)
        T', a row per coordinate.
    """

    rows: Any

    @property
    def size(self) -> int:
        """Number of coordinates q."""
        return int(self.rows.shape[0])

    def part(self, coordinates: IntArray) -> tuple[IntArray, SparseTransform]:
        """Return the columns that some coordinates act on, and the map between these two."""
        from scipy import sparse as sp

        few = self.rows[coordinates]
        touched: BoolArray = np.zeros(self.rows.shape[1], dtype=np.bool_)
        touched[few.indices] = True
        columns = np.flatnonzero(touched)
        place = np.cumsum(touched) - 1
        shape = (coordinates.size, columns.size)
        small = sp.csr_array((few.data, place[few.indices], few.indptr), shape=shape)
        return columns, SparseTransform(small)

    def by_group(self, coordinates: IntArray, size: int) -> tuple[IntArray, FloatArray] | None:
        """Return the columns and maps of groups, None where these combine no common columns."""
        few = self.rows[coordinates]
        count = few.indices.size // coordinates.size
        if not (np.diff(few.indptr) == count).all():
            return None
        columns = few.indices.reshape(-1, size, count).astype(np.int64)
        if (columns != columns[:, :1]).any():
            return None
        maps = few.data.reshape(columns.shape).transpose(0, 2, 1)
        return columns[:, 0], np.ascontiguousarray(maps)

    def back(self, product: FloatArray) -> FloatArray:
        """Return T' @ product, (q, K)."""
        return np.asarray(self.rows @ product)

    def forward(self, theta: FloatArray) -> FloatArray:
        """Return T @ theta, (p, M)."""
        return np.asarray(self.rows.T @ theta)

    def matrix(self) -> Any:
        """Return T as a scipy.sparse array of shape (p, q)."""
        return self.rows.T
