"""The working set: the columns of Z that a solver sweeps over, gathered once.

With an intercept the first row is a column of ones, with one unpenalised block per class.
Columns stay when a group leaves the sweeps, so a group is gathered at most once in a path.
"""

from __future__ import annotations

import numpy as np

from grpsparse.backend import segment_sums
from grpsparse.groups import BoolArray, FloatArray, IntArray
from grpsparse.problem import Problem

__all__ = ["WorkingSet"]

INTERCEPT = -1  # group of the intercept's blocks
FIRST_METRIC = 1e-3  # of the mean square of a block's columns; raised at its first visit
GROWTH = 1.5  # spare room when columns are added, so that gathering stays linear


class WorkingSet:
    """Columns, blocks and metrics of the groups gathered so far.

    Parameters
    ----------
    problem : Problem

    Attributes
    ----------
    top : int
        Rows of the intercept, 1 or 0.
    coordinates : ndarray of int, shape (m - top,)
        Coordinates of the problem that the other rows are.
    """

    def __init__(self, problem: Problem) -> None:
        self._problem = problem
        self.top = 1 if problem.intercept else 0
        classes = np.arange(problem.n_outputs * self.top)
        first = np.zeros_like(classes)
        self._store: FloatArray = np.ones((self.top, problem.data.y.shape[0]), problem.dtype)
        self._spans = np.stack([first, first + 1, classes, classes + 1], axis=1)
        self._group_of_block = np.full(classes.size, INTERCEPT)
        self._held = np.zeros(problem.blocks.weight.size, dtype=bool)
        self.coordinates: IntArray = np.empty(0, dtype=np.int64)
        self.metric: FloatArray = np.full(classes.size, FIRST_METRIC)

    def gather(self, intercept: FloatArray, theta: FloatArray) -> FloatArray:
        """Return the coefficients of the rows, (m, K), from those of the problem."""
        return np.concatenate([intercept[None][: self.top], theta[self.coordinates]])

    @property
    def rows(self) -> FloatArray:
        """The gathered columns of Z, (m, n), one contiguous row each."""
        return self._store[: self.top + self.coordinates.size]

    def add(self, groups: BoolArray) -> None:
        """Gather the columns of the groups that are not held yet."""
        new = np.flatnonzero(groups & ~self._held)
        starts = self._problem.blocks.starts
        new = new[starts[new + 1] > starts[new]]
        self._held |= groups
        if not new.size:
            return
        coordinates = np.concatenate([np.arange(starts[g], starts[g + 1]) for g in new])
        top = self.top + self.coordinates.size
        rows = self._problem.coordinates.working_rows(coordinates)
        self._append_rows(rows, top)
        self.coordinates = np.concatenate([self.coordinates, coordinates])
        sizes = starts[new + 1] - starts[new]
        first = top + np.concatenate([[0], np.cumsum(sizes)[:-1]])
        square = segment_sums(
            np.einsum("ji,ji->j", rows, rows, dtype=np.float64), np.append(first - top, len(rows))
        )
        self._append_blocks(new, first, first + sizes, square / (sizes * rows.shape[1]))

    def _append_rows(self, rows: FloatArray, top: int) -> None:
        needed = top + rows.shape[0]
        if needed > self._store.shape[0]:
            grown = np.empty((int(GROWTH * needed) + 1, rows.shape[1]), dtype=rows.dtype)
            grown[:top] = self._store[:top]
            self._store = grown
        self._store[top:needed] = rows

    def _append_blocks(
        self, groups: IntArray, first: IntArray, last: IntArray, square: FloatArray
    ) -> None:
        n_outputs = self._problem.n_outputs
        if self._problem.blocks.shared:
            bounds = [(0, n_outputs)]
        else:
            bounds = [(k, k + 1) for k in range(n_outputs)]
        low = np.tile([b[0] for b in bounds], groups.size)
        high = np.tile([b[1] for b in bounds], groups.size)
        copies = len(bounds)
        spans = np.stack([np.repeat(first, copies), np.repeat(last, copies), low, high], axis=1)
        self._spans = np.concatenate([self._spans, spans.astype(np.int64)])
        self._group_of_block = np.concatenate([self._group_of_block, np.repeat(groups, copies)])
        self.metric = np.concatenate([self.metric, np.repeat(FIRST_METRIC * square, copies)])

    def blocks(self, groups: BoolArray) -> tuple[IntArray, FloatArray, IntArray]:
        """Return spans (B, 4), metrics (B,) and groups (B,) of the blocks of some groups.

        The intercept's blocks come first; their group is -1.
        """
        chosen = self._chosen(groups)
        return self._spans[chosen], self.metric[chosen], self._group_of_block[chosen]

    def keep_metric(self, groups: BoolArray, metric: FloatArray) -> None:
        """Remember the metrics that a sweep ended with."""
        self.metric[self._chosen(groups)] = metric

    def _chosen(self, groups: BoolArray) -> BoolArray:
        # the intercept's group is the entry past the last one
        return np.asarray(np.append(groups, True)[self._group_of_block])
