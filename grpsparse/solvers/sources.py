"""Where the columns of a working set live: dense rows, factor codes, or sparse columns.

Dense columns are copied once, in single precision and turned into the eigenbasis of their
group's Gram matrix; the sweeps are iterative refinement, so nothing is lost. (Where a tolerance
is coarse, products outside of sweeps are taken with these columns too, and allow for it.)
Factors and sparse columns are used where the design has them, with a scale and a centre per
coordinate.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from grpsparse.groups import FloatArray, IntArray
from grpsparse.problem import Problem
from grpsparse.solvers.places import DENSE, FACTOR, SPARSE, Frames, locate

__all__ = ["Gathered", "Sources", "eigenbasis", "in_place"]

FLATTEST = 1e-9  # eigenvalue, relative to the largest, below which a metric is not smaller
SAME = 1e-8  # a Gram matrix this close to the identity is not turned


@dataclass(frozen=True, slots=True)
class Gathered:
    """What adding groups gives: where they are and in which basis they stand.

    Parameters
    ----------
    places : ndarray of int, shape (g, 4)
        Storage, place in it, number of cells, start of the turn, for every group.
    scale : ndarray of shape (r,)
        Curvature D of the rows, under unit weights of the loss.
    turns : list of (ndarray, ndarray)
        Positions of groups (b,) among those added and their bases (b, m, m).
    """

    places: IntArray
    scale: FloatArray
    turns: list[tuple[IntArray, FloatArray]]


def in_place(n_groups: int, n_rows: int) -> Gathered:
    """Return what adding groups gives where nothing is gathered."""
    places = np.zeros((n_groups, 4), dtype=np.int64)
    places[:, 3] = -1
    return Gathered(places, np.ones(n_rows), [])


class Sources:
    """The columns of a working set, as the kernels take them.

    Parameters
    ----------
    problem : Problem
    top : int
        Rows of the intercept, which are ones.
    """

    def __init__(self, problem: Problem, top: int) -> None:
        self._problem = problem
        self._store = np.ones((top, problem.data.y.shape[0]), dtype=np.float32)
        self._frames = Frames.of(top)
        self._kinds: set[int] = set()

    def add(self, groups: IntArray, starts: IntArray, *, turned: bool) -> Gathered:
        """Gather groups, whose rows are ``starts[i]:starts[i + 1]`` of what is added."""
        coordinates = self._problem.blocks.rows(groups)
        found = locate(self._problem.coordinates, coordinates, starts, self._frames.turns.size)
        scale = np.ones(coordinates.size)
        turns: list[tuple[IntArray, FloatArray]] = []
        dense = np.flatnonzero(found.places[:, 0] == DENSE)
        if dense.size:
            rows = np.repeat(found.places[:, 0] == DENSE, np.diff(starts))
            sizes = np.diff(starts)[dense]
            first = self._room(int(sizes.sum())) + np.cumsum(sizes) - sizes
            found.places[dense, 1] = first
            scale[rows], bases = self._gather(groups[dense], sizes, first, turned=turned)
            turns = [(dense[members], basis) for members, basis in bases]
        if dense.size < groups.size:
            self._scale_in_place(scale, coordinates, starts, found.places, turned=turned)
        self._kinds.update(np.unique(found.places[:, 0]).tolist())
        self._frames = self._frames.joined(found.frames)
        return Gathered(found.places, scale, turns)

    def _gather(
        self, groups: IntArray, sizes: IntArray, first: IntArray, *, turned: bool
    ) -> tuple[FloatArray, list[tuple[IntArray, FloatArray]]]:
        """Store dense columns in the eigenbasis of their groups; return D and the bases."""
        known = self._problem.coordinates
        starts = np.concatenate([[0], np.cumsum(sizes)])
        scale = np.ones(starts[-1])
        turns = []
        for size in np.unique(sizes):
            members = np.flatnonzero(sizes == size)
            own, basis = eigenbasis(self._problem.grams.of(groups[members]), turned=turned)
            scale[starts[members][:, None] + np.arange(size)] = own
            known.turn_rows(groups[members], basis, first[members], self._store)
            if basis is not None:
                turns.append((members, basis))
        return scale, turns

    def _scale_in_place(
        self,
        scale: FloatArray,
        coordinates: IntArray,
        starts: IntArray,
        places: IntArray,
        *,
        turned: bool,
    ) -> None:
        """Fill in D of factors and sparse columns: their mean squares, not centred."""
        known = self._problem.coordinates
        sizes = np.diff(starts)
        inside = np.repeat(places[:, 0] != DENSE, sizes)
        own = self._problem.squares.value[coordinates] + known.centre[coordinates] ** 2
        if not turned:
            largest = np.maximum.reduceat(own, starts[:-1])
            own = np.repeat(largest, sizes)
        scale[inside] = np.maximum(own, 1e-300)[inside]

    @property
    def dense(self) -> bool:
        """Whether all columns are rows of the store, in the working set's order."""
        return self._kinds <= {DENSE}

    def predictor(self, theta: FloatArray) -> FloatArray:
        """Return the stored columns times theta, (n, K), where all are dense."""
        from grpsparse.backend.products import add_columns

        used = np.flatnonzero(theta.any(axis=1))
        out = np.zeros((theta.shape[1], self._store.shape[1]))
        add_columns(self._store, used, np.ascontiguousarray(theta[used]), out)
        return out.T

    def correlate(self, weighted: FloatArray, rows: IntArray) -> FloatArray:
        """Return products (len(rows), K) of stored columns with W R (n, K), where all are dense."""
        from grpsparse.backend.products import column_products

        out = np.zeros((rows.size, weighted.shape[1]))
        column_products(self._store, rows, np.ascontiguousarray(weighted.T), out)
        return out

    def arrays(self) -> tuple[Any, Any, Any]:
        """Return sources, factors and sparse columns as the kernels take them."""
        design = self._problem.coordinates.design
        factors = sparse = None
        part = design.factors
        if part is not None and FACTOR in self._kinds:
            values = part.values if part.values.shape[0] else np.empty((1, 0))
            factors = (part.codes, values, part.value_row)
        if design.sparse is not None and SPARSE in self._kinds:
            matrix = design.sparse.matrix
            indices = matrix.indices.astype(np.int32, copy=False)
            sparse = (matrix.indptr.astype(np.int64, copy=False), indices, matrix.data)
        return (self._store, self._frames.arrays()), factors, sparse

    def _room(self, count: int) -> int:
        """Make room for more rows, and return the first of them."""
        first, n = self._store.shape
        # in place where the system can; what it gave away before lives in a sweep only
        self._store.resize((first + count, n), refcheck=False)
        return first


def eigenbasis(grams: FloatArray, *, turned: bool) -> tuple[FloatArray, FloatArray | None]:
    """Return the eigenvalues D (g, m) of Gram matrices (g, m, m), and their bases.

    Without turning (or where there is nothing to turn) the bases are None; D is then the same
    for all rows of a group, its mean square.
    """
    size = grams.shape[1]
    diagonal = np.diagonal(grams, axis1=1, axis2=2)
    means = np.maximum(diagonal.mean(axis=1, keepdims=True), np.finfo(np.float64).tiny)
    if size == 1 or not turned:
        return np.repeat(means, size, axis=1), None
    if np.abs(grams - np.eye(size)).max() <= SAME:
        return np.ones(grams.shape[:2]), None
    values, basis = np.linalg.eigh(grams)
    return np.maximum(values, FLATTEST * np.maximum(values[:, -1:], means)), basis
