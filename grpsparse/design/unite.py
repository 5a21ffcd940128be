"""Coordinates of groups that are unions of terms.

With Z_t the standardised coordinates of the terms, a group of several has the coordinates
[Z_t, Z_u, ...] V L^(-1/2) on the eigenvalues L > 0 of their Gram matrix V L V': orthonormal under
the weights, of the same space whatever the terms' coding. An interaction is orthogonal to its
margins already, so that in (a, b, a:b) only the margins have to be turned. A group of one term
keeps that term's coordinates. Nothing is copied: a term's columns serve all of its groups.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from grpsparse.design.coordinates import Standardised
from grpsparse.design.orthonormal import EIGENVALUE_FLOOR
from grpsparse.design.transform import SparseTransform
from grpsparse.groups import BoolArray, Deferred, FloatArray, IntArray
from grpsparse.unions import Unions

__all__ = ["unite"]

REFINE_BELOW = 1e-4  # eigenvalue, over the largest, that products leave too few digits of


def unite(terms: Standardised, unions: Unions, weights: FloatArray) -> Standardised:
    """Return orthonormal coordinates of the groups, from those of the terms.

    Parameters
    ----------
    terms : Standardised
        On the scale ``"group"``, a group for each term.
    unions : Unions
    weights : ndarray of shape (n,)
        Under which they were standardised.
    """
    count = len(unions)
    sizes, rank = np.zeros(count, np.int64), np.zeros(count, np.int64)
    frame: BoolArray = np.zeros(count, dtype=np.bool_)
    parts: list[tuple[IntArray, FloatArray]] = []  # term coordinates and factors, (r, c)
    for g in range(count):
        members = unions.of_group(g)
        coordinates = terms.coordinates_of(members)
        if members.size == 1:
            rank[g], frame[g] = terms.rank[members[0]], terms.frame[members[0]]
            parts.append((coordinates[:, None], np.ones((coordinates.size, 1))))
        else:
            turn = _turn(terms, members, weights).T
            rank[g] = turn.shape[0]
            parts.append((np.broadcast_to(coordinates, turn.shape), turn))
        sizes[g] = parts[-1][1].shape[0]
    combine = _stacked(parts, terms.size)
    whole = SparseTransform((combine @ terms.whole.matrix().T).tocsr())
    within = whole
    if terms.leak is not None:
        within = SparseTransform((combine @ terms.within.matrix().T).tocsr())
    return Standardised(
        terms.design,
        whole,
        within,
        terms.leak,
        combine @ terms.centre,
        np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64),
        Deferred.of(rank),
        frame,
        terms.notes,
    )


def _turn(terms: Standardised, members: IntArray, weights: FloatArray) -> FloatArray:
    """Return what makes the coordinates of some terms orthonormal together, (m, r)."""
    gram = terms.gram(weights, members)
    values, vectors = np.linalg.eigh(gram)
    largest = max(float(values[-1]), 1.0) if values.size else 1.0
    kept = values > EIGENVALUE_FLOOR * largest
    turn: FloatArray = vectors[:, kept] / np.sqrt(values[kept])
    if kept.any() and values[kept][0] < REFINE_BELOW * largest:
        rows = terms.working_rows(terms.coordinates_of(members)) * np.sqrt(weights)
        image = turn.T @ rows
        turn = np.linalg.solve(np.linalg.cholesky(image @ image.T), turn.T).T
    return turn


def _stacked(parts: list[tuple[IntArray, FloatArray]], n_coordinates: int) -> Any:
    """Return the groups' coordinates in those of the terms, a sparse matrix (q, q')."""
    from scipy import sparse as sp

    widths = np.repeat([turn.shape[1] for _, turn in parts], [len(turn) for _, turn in parts])
    pointers = np.concatenate([[0], np.cumsum(widths)]).astype(np.int64)
    index = np.concatenate([each.ravel() for each, _ in parts])
    values = np.concatenate([turn.ravel() for _, turn in parts])
    return sp.csr_array((values, index, pointers), shape=(widths.size, n_coordinates))
