"""Transforms that make the columns of a group orthonormal under weights.

With unit-variance columns and correlation matrix R = V L V', the coordinates are
Z_g = X_g D^(-1/2) V L^(-1/2) on the eigenvalues above 1e-9 of the largest: coefficients are
then the minimum-norm ones in unit-variance columns. For indicator columns the scale is the
square root of the level's frequency, which gives the frequency-weighted sum to zero. Where R is
far from singular its Cholesky factor serves as well, at a fraction of the cost: with R = C C',
trace(R^-1) = ||C^-1||^2 bounds the smallest eigenvalue from below by its inverse.

Groups of equal size are decomposed together.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from grpsparse.design.dense import sample_rows
from grpsparse.design.grams import centred_gram, image_gram
from grpsparse.design.storage import FACTOR, Design
from grpsparse.groups import BoolArray, FloatArray, IntArray

__all__ = [
    "EIGENVALUE_FLOOR",
    "Columns",
    "Turned",
    "centred_rows",
    "decompose",
    "rank_of_groups",
]

EIGENVALUE_FLOOR = 1e-9  # rank counts eigenvalues of the correlation matrix above this
REFINE_BELOW = 1e-4  # condition at which one pass of Cholesky QR is added
BATCH_ENTRIES = 262_144  # entries of X gathered at a time, which stay in cache
GRAM_ENTRIES = 4_000_000  # entries of Grams held at a time
NEAR = 1.0  # deviations from zero up to which a centred Gram is a corrected one
SAMPLED = 4  # rows, per column of a group, of a sample that may prove its rank


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


@dataclass(frozen=True, slots=True)
class Turned:
    """Transforms of b groups of m columns and r coordinates each.

    Parameters
    ----------
    groups : ndarray of int, shape (b,)
    index : ndarray of int, shape (b, m)
        Their columns.
    turn : ndarray of shape (b, m, r)
    """

    groups: IntArray
    index: IntArray
    turn: FloatArray


def centred_rows(columns: Columns, index: IntArray) -> FloatArray:
    """Return sqrt(w) (x_j - centre_j) for the columns in `index`, (len(index), n)."""
    rows = columns.design.working_columns(index).astype(np.float64, copy=False)
    rows = rows - columns.centre[index][:, None]
    rows *= np.sqrt(columns.weights)
    return rows


def _batches(sizes: IntArray, index: IntArray) -> Iterator[tuple[IntArray, IntArray]]:
    """Yield groups (b,) of equal size and their columns (b, m), some millions of Gram entries.

    Groups take their columns from `index` one after the other; those without are left out.
    """
    starts = np.cumsum(sizes) - sizes
    for size in np.unique(sizes[sizes > 0]).tolist():
        same = np.flatnonzero(sizes == size)
        step = max(1, GRAM_ENTRIES // (size * size))
        for begin in range(0, same.size, step):
            groups = same[begin : begin + step]
            yield groups, index[starts[groups][:, None] + np.arange(size)]


def _correlations(columns: Columns, index: IntArray) -> FloatArray:
    """Return the correlation matrices (b, m, m) of groups of columns (b, m)."""
    unit = 1.0 / columns.scale[index]
    grams = _grams_in_place(columns, index)
    if grams is None:
        grams = _grams(columns, index)
    grams *= unit[:, :, None] * unit[:, None, :]
    return grams


def _grams(columns: Columns, index: IntArray) -> FloatArray:
    """Return the Grams (b, m, m) of centred columns (b, m) under the weights."""
    design = columns.design
    if (design.kind[index] == FACTOR).any():
        centre, weights = columns.centre, columns.weights
        return np.stack([centred_gram(design, group, weights, centre) for group in index])
    count, size = index.shape
    out = np.empty((count, size, size))
    n_rows = design.shape[0]
    step = max(1, BATCH_ENTRIES // max(1, size * n_rows))
    for begin in range(0, count, step):
        few = index[begin : begin + step]
        rows = centred_rows(columns, few.ravel()).reshape(*few.shape, n_rows)
        np.matmul(rows, rows.transpose(0, 2, 1), out=out[begin : begin + step])
    return out


def _grams_in_place(columns: Columns, index: IntArray) -> FloatArray | None:
    """Return the same from neighbouring dense columns under equal weights, or None.

    Nothing is copied and centring is a rank-one correction, for columns near enough to zero.
    """
    dense, first, weights = columns.design.dense, int(index[0, 0]), columns.weights
    near = (np.abs(columns.centre[index]) <= NEAR * columns.scale[index]).all()
    uniform = near and weights.min() == weights.max()
    if dense is None or not uniform or len(columns.design.parts) > 1:
        return None
    if dense.dtype != np.float64 or (index.ravel() != first + np.arange(index.size)).any():
        return None
    rows = dense.columns[first : first + index.size].reshape(*index.shape, -1)
    grams: FloatArray = rows @ rows.transpose(0, 2, 1)
    grams *= weights[0]
    centre = columns.centre[index]
    grams -= centre[:, :, None] * centre[:, None, :]
    return grams


def _inverse_roots(grams: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return C^-1 (b, m, m) with C C' the Grams, and lower bounds (b,) of their eigenvalues.

    A bound is 0 where there is no such factor.
    """
    try:
        inverse = np.linalg.inv(np.linalg.cholesky(grams))
    except np.linalg.LinAlgError:
        if grams.shape[0] == 1:
            return np.zeros_like(grams), np.zeros(1)
        half = grams.shape[0] // 2
        first, second = _inverse_roots(grams[:half]), _inverse_roots(grams[half:])
        return np.concatenate([first[0], second[0]]), np.concatenate([first[1], second[1]])
    return inverse, 1.0 / np.einsum("bij,bij->b", inverse, inverse)


