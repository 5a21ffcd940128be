"""The working set: the blocks that a solver sweeps over, gathered once.

With an intercept the first row is a column of ones, with one unpenalised block per class.
Groups stay when they leave the sweeps, so a group is gathered at most once in a path.
Coefficients of the working set stand in the eigenbasis of each group's Gram matrix where the
penalty sees norms only, so that a block's exact metric is diagonal; norms are the same there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from grpsparse.backend import segment_sums
from grpsparse.groups import BoolArray, FloatArray, IntArray
from grpsparse.problem import Blocks, Moments, Problem
from grpsparse.solvers.places import DENSE
from grpsparse.solvers.sources import Sources, in_place
from grpsparse.solvers.store import Store

__all__ = ["Plan", "WorkingSet", "grown_to"]

KEPT_ENTRIES = 4_000_000  # of the rows in double precision, below which they are kept


@dataclass(frozen=True, slots=True)
class Plan:
    """Blocks to sweep over.

    Parameters
    ----------
    chosen : ndarray of int, shape (B,)
        Their numbers in the working set.
    spans : ndarray of int, shape (B, 8)
        See :mod:`grpsparse.backend.rows`.
    levels : ndarray of shape (B, 2)
        Lambda times the weight of the norm, and of the elementwise part.
    metric : ndarray of shape (B,)
        Scalars s, which sweeps change.
    """

    chosen: IntArray
    spans: IntArray
    levels: FloatArray
    metric: FloatArray


class WorkingSet:
    """Blocks, columns and metrics of the groups gathered so far.

    Parameters
    ----------
    problem : Problem
    gathered : bool
        Whether the sweeps need the columns; on a Gram matrix they do not.
    moments : Moments, optional
        Of a problem to be solved without rows: then all groups belong to the set.
    rounded : bool
        Whether products may be taken with the columns in single precision, where all are dense.
    store : Store, optional
        Of dense columns, shared with other sets of weights.

    Attributes
    ----------
    top : int
        Rows of the intercept, 1 or 0.
    groups : ndarray of int
        Groups in the order in which they were gathered; those without coordinates are not.
    coordinates : ndarray of int, shape (m,)
        Coordinates of the problem that the rows after the intercept's are.
    blocks : Blocks
        Segments of these rows, and weights.
    scale : ndarray of shape (top + m,)
        Curvatures D of the rows.
    """

    def __init__(
        self,
        problem: Problem,
        *,
        gathered: bool = True,
        moments: Moments | None = None,
        rounded: bool = False,
        store: Store | None = None,
    ) -> None:
        self._problem = problem
        self._may_round = rounded
        self.moments = moments
        # the columns are centred: without rows the intercept is that of the null fit
        self.top = 1 if problem.intercept and moments is None else 0
        self.turned = problem.turned
        self.held: BoolArray = np.zeros(problem.blocks.weight.size, dtype=bool)
        self.groups: IntArray = np.empty(0, dtype=np.int64)
        self.coordinates: IntArray = np.empty(0, dtype=np.int64)
        self._place = np.full(self.held.size, -1)  # of each group among those gathered
        self.blocks = Blocks(np.zeros(1, np.int64), problem.blocks.shared, np.empty(0))
        self.scale: FloatArray = np.ones(self.top)
        self.sources = None
        if gathered and moments is None:
            self.sources = Sources(problem, self.top, store or Store(problem))
        self._turn: Any = None  # block-diagonal, rows and columns (m, m); None is the identity
        classes = np.arange(problem.n_outputs * self.top)
        zero = np.zeros_like(classes)
        self._spans = np.stack([zero, zero + 1, classes, classes + 1, *[zero] * 3, zero - 1], 1)
        self._group_of_block = np.full(classes.size, self.held.size)  # past the last one
        self._asked: BoolArray = np.ones(self.held.size + 1, dtype=bool)
        self._weight_of_block = np.zeros((classes.size, 2))
        self.metric: FloatArray = np.full(classes.size, problem.curvature)
        self._exact = np.empty((0, problem.data.y.shape[0]))
        if moments is None:
            self.add(~problem.blocks.penalised)
        else:
            self.add(np.ones_like(self.held))
            if not problem.penalty.steep:
                self.scale = self._scale_of(moments)

    @property
    def size(self) -> int:
        """Rows after the intercept's."""
        return int(self.coordinates.size)

    def add(self, groups: BoolArray) -> None:
        """Gather the groups that are not held yet."""
        new = np.flatnonzero(groups & ~self.held)
        if not new.size:
            return
        self.held |= groups
        part = self._problem.blocks.part(new)
        filled = part.sizes > 0
        new = new[filled]
        if not new.size:
            return
        starts = part.starts[np.append(True, filled)]
        if self.sources is None:
            gathered = in_place(new.size, int(starts[-1]))
        else:
            gathered = self.sources.add(new, starts)
        self._append_blocks(new, self.top + self.size + starts, gathered.places)
        self._append_turn(starts, gathered.turns)
        self.coordinates = np.concatenate([self.coordinates, self._problem.blocks.rows(new)])
        held = self.blocks
        self._place[new] = held.weight.size + np.arange(new.size)
        scale = gathered.scale
        if self._problem.penalty.steep:
            scale = self._bounds(new, starts)
        self.scale = np.concatenate([self.scale, scale])
        self.groups = np.concatenate([self.groups, new])
        self.blocks = Blocks(
            np.concatenate([held.starts, held.starts[-1] + starts[1:]]),
            held.shared,
            np.concatenate([held.weight, self._problem.blocks.weight[new]]),
        )

    def _bounds(self, groups: IntArray, starts: IntArray) -> FloatArray:
        """Return D of rows whose metric may not be below the bound on their curvature."""
        largest = self._problem.blocks.curvature[groups] / self._problem.curvature
        return np.repeat(np.maximum(largest, 1e-300), np.diff(starts))

    def _scale_of(self, moments: Moments) -> FloatArray:
        """Return the metric D of every row: the Gram matrix's diagonal, or a group's mean of it.

        The Gram matrix of cells is diagonal before it is centred, and that is their metric.
        """
        known = self._problem.coordinates
        diagonal = np.diagonal(moments.gram) + known.cells * known.centre**2
        if not self.turned:
            sizes = self.blocks.sizes
            diagonal = np.repeat(segment_sums(diagonal, self.blocks.starts) / sizes, sizes)
        scale: FloatArray = np.maximum(diagonal, 1e-300)
        return scale

    def _append_blocks(self, groups: IntArray, starts: IntArray, places: IntArray) -> None:
        n_outputs = self._problem.n_outputs
        if self._problem.blocks.shared:
            bounds = np.array([[0, n_outputs]])
        else:
            bounds = np.arange(n_outputs)[:, None] + np.array([0, 1])
        copies = len(bounds)
        rows = np.stack([starts[:-1], starts[1:]], axis=1)
        parts = [np.repeat(rows, copies, 0), np.tile(bounds, (groups.size, 1))]
        spans = np.concatenate([*parts, np.repeat(places, copies, 0)], axis=1)
        owners = np.repeat(groups, copies)
        if self._problem.penalty.nested:
            spans, place = _by_coefficient(spans)
            owners = owners[place]
        self._spans = np.concatenate([self._spans, spans])
        self._group_of_block = np.concatenate([self._group_of_block, owners])
        weight = self._problem.blocks.weight[owners]
        single = self._problem.penalty.l1_fraction * (weight > 0)
        weights = np.stack([weight, single], axis=1)
        self._weight_of_block = np.concatenate([self._weight_of_block, weights])
        first = np.full(owners.size, self._problem.curvature)
        self.metric = np.concatenate([self.metric, first])

    def plan(self, groups: BoolArray, lambda_: float) -> Plan:
        """Return the blocks of some groups, those of the intercept first."""
        self._asked[:-1] = groups
        chosen = self._asked[self._group_of_block].nonzero()[0]
        levels = lambda_ * self._weight_of_block[chosen]
        return Plan(chosen, self._spans[chosen], levels, self.metric[chosen])

    def keep_metric(self, plan: Plan) -> None:
        """Remember the metrics that a sweep ended with."""
        self.metric[plan.chosen] = plan.metric

    def grown(self, theta: FloatArray) -> FloatArray:
        """Return coefficients of an earlier, smaller working set with zeros for the new rows."""
        return grown_to(self.size, theta)

    def everywhere(self, norms: FloatArray) -> FloatArray:
        """Return norms of blocks of all groups, (G, K'), from those of the groups gathered."""
        out = np.zeros((self.held.size, norms.shape[1]))
        out[self.groups[: norms.shape[0]]] = norms
        return out

    @property
    def rounded(self) -> Sources | None:
        """The stored columns, where products may be taken with them although they are rounded."""
        stored = self.sources
        return stored if self._may_round and stored is not None and stored.dense else None

    def predictor(self, theta: FloatArray) -> FloatArray:
        """Return what coefficients (top + m, K) add to the linear predictor, (n, K)."""
        if self.rounded is not None:
            return self.rounded.predictor(theta)
        standard = self.standard(theta[self.top :])
        eta = self._problem.coordinates.linear_predictor(standard, self.coordinates)
        eta += theta[: self.top].sum(axis=0)
        return eta

    def correlate(self, stored: Sources, weighted: FloatArray, groups: IntArray) -> FloatArray:
        """Return Z'W R of groups that are held, from stored columns and in the working basis.

        Rows of one group follow those of another; groups are in the order asked for.
        """
        place = self._place[groups]
        rows = self.blocks.rows(place[place >= 0])  # the others have no coordinates
        rows += self.top
        return stored.correlate(weighted, rows)

    def be_exact(self) -> None:
        """Take products with the columns as they are from now on."""
        self._may_round = False

    def exact_rows(self, rows: IntArray) -> FloatArray:
        """Return some rows, the intercept's included, in double precision and their basis."""
        n = self._problem.data.y.shape[0]
        count = self.top + self.size
        if count * n <= KEPT_ENTRIES and self._exact.shape[0] != count:
            self._exact = self._rows(np.arange(self.size))
        if count * n <= KEPT_ENTRIES:
            return self._exact[rows]
        sizes = self.blocks.sizes
        touched = np.zeros(self.size, dtype=np.bool_)
        touched[rows[rows >= self.top] - self.top] = True
        whole = np.flatnonzero(np.repeat(_any(touched, self.blocks.starts), sizes))
        place = np.searchsorted(whole, rows - self.top) + self.top
        place[rows < self.top] = 0
        return self._rows(whole)[place]

    def _rows(self, local: IntArray) -> FloatArray:
        """Return the intercept's row, and those of whole groups in their basis."""
        out = np.ones((self.top + local.size, self._problem.data.y.shape[0]))
        found = self._problem.coordinates.working_rows(self.coordinates[local])
        turn = None if self._turn is None else self._turn[local][:, local]
        out[self.top :] = found if turn is None else turn.T @ found
        return out

    def standard(self, theta: FloatArray) -> FloatArray:
        """Return coefficients (m, K) in the problem's coordinates."""
        return theta if self._turn is None else np.asarray(self._turn @ theta)

    def own(self, values: FloatArray) -> FloatArray:
        """Return correlations (m, K) of the problem's coordinates in the working basis."""
        return values if self._turn is None else np.asarray(self._turn.T @ values)

    def _append_turn(self, starts: IntArray, turns: list[tuple[IntArray, FloatArray]]) -> None:
        """Add the bases of groups to the block-diagonal matrix of all."""
        if not turns and self._turn is None:
            return
        wide = np.ones(starts[-1], dtype=np.int64)
        for members, basis in turns:
            wide[starts[members][:, None] + np.arange(basis.shape[1])] = basis.shape[1]
        pointers = np.concatenate([[0], np.cumsum(wide)])
        data, indices = np.ones(pointers[-1]), np.repeat(np.arange(starts[-1]), wide)
        for members, basis in turns:
            inside = np.arange(basis.shape[1])
            rows = starts[members][:, None] + inside
            where = pointers[rows][:, :, None] + inside
            data[where] = basis
            indices[where] = rows[:, None, :]
        held = self.size
        old = self._turn if self._turn is not None else _identity(held)
        parts = (
            np.concatenate([old.data, data]),
            np.concatenate([old.indices, indices + held]),
            np.concatenate([old.indptr, old.indptr[-1] + pointers[1:]]),
        )
        self._turn = _compressed(parts, held + int(starts[-1]))


