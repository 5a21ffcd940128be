"""Standardised coordinates Z = (X - 1m') T of a design, as a linear operator.

X is shared and never copied: T and m are applied to products with X.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from grpsparse.backend import segment_entries, segment_sums
from grpsparse.design.storage import FACTOR, Design
from grpsparse.design.transform import ColumnScale, Transform
from grpsparse.groups import BoolArray, Deferred, FloatArray, IntArray, SingleArray

__all__ = ["GroupMaps", "Standardised"]

BLOCK = 64  # rows of a Gram matrix that are worked on at a time


@dataclass(frozen=True, slots=True)
class GroupMaps:
    """Groups of m coordinates, each made of the same c dense columns within its group.

    Parameters
    ----------
    columns : ndarray of shape (p', n)
        All dense columns.
    index : ndarray of int, shape (g, c)
        Those of each group.
    maps : ndarray of shape (g, c, m)
        Coordinates from columns.
    centre : ndarray of shape (g, m)
        What is subtracted then.
    scale : ndarray of shape (g, m) or None
        Diagonals of the maps, where there is nothing else.
    """

    columns: FloatArray
    index: IntArray
    maps: FloatArray
    centre: FloatArray
    scale: FloatArray | None

    @property
    def size(self) -> int:
        """Number of coordinates m."""
        return int(self.maps.shape[2])


@dataclass(frozen=True, slots=True)
class Standardised:
    """The design in standardised coordinates, for one set of weights.

    Parameters
    ----------
    design : Design
        The n x p matrix.
    whole : Transform
        Coefficients of the columns of X from those of the coordinates.
    within : Transform
        The part of it on a group's own columns; the rest moves the margins of an interaction.
    leak : scipy.sparse.csr_array of shape (p, p) or None
        ``whole = within + leak @ within``; None where nothing leaks.
    centre : ndarray of shape (q,)
        Weighted means of X @ transform, zero without an intercept.
    starts : ndarray of shape (G + 1,)
        Coordinates of group g are ``starts[g]:starts[g + 1]``.
    ranks : Deferred
        `rank`, where nothing has needed it yet.
    frame : ndarray of bool, shape (G,)
        Groups whose coordinates are a redundant frame: the indicators of a factor, where the
        direction of the root frequencies moves nothing.
    notes : tuple of str
        Sentences about what could not be done as asked.
    """

    design: Design
    whole: Transform
    within: Transform
    leak: Any
    centre: FloatArray
    starts: IntArray
    ranks: Deferred[IntArray]
    frame: BoolArray
    notes: tuple[str, ...]

    @property
    def size(self) -> int:
        """Number of coordinates q."""
        return int(self.starts[-1])

    @property
    def rank(self) -> IntArray:
        """Ranks of the groups' (centred) columns under the weights, (G,)."""
        return self.ranks.value

    @property
    def present(self) -> BoolArray:
        """Groups that have a coordinate, which are those of positive rank, (G,)."""
        return np.asarray(self.starts[1:] > self.starts[:-1])

    def squares(self, weights: FloatArray) -> FloatArray:
        """Return the W-norms squared of the coordinates' columns, (q,)."""
        if not isinstance(self.whole, ColumnScale):
            return np.ones(self.size)
        index, scale = self.whole.index, self.whole.scale
        centre = np.zeros(self.design.shape[1])
        centre[index] = self.centre / scale
        moments: FloatArray = self.design.second_moments(weights, centre)[index]
        return scale**2 * moments

    @property
    def cells(self) -> BoolArray:
        """Coordinates that are cells of a factor, never two of a group present at once, (q,)."""
        if not isinstance(self.whole, ColumnScale):
            sizes = np.diff(self.starts)
            return np.repeat(self.frame, sizes)
        return np.asarray(self.design.kind[self.whole.index] == FACTOR)

    def reach(self, squares: Deferred[FloatArray]) -> tuple[FloatArray, BoolArray]:
        """Return bounds (G,) on the largest singular values of W^(1/2) Z_g, and which are sharp.

        From the W-norms squared of the coordinates: one for orthonormal groups; the largest
        mean square for the cells of a factor, which are never both present; else the root of
        the sum of squares.
        """
        if not isinstance(self.whole, ColumnScale):
            return np.ones(self.frame.size), np.ones(self.frame.size, dtype=np.bool_)
        bound = segment_sums(squares.value, self.starts)
        cells = self.cells
        sharp = self.frame | (np.diff(self.starts) < 2)
        if self.design.sparse is not None:  # where a product is as cheap as a sharper bound
            sharp[:] = True
        if cells.any():
            filled = np.flatnonzero(self.present)
            first = self.starts[:-1][filled]
            largest = np.maximum.reduceat(squares.value + self.centre**2, first)
            inside = np.logical_and.reduceat(cells, first)
            bound[filled[inside]] = largest[inside]
            sharp[filled[inside]] = True
        bound[self.frame] = 1.0
        return np.sqrt(bound), sharp

    def group_grams(self, groups: IntArray, weights: FloatArray) -> FloatArray:
        """Return Z_g' diag(w) Z_g of groups of one size, (g, m, m).

        Weights other than those of the coordinates are for columns that are only scaled: what is
        orthonormal is so under its own.
        """
        maps = self.group_maps(groups)
        if maps is not None and maps.scale is not None:
            from grpsparse.backend.products import group_grams

            scale = maps.scale
            out = np.empty((*scale.shape, scale.shape[1]))
            group_grams(maps.columns, maps.index, np.sqrt(weights), maps.centre / scale, out)
            out *= scale[:, :, None] * scale[:, None, :]
            return out
        if maps is not None and not self.frame[groups].any():  # they are made orthonormal
            return np.broadcast_to(np.eye(maps.size), (groups.size, maps.size, maps.size))
        return np.stack([self.gram(weights, groups[i : i + 1]) for i in range(groups.size)])

    def group_maps(self, groups: IntArray) -> GroupMaps | None:
        """Return how coordinates of groups of one size are made of dense columns of their own.

        None where groups are made of other columns, or of different numbers of them.
        """
        dense, wanted = self.design.dense, self.coordinates_of(groups)
        if dense is None or not wanted.size:
            return None
        shape = (groups.size, wanted.size // groups.size)
        found = self.whole.by_group(wanted, shape[1])
        if found is None or self.design.kind[found[0]].any():
            return None
        scale = None
        if isinstance(self.whole, ColumnScale):
            scale = self.whole.scale[wanted].reshape(shape)
        centre = self.centre[wanted].reshape(shape)
        position = self.design.position[found[0]]
        return GroupMaps(dense.columns, position, found[1], centre, scale)

    def turn_rows(
        self, groups: IntArray, basis: FloatArray | None, first: IntArray, out: SingleArray
    ) -> None:
        """Write the columns of groups of one size, turned, to rows of a single-precision array.

        Parameters
        ----------
        groups : ndarray of int, shape (g,)
        basis : ndarray of shape (g, m, m) or None
            Coefficients of the coordinates for each row; None leaves them as they are.
        first : ndarray of int, shape (g,)
            First row of each group in `out`.
        out : ndarray of float32, shape (rows, n)
        """
        made = self.group_maps(groups)
        if made is None:
            for number, at in enumerate(first.tolist()):
                rows = self.working_rows(self.coordinates_of(groups[number : number + 1]))
                out[at : at + len(rows)] = rows if basis is None else basis[number].T @ rows
            return
        from grpsparse.backend.products import turn_columns

        maps, centre = made.maps, made.centre
        if basis is not None:
            maps = maps @ basis
            centre = np.matmul(centre[:, None, :], basis)[:, 0]
        maps, centre = np.ascontiguousarray(maps), np.ascontiguousarray(centre)
        turn_columns(made.columns, made.index, maps, centre, first, out)

    @property
    def diagonal(self) -> FloatArray | None:
        """Factors (p,) of the columns where coordinate j is a multiple of column j, or None."""
        if isinstance(self.whole, ColumnScale) and self.whole.in_order:
            return self.whole.scale
        return None

    @property
    def transform(self) -> Any:
        """`whole` as a scipy.sparse array of shape (p, q)."""
        return self.whole.matrix()

    @property
    def own(self) -> Any:
        """`within` as a scipy.sparse array of shape (p, q)."""
        return self.within.matrix()

    def coordinates_of(self, groups: IntArray) -> IntArray:
        """Return the coordinates of some groups, one group after the other."""
        return segment_entries(groups, self.starts)

    def correlate(self, residual: FloatArray, groups: IntArray | None = None) -> FloatArray:
        """Return Z'R for R (n, K) that already carries the weights.

        Parameters
        ----------
        residual : ndarray of shape (n, K)
        groups : ndarray of int, optional
            Groups whose coordinates are wanted, each at most once; None takes all, (q, K).
        """
        total = residual.sum(axis=0)
        if groups is None:
            return self.finish(self.design.correlate(residual), total)
        wanted = self.coordinates_of(groups)
        columns, small = self.whole.part(wanted)
        out = small.back(self.design.correlate(residual, columns))
        out -= self.centre[wanted][:, None] * total
        return out

    def finish(self, product: FloatArray, residual_sum: FloatArray) -> FloatArray:
        """Return Z'R, (q, K), from the product X'R (p, K) and the column sums of R (K,)."""
        out = self.whole.back(product)
        out -= self.centre[:, None] * residual_sum
        return out

    def linear_predictor(
        self, theta: FloatArray, coordinates: IntArray | None = None
    ) -> FloatArray:
        """Return Z[:, coordinates] @ theta, (n, K), class by class.

        Parameters
        ----------
        theta : ndarray of shape (len(coordinates), K)
            Rows of zeros cost nothing.
        coordinates : ndarray of int, optional
            Each at most once; None takes all.
        """
        active = (theta if theta.shape[1] == 1 else theta.any(axis=1)).ravel().nonzero()[0]
        if not active.size:
            return np.zeros((theta.shape[1], self.design.shape[0])).T
        known = active if coordinates is None else coordinates[active]
        columns, small = self.whole.part(known)
        moving = theta[active]
        eta = self.design.linear_predictor(small.forward(moving), columns)
        eta -= self.centre[known] @ moving
        return eta

    def gram(self, weights: FloatArray, groups: IntArray | None = None) -> FloatArray:
        """Return Z' diag(w) Z, of the coordinates of all groups or of some, for weights (n,)."""
        wanted = np.arange(self.size) if groups is None else self.coordinates_of(groups)
        return self._gram(weights, wanted)[1:, 1:]

    def bordered_gram(self, weights: FloatArray, groups: IntArray) -> FloatArray:
        """Return [1, Z]' diag(w) [1, Z] of the coordinates of some groups."""
        return self._gram(weights, self.coordinates_of(groups))

    def _gram(self, weights: FloatArray, wanted: IntArray) -> FloatArray:
        columns, small = self.whole.part(wanted)
        cross = small.back(small.back(self.design.cross(columns, weights)).T)
        sums = small.back(self.design.correlate(weights[:, None], columns))[:, 0]
        centre, total = self.centre[wanted], float(weights.sum())
        out = np.empty((wanted.size + 1, wanted.size + 1))
        out[0, 0] = total
        out[0, 1:] = out[1:, 0] = sums - total * centre
        out[1:, 1:] = cross - sums[:, None] * centre - centre[:, None] * out[0, 1:]
        return out

    def gram_of(self, cross: FloatArray, factor: float = 1.0) -> FloatArray:
        """Return Z'WZ from `factor` X'WX (p, p), under the weights of these coordinates.

        What was (p, p) may be overwritten.
        """
        scale = self.diagonal
        if scale is None:
            columns, small = self.whole.part(np.arange(self.size))
            scale = np.ones(self.size)
            cross = small.back(small.back(cross[np.ix_(columns, columns)]).T)
        plain = factor == 1.0 and bool((scale == 1.0).all())
        for low in range(0, self.size, BLOCK):  # some rows at a time stay in cache
            own = slice(low, min(self.size, low + BLOCK))
            if not plain:
                cross[own] *= (factor * scale[own])[:, None]
                cross[own] *= scale
            cross[own] -= self.centre[own, None] * self.centre
        return cross

    def coefficients(self, coordinates: IntArray, theta: FloatArray) -> tuple[IntArray, FloatArray]:
        """Bring a path from coordinates to the columns of X.

        Parameters
        ----------
        coordinates : ndarray of int, shape (a,)
        theta : ndarray of shape (L, a, K)

        Returns
        -------
        columns : ndarray of int, shape (c,)
            The groups' own columns that the coordinates act on.
        coef : ndarray of shape (L, c, K)
        """
        n_points, count, n_outputs = theta.shape
        columns, small = self.within.part(coordinates)
        wide = theta.transpose(1, 0, 2).reshape(count, n_points * n_outputs)
        coef = small.forward(wide).reshape(columns.size, n_points, n_outputs)
        return columns, coef.transpose(1, 0, 2)

    def canonical(self, groups: IntArray, theta: FloatArray) -> FloatArray:
        """Return theta without what redundant directions hold by rounding.

        Parameters
        ----------
        groups : ndarray of int
        theta : ndarray of shape (L, a, K)
            On the coordinates of these groups.
        """
        if not self.frame[groups].any():
            return theta
        out = theta.copy()
        ends = np.cumsum(self.starts[groups + 1] - self.starts[groups])
        for place in np.flatnonzero(self.frame[groups]).tolist():
            wanted = self.coordinates_of(groups[place : place + 1])
            rows = slice(int(ends[place]) - wanted.size, int(ends[place]))
            _, small = self.within.part(wanted)
            root = 1.0 / np.asarray(small.matrix().max(axis=0).todense()).ravel()
            along = np.einsum("q,lqk->lk", root, theta[:, rows]) / (root @ root)
            out[:, rows] -= root[:, None] * along[:, None, :]
        return out

    def working_rows(self, coordinates: IntArray) -> FloatArray:
        """Return the coordinates' columns of Z, (len(coordinates), n), contiguous rows."""
        needed, small = self.whole.part(coordinates)
        rows = small.back(self.design.working_columns(needed).astype(np.float64, copy=False))
        rows -= self.centre[coordinates][:, None]
        return np.ascontiguousarray(rows)
