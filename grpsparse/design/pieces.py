"""The transforms of all groups, collected and joined into one map."""

from __future__ import annotations

from typing import Any

import numpy as np

from grpsparse.design.coordinates import Standardised
from grpsparse.design.orthonormal import Turned
from grpsparse.design.storage import Design
from grpsparse.design.transform import ColumnScale, SparseTransform, Transform
from grpsparse.groups import Deferred, FloatArray, IntArray

__all__ = ["Pieces"]

_Entries = tuple[IntArray, IntArray, FloatArray]  # groups (b,); columns and factors (b, r, e)


class Pieces:
    """Collects the groups' transforms, then joins them."""

    def __init__(self, n_columns: int, n_groups: int) -> None:
        self.n_columns = n_columns
        self.rank = np.zeros(n_groups, dtype=np.int64)
        self.size = np.zeros(n_groups, dtype=np.int64)
        self.frame = np.zeros(n_groups, dtype=np.bool_)
        self.leaks: list[tuple[IntArray, IntArray, FloatArray]] = []
        self.notes: list[str] = []
        self._entries: list[_Entries] = []

    def add(self, turned: Turned) -> None:
        """Add groups whose coordinates combine all of their columns."""
        count, m, r = turned.turn.shape
        columns = np.broadcast_to(turned.index[:, None, :], (count, r, m))
        self._entries.append((turned.groups, columns, turned.turn.transpose(0, 2, 1)))
        self.rank[turned.groups] = self.size[turned.groups] = r

    def add_frame(self, g: int, index: IntArray, scale: FloatArray, rank: int) -> None:
        """Add a group that has one coordinate for each of its columns."""
        self._entries.append((np.array([g]), index[None, :, None], scale[None, :, None]))
        self.rank[g], self.size[g] = rank, index.size

    def join(self, design: Design, centre: FloatArray) -> Standardised:
        """Return the standardised design."""
        starts = np.concatenate([[0], np.cumsum(self.size)]).astype(np.int64)
        within, leak = self._within(starts), self._leak() if self.leaks else None
        whole: Transform = within
        if leak is not None:
            rows = within.matrix().T
            whole = SparseTransform((rows + rows @ leak.T).tocsr())
        return Standardised(
            design,
            whole,
            within,
            leak,
            whole.back(centre[:, None])[:, 0],
            starts,
            Deferred.of(self.rank),
            self.frame,
            tuple(self.notes),
        )

    def _within(self, starts: IntArray) -> Transform:
        """Place every group's entries in the rows of its coordinates."""
        counts = np.zeros(int(starts[-1]), dtype=np.int64)
        places = []
        for groups, columns, _ in self._entries:
            places.append(starts[groups][:, None] + np.arange(columns.shape[1]))
            counts[places[-1]] = columns.shape[2]
        pointers = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        index = np.empty(pointers[-1], dtype=np.int64)
        factor = np.empty(pointers[-1])
        for (_, columns, factors), place in zip(self._entries, places, strict=True):
            where = pointers[place][:, :, None] + np.arange(columns.shape[2])
            index[where], factor[where] = columns, factors
        if (counts == 1).all():
            return ColumnScale.of(index, factor, self.n_columns)
        from scipy import sparse as sp

        shape = (counts.size, self.n_columns)
        return SparseTransform(sp.csr_array((factor, index, pointers), shape=shape))

    def _leak(self) -> Any:
        from scipy import sparse as sp

        rows = [np.repeat(index, block.shape[1]) for index, _, block in self.leaks]
        columns = [np.tile(index, block.shape[0]) for _, index, block in self.leaks]
        values = [block.ravel() for _, _, block in self.leaks]
        triple = (np.concatenate(values), (np.concatenate(rows), np.concatenate(columns)))
        return sp.csr_array(triple, shape=(self.n_columns, self.n_columns))