def _by_coefficient(spans: IntArray) -> tuple[IntArray, IntArray]:
    """Return a span for every coefficient of some spans, and which of these it belongs to.

    Coefficients follow one another by rows, and by classes within.
    """
    sizes = spans[:, 1] - spans[:, 0]
    widths = spans[:, 3] - spans[:, 2]
    place = np.repeat(np.arange(sizes.size), sizes * widths)
    within = np.arange(place.size) - np.repeat(
        np.cumsum(sizes * widths) - sizes * widths, sizes * widths
    )
    out = spans[place]
    row, column = within // widths[place], within % widths[place]
    out[:, 0] += row
    out[:, 1] = out[:, 0] + 1
    out[:, 2] += column
    out[:, 3] = out[:, 2] + 1
    dense = out[:, 4] == DENSE
    out[dense, 5] += row[dense]
    out[:, 6] = np.where(dense, np.minimum(out[:, 6], 1), out[:, 6])
    return out, place


def grown_to(count: int, values: FloatArray) -> FloatArray:
    """Return rows of values, followed by zeros where they are fewer than `count`."""
    if values.shape[0] == count:
        return values
    out = np.zeros((count, values.shape[1]))
    out[: values.shape[0]] = values
    return out


def _any(touched: BoolArray, starts: IntArray) -> BoolArray:
    """Return which segments hold a True."""
    return np.asarray(segment_sums(touched.astype(np.float64), starts) > 0)


def _identity(size: int) -> Any:
    """Return the identity in compressed rows."""
    return _compressed((np.ones(size), np.arange(size), np.arange(size + 1)), size)


def _compressed(parts: tuple[FloatArray, IntArray, IntArray], size: int) -> Any:
    """Return a square matrix in compressed rows."""
    from scipy import sparse as sp

    return sp.csr_array(parts, shape=(size, size))
