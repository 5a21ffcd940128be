"""Where the columns of groups are: dense, cells of one factor, or sparse columns.

A group of cells or of sparse columns needs no copy: its coordinates are cells or columns times
a factor, or (an interaction that was made orthogonal to its margins) all cells of one factor
times a matrix, its basis. What is neither is dense.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from grpsparse.design import ColumnScale, Standardised
from grpsparse.groups import FloatArray, IntArray

__all__ = ["DENSE", "FACTOR", "SPARSE", "Found", "Frames", "locate"]

DENSE, FACTOR, SPARSE = 0, 1, 2  # as in grpsparse.backend.rows


@dataclass(frozen=True, slots=True)
class Frames:
    """How coordinates are made of cells, sparse columns, or rows that others have filled.

    Parameters
    ----------
    lead, centre : ndarray of shape (m,)
        Factor of the cell or column, and mean, of every coordinate.
    column : ndarray of int, shape (m,)
        The cell within its factor, or the sparse column.
    turns : ndarray
        Bases (cells, coordinates) of interactions, and of rows, one after the other.
    """

    lead: FloatArray
    centre: FloatArray
    column: IntArray
    turns: FloatArray

    @classmethod
    def of(cls, count: int) -> Frames:
        """Return frames of dense coordinates, which need none."""
        return cls(np.ones(count), np.zeros(count), np.zeros(count, np.int64), np.empty(0))

    def joined(self, other: Frames) -> Frames:
        """Return these and others."""
        return Frames(
            *(
                np.concatenate([mine, theirs])
                for mine, theirs in zip(self.arrays(), other.arrays(), strict=True)
            )
        )

    def turned_by(self, maps: FloatArray) -> Frames:
        """Return these with more bases."""
        return replace(self, turns=np.concatenate([self.turns, maps.ravel()]))

    def arrays(self) -> tuple[FloatArray, FloatArray, IntArray, FloatArray]:
        """Return the tuple that the kernels take."""
        return self.lead, self.centre, self.column, self.turns


@dataclass(frozen=True, slots=True)
class Found:
    """Places of groups, (g, 4): storage, place, number of cells, start of the basis."""

    places: IntArray
    frames: Frames


def locate(
    coordinates: Standardised, wanted: IntArray, starts: IntArray, turns_before: int
) -> Found:
    """Return where groups are.

    Parameters
    ----------
    coordinates : Standardised
    wanted : ndarray of int
        Coordinates of the groups.
    starts : ndarray of int, shape (g + 1,)
        Those of group i are ``wanted[starts[i]:starts[i + 1]]``.
    turns_before : int
        Entries of bases that are stored already.
    """
    places = np.zeros((starts.size - 1, 4), dtype=np.int64)
    places[:, 3] = -1
    frames = Frames.of(wanted.size)
    design = coordinates.design
    factors = design.factors
    if not design.kind.any():
        return Found(places, frames)
    bases = []
    used = turns_before
    for g in range(starts.size - 1):
        own = slice(int(starts[g]), int(starts[g + 1]))
        columns, small = coordinates.whole.part(wanted[own])
        kinds = design.kind[columns]
        if (kinds != kinds[0]).any() or kinds[0] == DENSE:
            continue
        position = design.position[columns]
        cells, place = 0, 0
        if factors is not None and kinds[0] == FACTOR:
            owner = np.searchsorted(factors.starts, position, side="right") - 1
            if (owner != owner[0]).any():
                continue
            place = int(owner[0])
            cells = factors.width(place)
            position = position - factors.starts[place]
        column, lead = _diagonal(small)
        if column is not None:
            frames.lead[own], frames.column[own] = lead, position[column]
            frames.centre[own] = coordinates.centre[wanted[own]]
            places[g] = kinds[0], place, cells, -1
        elif kinds[0] == FACTOR:
            frames.centre[own] = coordinates.centre[wanted[own]]
            basis = np.zeros((cells, own.stop - own.start))
            basis[position] = small.matrix().toarray()
            places[g] = FACTOR, place, cells, used
            bases.append(basis.ravel())
            used += basis.size
    turns = np.concatenate([frames.turns, *bases])
    return Found(places, Frames(frames.lead, frames.centre, frames.column, turns))


def _diagonal(small: Any) -> tuple[IntArray | None, FloatArray]:
    """Return the column and the factor of every coordinate, None where they combine columns."""
    if isinstance(small, ColumnScale):
        return small.index, small.scale
    rows = small.rows
    if rows.nnz == rows.shape[0] and (np.diff(rows.indptr) == 1).all():
        return rows.indices, rows.data
    return None, np.empty(0)
