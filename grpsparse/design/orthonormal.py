"""Transforms that make the columns of a group orthonormal under weights.

With unit-variance columns and correlation matrix R = V L V', the coordinates are
Z_g = X_g D^(-1/2) V L^(-1/2) on the eigenvalues above 1e-9 of the largest: coefficients are
then the minimum-norm ones in unit-variance columns. For indicator columns the scale is the
square root of the level's frequency, which gives the frequency-weighted sum to zero.

Groups of equal size are decomposed together.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from grpsparse.design.storage import Design
from grpsparse.groups import FloatArray, IntArray

__all__ = ["EIGENVALUE_FLOOR", "Columns", "centred_rows", "decompose", "rank_of_groups"]

EIGENVALUE_FLOOR = 1e-9  # rank counts eigenvalues of the correlation matrix above this
REFINE_BELOW = 1e-4  # condition at which one pass of Cholesky QR is added
BATCH_ENTRIES = 4_000_000  # entries of X gathered at a time


@dataclass(frozen=True, slots=True)
class Columns:
    """Columns of a design with what standardising them needs.

    Parameters
    ----------
    design : Design
    weights : ndarray of shape (n,)
    centre : ndarray of shape (p,)
        What is subtracted from each column (zeros without an intercept).
    scale : ndarray of shape (p,)
        Weighted standard deviation, or root frequency; 0 marks a constant column.
    """

    design: Design
    weights: FloatArray
    centre: FloatArray
    scale: FloatArray


def centred_rows(columns: Columns, index: IntArray) -> FloatArray:
    """Return sqrt(w) (x_j - centre_j) for the columns in `index`, (len(index), n)."""
    rows = columns.design.working_columns(index).astype(np.float64)
    rows -= columns.centre[index][:, None]
    rows *= np.sqrt(columns.weights)
    return rows


def _batches(sizes: IntArray, n_rows: int) -> Iterator[IntArray]:
    """Yield group numbers of equal size, a bounded number of entries at a time."""
    for size in np.unique(sizes[sizes > 0]):
        members = np.flatnonzero(sizes == size)
        step = max(1, BATCH_ENTRIES // max(1, int(size) * n_rows))
        for start in range(0, members.size, step):
            yield members[start : start + step]


def _correlations(
    columns: Columns, index: list[IntArray], batch: IntArray
) -> tuple[FloatArray, FloatArray]:
    """Return scaled centred columns (b, m, n) of a batch and their Grams (b, m, m)."""
    gathered = np.concatenate([index[g] for g in batch])
    rows = centred_rows(columns, gathered)
    rows /= columns.scale[gathered][:, None]
    stacked = rows.reshape(batch.size, -1, rows.shape[1])
    return stacked, stacked @ stacked.transpose(0, 2, 1)


def rank_of_groups(columns: Columns, index: list[IntArray]) -> IntArray:
    """Return the rank of every group's non-constant columns, (G,)."""
    sizes = np.array([len(i) for i in index], dtype=np.int64)
    rank = np.minimum(sizes, 1)
    for batch in _batches(np.where(sizes > 1, sizes, 0), columns.design.shape[0]):
        _, gram = _correlations(columns, index, batch)
        values = np.linalg.eigvalsh(gram)
        rank[batch] = (values > EIGENVALUE_FLOOR * values[:, -1:]).sum(axis=1)
    return rank


def decompose(columns: Columns, index: list[IntArray]) -> dict[int, FloatArray]:
    """Return the orthonormalising transform (m, rank) of every group of `index`.

    Parameters
    ----------
    columns : Columns
    index : list of ndarray
        Non-constant columns of each group; groups without columns are skipped.
    """
    sizes = np.array([len(i) for i in index], dtype=np.int64)
    out: dict[int, FloatArray] = {}
    for batch in _batches(sizes, columns.design.shape[0]):
        rows, gram = _correlations(columns, index, batch)
        values, vectors = np.linalg.eigh(gram)
        for position, g in enumerate(batch):
            turn = whiten(values[position], vectors[position], rows[position])
            out[int(g)] = turn / columns.scale[index[g]][:, None]
    return out


def whiten(values: FloatArray, vectors: FloatArray, rows: FloatArray) -> FloatArray:
    """Return T with (rows' T) orthonormal, from the eigendecomposition of rows rows'."""
    kept = values > EIGENVALUE_FLOOR * max(float(values[-1]), 1.0)
    turn: FloatArray = vectors[:, kept] / np.sqrt(values[kept])
    if kept.any() and values[kept][0] < REFINE_BELOW * values[-1]:
        image = rows.T @ turn
        factor = np.linalg.cholesky(image.T @ image)
        turn = np.linalg.solve(factor, turn.T).T
    return turn