def rank_of_groups(columns: Columns, sizes: IntArray, index: IntArray) -> IntArray:
    """Return the rank of every group's non-constant columns, (G,).

    Parameters
    ----------
    columns : Columns
    sizes : ndarray of int, shape (G,)
        How many non-constant columns each group has.
    index : ndarray of int
        These columns, group after group.
    """
    rank = np.minimum(sizes, 1)
    for groups, few in _batches(np.where(sizes > 1, sizes, 0), _of_several(sizes, index)):
        size = few.shape[1]
        rank[groups] = size
        doubtful = np.flatnonzero(~_proven(columns, few))
        if doubtful.size:
            values = np.linalg.eigvalsh(_correlations(columns, few[doubtful]))
            counted = (values > EIGENVALUE_FLOOR * values[:, -1:]).sum(axis=1)
            rank[groups[doubtful]] = counted
    return rank


def _of_several(sizes: IntArray, index: IntArray) -> IntArray:
    """Return the columns of groups of more than one."""
    return index[np.repeat(sizes > 1, sizes)]


def _proven(columns: Columns, index: IntArray) -> BoolArray:
    """Return which groups (b, m) have full rank on the evidence of a few rows.

    Leaving rows out takes a positive semidefinite part off the Gram, so a smallest eigenvalue
    that is large enough stays so.
    """
    count, size = index.shape
    sample = sample_rows(columns.design, index.ravel(), SAMPLED * size)
    if sample is None:
        return np.zeros(count, dtype=np.bool_)
    values, chosen = sample
    rows = values - columns.centre[index].reshape(-1, 1)
    rows *= np.sqrt(columns.weights[chosen]) / columns.scale[index].reshape(-1, 1)
    stacked = rows.reshape(count, size, -1)
    _, lowest = _inverse_roots(stacked @ stacked.transpose(0, 2, 1))
    # the largest eigenvalue of a correlation matrix is at most its size
    return np.asarray(lowest > 10.0 * EIGENVALUE_FLOOR * size)


def decompose(columns: Columns, sizes: IntArray, index: IntArray) -> Iterator[Turned]:
    """Yield the orthonormalising transforms of all groups that have a column.

    Parameters
    ----------
    columns, sizes, index
        As for :func:`rank_of_groups`.
    """
    for groups, few in _batches(sizes, index):
        grams = _correlations(columns, few) if few.shape[1] > 1 else np.ones((groups.size, 1, 1))
        inverse, lowest = _inverse_roots(grams)
        sure = lowest > REFINE_BELOW * few.shape[1]
        unit = 1.0 / columns.scale[few][:, :, None]
        if sure.any():
            yield Turned(groups[sure], few[sure], (inverse.transpose(0, 2, 1) * unit)[sure])
        for place in np.flatnonzero(~sure).tolist():
            turn = _whiten(columns, few[place], grams[place])
            yield Turned(groups[place : place + 1], few[place : place + 1], turn[None])


def _whiten(columns: Columns, index: IntArray, gram: FloatArray) -> FloatArray:
    """Return the transform (m, r) of one group, from its correlation matrix of any rank."""
    values, vectors = np.linalg.eigh(gram)
    kept = values > EIGENVALUE_FLOOR * max(float(values[-1]), 1.0)
    turn = vectors[:, kept] / np.sqrt(values[kept]) / columns.scale[index][:, None]
    if kept.any() and values[kept][0] < REFINE_BELOW * values[-1]:
        image = image_gram(columns.design, index, turn, columns.weights, columns.centre)
        turn = np.linalg.solve(np.linalg.cholesky(image), turn.T).T
    return np.asarray(turn)
