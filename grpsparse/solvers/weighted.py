"""The Hessian of the loss on the coordinates of some groups, from weighted cross-products."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from grpsparse.groups import BoolArray, FloatArray, IntArray
from grpsparse.problem import Problem
from grpsparse.solvers.working_set import WorkingSet

__all__ = ["WeightedGram", "weighted_gram"]


@dataclass(frozen=True, slots=True)
class WeightedGram:
    """Hessian and gradient on some rows of a working set, the intercept's first.

    Parameters
    ----------
    problem : Problem
    rows : ndarray of int, shape (r,)
        Rows of the working set.
    coordinates : ndarray of int
        Coordinates of those after the intercept's.
    gram : ndarray of shape (K r, K r)
        Hessian, class after class.
    gradient : ndarray of shape (K, r)
    """

    problem: Problem
    rows: IntArray
    coordinates: IntArray
    gram: FloatArray
    gradient: FloatArray

    def spans(self, spans: IntArray) -> IntArray:
        """Return spans of the working set's rows as spans of these."""
        out = spans.copy()
        out[:, :2] -= spans[:, :1]
        place = np.searchsorted(self.rows, spans[:, 0])
        out[:, :2] += place[:, None]
        return out

    def scale(self, spans: IntArray, *, turned: bool) -> FloatArray:
        """Return the metric D of the rows: the diagonal, or a block's largest entry of it.

        The Hessian of cells is diagonal before it is centred, and that is their metric.
        """
        width = self.rows.size
        top = width - self.coordinates.size
        classes = self.gram.reshape(-1, width, self.gram.shape[0] // width, width)
        diagonal = np.empty((classes.shape[0], width))
        known = self.problem.coordinates
        centre = known.centre[self.coordinates] * known.cells[self.coordinates]
        for k in range(classes.shape[0]):
            own = classes[k, :, k]
            diagonal[k] = np.diagonal(own)
            if top:
                diagonal[k, top:] += 2.0 * centre * own[0, top:] + centre**2 * own[0, 0]
        scale: FloatArray = np.maximum(diagonal.max(axis=0), 1e-300)
        if not turned:
            for first, last in np.unique(spans[:, :2], axis=0):
                scale[first:last] = scale[first:last].max()
        return scale

    def predictor(self, step: FloatArray) -> FloatArray:
        """Return what a step (r, K) of the rows moves the linear predictor by, (n, K)."""
        top = self.rows.size - self.coordinates.size
        moved = self.problem.coordinates.linear_predictor(step[top:], self.coordinates)
        moved += step[:top].sum(axis=0)
        return moved


def weighted_gram(
    problem: Problem,
    working: WorkingSet,
    groups: BoolArray,
    eta: FloatArray,
    curvature: FloatArray,
) -> WeightedGram:
    """Return Hessian and gradient of the loss at eta, on the coordinates of some groups.

    The Hessian is made of a curvature (n, K) of the family's kind.
    """
    data, top = problem.data, working.top
    inside = groups[working.groups]
    order = working.groups[inside]
    local = np.flatnonzero(np.repeat(inside, working.blocks.sizes))
    weighted = data.weights[:, None] * data.residual(eta)
    gradient = problem.coordinates.correlate(weighted, order)
    head = np.repeat(weighted.sum(axis=0)[None], top, axis=0)
    n_classes, width = eta.shape[1], top + local.size
    gram = np.empty((n_classes, width, n_classes, width))
    softmax, constant = (data.family.hessian == kind for kind in ("softmax", "constant"))
    for k in range(n_classes):
        for other in range(k + 1):
            bend, sign = curvature[:, k], 1.0
            if softmax and k == other:
                bend = bend * (1.0 - bend)
            elif softmax:
                bend, sign = bend * curvature[:, other], -1.0
            elif k != other:
                gram[k, :, other] = gram[other, :, k] = 0.0
                continue
            elif constant and k:
                gram[k, :, k] = gram[0, :, 0]
                continue
            block = problem.coordinates.bordered_gram(data.weights * bend, order)
            gram[k, :, other] = gram[other, :, k] = sign * block[1 - top :, 1 - top :]
    rows = np.concatenate([np.arange(top), top + local])
    return WeightedGram(
        problem,
        rows,
        working.coordinates[local],
        gram.reshape(n_classes * width, n_classes * width),
        np.ascontiguousarray(np.concatenate([head, gradient]).T),
    )
