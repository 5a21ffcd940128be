"""Standardised coordinates of the groups under one set of observation weights.

The solver never sees the columns of X but coordinates Z = (X - 1m') T with W = diag(w)/sum(w):

- ``"group"``: Z_g'WZ_g = I for every group, so that no fit depends on how a factor is coded.
  A factor needs no decomposition: its indicator columns over sqrt(frequency) are a
  (redundant) orthonormal frame of the same space, and penalising their coefficients is
  penalising the orthonormalised group. An interaction is first made orthogonal to its
  margins.
- ``"column"``: every column has unit weighted variance; ``"none"``: columns as they are.

T is one sparse matrix, p x q. It belongs to a set of weights: cross-validation and bootstrap
refit it, while X is shared and never copied.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from grpsparse.design.dense import CONSTANT_BELOW
from grpsparse.design.margins import MAX_MARGIN_COLUMNS, orthogonal_interaction
from grpsparse.design.orthonormal import Columns, decompose, rank_of_groups
from grpsparse.design.storage import Design
from grpsparse.groups import BoolArray, FloatArray, IntArray, TermColumns

__all__ = ["CONSTANT_BELOW", "Standardised", "standardise"]


@dataclass(frozen=True, slots=True)
class Standardised:
    """The design in standardised coordinates, for one set of weights.

    Parameters
    ----------
    design : Design
        The n x p matrix.
    transform : scipy.sparse.csr_array of shape (p, q)
        Coefficients of the columns of X = transform @ coefficients of the coordinates.
    own : scipy.sparse.csr_array of shape (p, q)
        The part of `transform` on a group's own columns; the rest moves the margins of an
        interaction.
    leak : scipy.sparse.csr_array of shape (p, p) or None
        ``transform = own + leak @ own``; None where nothing leaks.
    centre : ndarray of shape (q,)
        Weighted means of X @ transform, zero without an intercept.
    starts : ndarray of shape (G + 1,)
        Coordinates of group g are ``starts[g]:starts[g + 1]``.
    rank : ndarray of shape (G,)
        Ranks of the groups' (centred) columns under the weights.
    frame : ndarray of bool, shape (G,)
        Groups whose coordinates are a redundant frame: the indicators of a factor, where the
        direction of the root frequencies moves nothing.
    notes : tuple of str
        Sentences about what could not be done as asked.
    """

    design: Design
    transform: Any
    own: Any
    leak: Any
    centre: FloatArray
    starts: IntArray
    rank: IntArray
    frame: BoolArray
    notes: tuple[str, ...]

    @property
    def size(self) -> int:
        """Number of coordinates q."""
        return int(self.starts[-1])

    def correlate(self, residual: FloatArray) -> FloatArray:
        """Return Z'R, (q, K), for R (n, K) that already carries the weights."""
        product = self.transform.T @ self.design.correlate(residual)
        return np.asarray(product - np.outer(self.centre, residual.sum(axis=0)))

    def linear_predictor(self, theta: FloatArray) -> FloatArray:
        """Return Z @ theta, (n, K)."""
        active = np.flatnonzero(theta.any(axis=1))
        if not active.size:
            return np.zeros((self.design.shape[0], theta.shape[1]))
        coef = self.transform[:, active] @ theta[active]
        return self.design.linear_predictor(coef) - self.centre[active] @ theta[active]

    def canonical(self, theta: FloatArray) -> FloatArray:
        """Return theta (L, q, K) without what its redundant directions hold by rounding."""
        if not self.frame.any():
            return theta
        out = theta.copy()
        for g in np.flatnonzero(self.frame):
            rows = slice(self.starts[g], self.starts[g + 1])
            root = 1.0 / np.asarray(self.own[:, rows].max(axis=0).todense()).ravel()
            along = np.einsum("q,lqk->lk", root, theta[:, rows]) / (root @ root)
            out[:, rows] -= root[:, None] * along[:, None, :]
        return out

    def working_rows(self, coordinates: IntArray) -> FloatArray:
        """Return the coordinates' columns of Z, (len(coordinates), n), contiguous rows."""
        part = self.transform[:, coordinates].tocsc()
        needed, position = np.unique(part.indices, return_inverse=True)
        columns = self.design.working_columns(needed)
        if part.nnz == coordinates.size and bool((np.diff(part.indptr) == 1).all()):
            rows = columns[position] * part.data[:, None]
        else:
            rows = part[needed].T @ columns
        rows -= self.centre[coordinates][:, None]
        return np.ascontiguousarray(rows, dtype=columns.dtype)


def standardise(
    design: Design,
    terms: Sequence[TermColumns],
    weights: FloatArray,
    *,
    mode: str,
    intercept: bool,
) -> Standardised:
    """Compute the standardised coordinates of a design under weights.

    Parameters
    ----------
    design : Design
    terms : sequence of TermColumns
        The groups.
    weights : ndarray of shape (n,)
        Non-negative, summing to one.
    mode : str
        ``"group"``, ``"column"`` or ``"none"``.
    intercept : bool
        Whether columns are centred under the weights.
    """
    columns = _measure(design, terms, weights, mode=mode, intercept=intercept)
    kept = [term.index[columns.scale[term.index] > 0] for term in terms]
    pieces = _Pieces(design.shape[1], len(terms))
    if mode == "group":
        _orthonormalise(pieces, columns, terms, kept, intercept=intercept)
    else:
        rank = rank_of_groups(columns, kept)
        for g, index in enumerate(kept):
            scale = columns.scale[index] if mode == "column" else np.ones(index.size)
            pieces.add(g, index, 1.0 / scale, int(rank[g]))
    return pieces.join(design, columns.centre)


