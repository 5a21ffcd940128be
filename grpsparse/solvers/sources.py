"""Where the columns of a working set live: dense rows, factor codes, or sparse columns.

Dense columns are rows of a store (:mod:`grpsparse.solvers.store`), in single precision; the
sweeps are iterative refinement, so nothing is lost. (Where a tolerance is coarse, products
outside of sweeps are taken with these rows too, and allow for it.) Coordinates under the weights
of the store's owner are these rows. Under other weights a column has another mean and perhaps
another scale, so a group's coordinates are its rows times a matrix, less a centre. Factors and
sparse columns are used where the design has them, with a scale and a centre per coordinate.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from grpsparse.groups import FloatArray, IntArray
from grpsparse.problem import Problem
from grpsparse.solvers.places import DENSE, FACTOR, SPARSE, Frames, locate
from grpsparse.solvers.store import Store
from grpsparse.solvers.views import View, view_of

__all__ = ["Gathered", "Sources", "in_place"]


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
    store : Store
        Of dense columns.

    Attributes
    ----------
    rounding : ndarray of shape (G,)
        Bounds on what rounding changed in the columns of each group, as Frobenius W-norms.
    """

    def __init__(self, problem: Problem, top: int, store: Store) -> None:
        self._problem, self._store = problem, store
        self.rounding: FloatArray = np.zeros(problem.blocks.weight.size)
        self._frames = Frames.of(top)
        self._kinds: set[int] = set()
        self._row: IntArray = np.arange(top)  # in the store, of every row of the working set
        self._is_plain = True  # whether coordinates are rows
        self._maps: list[tuple[IntArray, FloatArray]] = []  # rows (g, m) with their matrices

    def add(self, groups: IntArray, starts: IntArray) -> Gathered:
        """Gather groups, whose rows are ``starts[i]:starts[i + 1]`` of what is added."""
        coordinates = self._problem.blocks.rows(groups)
        found = locate(self._problem.coordinates, coordinates, starts, self._frames.turns.size)
        gathered = Gathered(found.places, np.ones(coordinates.size), [])
        frames, sizes = found.frames, np.diff(starts)
        row: IntArray = np.full(coordinates.size, -1)
        dense = np.flatnonzero(found.places[:, 0] == DENSE)
        for size in np.unique(sizes[dense]).tolist():
            alike = dense[sizes[dense] == size]
            for chosen, view in view_of(self._problem, self._store, groups[alike]):
                members = alike[chosen]
                rows = starts[members][:, None] + np.arange(size)
                row[rows] = view.first[:, None] + np.arange(size)
                found.places[members, 1] = view.first
                gathered.scale[rows] = view.metric
                self.rounding[groups[members]] = view.rounding
                if view.basis is not None:
                    gathered.turns.append((members, view.basis))
                frames = self._framed(frames, found.places, members, rows, view)
        if dense.size < groups.size:
            self._scale_in_place(gathered.scale, coordinates, starts, found.places)
        self._kinds.update(np.unique(found.places[:, 0]).tolist())
        self._frames = self._frames.joined(frames)
        self._row = np.concatenate([self._row, row])
        return gathered

    def _framed(
        self, frames: Frames, places: IntArray, members: IntArray, rows: IntArray, view: View
    ) -> Frames:
        """Return frames that say how coordinates are made of rows, and mark places as such."""
        if view.centre is None:
            return frames
        self._is_plain = False
        places[members, 2] = rows.shape[1]
        frames.lead[rows] = 1.0 if view.lead is None else view.lead
        frames.centre[rows] = view.centre
        if view.maps is None:
            return frames
        before = self._frames.turns.size + frames.turns.size
        places[members, 3] = before + rows.shape[1] ** 2 * np.arange(members.size)
        self._maps.append((self._row.size + rows, view.maps))
        return frames.turned_by(view.maps)

    def _scale_in_place(
        self, scale: FloatArray, coordinates: IntArray, starts: IntArray, places: IntArray
    ) -> None:
        """Fill in D of factors and sparse columns: their mean squares, not centred."""
        known = self._problem.coordinates
        sizes = np.diff(starts)
        inside = np.repeat(places[:, 0] != DENSE, sizes)
        own = self._problem.squares.value[coordinates] + known.centre[coordinates] ** 2
        if not self._problem.turned:
            largest = np.maximum.reduceat(own, starts[:-1])
            own = np.repeat(largest, sizes)
        scale[inside] = np.maximum(own, 1e-300)[inside]

    @property
    def dense(self) -> bool:
        """Whether all columns are made of rows of the store."""
        return self._kinds <= {DENSE}

    def predictor(self, theta: FloatArray) -> FloatArray:
        """Return the stored columns times theta, (n, K), where all are dense."""
        from grpsparse.backend.products import add_columns

        shift, rows = None, self._store.rows
        if not self._is_plain:
            shift = self._frames.centre @ theta
            theta = self._frames.lead[:, None] * theta
            for own, maps in self._maps:
                theta[own] = maps @ theta[own]
        used = (theta if theta.shape[1] == 1 else theta.any(axis=1)).ravel().nonzero()[0]
        out = np.zeros((theta.shape[1], rows.shape[1]))
        add_columns(rows, self._row[used], np.ascontiguousarray(theta[used]), out)
        if shift is not None:
            out -= shift[:, None]
        return out.T

    def correlate(self, weighted: FloatArray, wanted: IntArray) -> FloatArray:
        """Return products (len(wanted), K) with W R (n, K) of whole groups' rows, all dense."""
        from grpsparse.backend.products import column_products

        out = np.zeros((wanted.size, weighted.shape[1]))
        column_products(
            self._store.rows, self._row[wanted], np.ascontiguousarray(weighted.T), out
        )
        if self._is_plain:
            return out
        if self._maps:
            whole = np.zeros((self._row.size, out.shape[1]))
            whole[wanted] = out
            for own, maps in self._maps:
                whole[own] = maps.transpose(0, 2, 1) @ whole[own]
            out = whole[wanted]
        out *= self._frames.lead[wanted, None]
        out -= self._frames.centre[wanted, None] * weighted.sum(axis=0)
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
        return (self._store.rows, self._frames.arrays()), factors, sparse