def _measure(
    design: Design,
    terms: Sequence[TermColumns],
    weights: FloatArray,
    *,
    mode: str,
    intercept: bool,
) -> Columns:
    """Return centres and scales of the columns; a constant column gets scale 0."""
    p = design.shape[1]
    mean = design.correlate(weights[:, None])[:, 0]
    zero = np.zeros(p)
    raw = design.second_moments(weights, -design.shift)  # about zero of the columns as given
    spread = design.second_moments(weights, mean) if intercept else raw
    # rows of weight zero may be all that a column varies in: its size is that of all rows
    size = np.hypot(np.sqrt(raw), design.shift)
    constant = np.sqrt(spread) <= CONSTANT_BELOW * size
    scale = np.sqrt(spread)
    for term in terms:
        if mode == "group" and term.scale == "rms":
            scale[term.index] = np.sqrt(raw[term.index])
    scale[constant] = 0.0
    return Columns(design, weights, mean if intercept else zero, scale)


def _orthonormalise(
    pieces: _Pieces,
    columns: Columns,
    terms: Sequence[TermColumns],
    kept: list[IntArray],
    *,
    intercept: bool,
) -> None:
    general: list[int] = []
    for g, (term, index) in enumerate(zip(terms, kept, strict=True)):
        narrow = _margin_width(terms, term) <= MAX_MARGIN_COLUMNS
        if term.kind == "factor" and term.scale == "rms":
            rank = index.size - 1 if intercept else index.size
            used = index if rank > 0 else index[:0]
            pieces.add(g, used, 1.0 / columns.scale[used], max(rank, 0))
            pieces.frame[g] = intercept and rank > 0
        elif term.margins and narrow:
            made = orthogonal_interaction(columns, terms, term)
            pieces.add(g, term.index, made.own, made.own.shape[1])
            if made.margin_index.size and made.own.shape[1]:
                pieces.leaks.append((made.margin_index, term.index, made.leak))
        elif index.size == 1:
            pieces.add(g, index, 1.0 / columns.scale[index], 1)
        else:
            general.append(g)
        if term.margins and not narrow:
            pieces.notes.append(
                f"{term.name} keeps plain cells: its margins have more than "
                f"{MAX_MARGIN_COLUMNS} columns"
            )
    for position, turn in decompose(columns, [kept[g] for g in general]).items():
        g = general[position]
        pieces.add(g, kept[g], turn, turn.shape[1])


def _margin_width(terms: Sequence[TermColumns], term: TermColumns) -> int:
    return sum(terms[margin.term].index.size for margin in term.margins)


class _Pieces:
    """Collects the groups' transforms, then joins them into one sparse matrix."""

    def __init__(self, n_columns: int, n_groups: int) -> None:
        self.p = n_columns
        self.blocks: list[tuple[IntArray, FloatArray]] = [
            (np.empty(0, np.int64), np.empty(0)) for _ in range(n_groups)
        ]
        self.rank = np.zeros(n_groups, dtype=np.int64)
        self.frame = np.zeros(n_groups, dtype=np.bool_)
        self.leaks: list[tuple[IntArray, IntArray, FloatArray]] = []
        self.notes: list[str] = []

    def add(self, g: int, index: IntArray, block: FloatArray, rank: int) -> None:
        """Give group g its transform, (m, r) or the diagonal (m,), on columns `index`."""
        self.blocks[g] = (index, block)
        self.rank[g] = rank

    def join(self, design: Design, centre: FloatArray) -> Standardised:
        """Return the standardised design."""
        from scipy import sparse as sp

        sizes = [block.shape[-1] for _, block in self.blocks]
        starts = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        own = self._place(starts)
        leak = self._leak() if self.leaks else None
        transform = own if leak is None else sp.csr_array(own + leak @ own)
        middle = np.asarray(transform.T @ centre)
        return Standardised(
            design,
            transform,
            own,
            leak,
            middle,
            starts,
            self.rank,
            self.frame,
            tuple(self.notes),
        )

    def _place(self, starts: IntArray) -> Any:
        from scipy import sparse as sp

        rows, columns, values = [np.empty(0, np.int64)], [np.empty(0, np.int64)], [np.empty(0)]
        for (index, block), start in zip(self.blocks, starts[:-1], strict=True):
            coordinates = start + np.arange(block.shape[-1])
            diagonal = block.ndim == 1
            rows.append(index if diagonal else np.repeat(index, coordinates.size))
            columns.append(coordinates if diagonal else np.tile(coordinates, index.size))
            values.append(block.ravel())
        triple = (np.concatenate(values), (np.concatenate(rows), np.concatenate(columns)))
        return sp.csr_array(triple, shape=(self.p, int(starts[-1])))

    def _leak(self) -> Any:
        from scipy import sparse as sp

        rows = [np.repeat(index, block.shape[1]) for index, _, block in self.leaks]
        columns = [np.tile(index, block.shape[0]) for _, index, block in self.leaks]
        values = [block.ravel() for _, _, block in self.leaks]
        triple = (np.concatenate(values), (np.concatenate(rows), np.concatenate(columns)))
        return sp.csr_array(triple, shape=(self.p, self.p))
