"""Newton's method for norms of overlapping groups, where none of them bends.

On the rows whose groups are all different from zero, sum_g level_g ||x_g|| is smooth:

    gradient  sum_g level_g x_g / ||x_g||,    Hessian  sum_g level_g (I - n_g n_g') / ||x_g||

with n_g = x_g / ||x_g||. First-order steps find these rows; Newton's method then gives the digits.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from grpsparse.backend import segment_norms
from grpsparse.groups import FloatArray, IntArray

__all__ = ["Smooth", "SmoothNorms", "descend", "smooth_rows"]

MOST_STEPS = 30
ENOUGH = 1e-4  # share of the promised descent that a step has to give
SHORTEST = 1e-10
RIDGE = 1e-11  # of the Hessian's diagonal, where a direction moves nothing
SMALL = 1e-30  # promised descent, over the value, that is none


# value, gradient and Hessian of a smooth function of the chosen entries (s,)
Smooth = Callable[[FloatArray], tuple[float, FloatArray, FloatArray]]


@dataclass(frozen=True, slots=True)
class SmoothNorms:
    """Norms of groups that are not zero, of some of the rows.

    Parameters
    ----------
    index : ndarray of int, shape (m,)
        Places of the groups' rows among those chosen, one group after the other.
    starts : ndarray of int, shape (G + 1,)
    level : ndarray of shape (G,)
    n_columns : int
        Columns K of the coefficients, which are flattened.
    """

    index: IntArray
    starts: IntArray
    level: FloatArray
    n_columns: int

    def value(self, flat: FloatArray) -> float:
        """Return the sum of the norms."""
        return float(self.level @ self._norms(flat))

    def gradient(self, flat: FloatArray) -> FloatArray:
        """Return its gradient."""
        pull = np.repeat(self.level / self._norms(flat), np.diff(self.starts))
        out = np.zeros((flat.size // self.n_columns, self.n_columns))
        x = flat.reshape(out.shape)
        np.add.at(out, self.index, pull[:, None] * x[self.index])
        return out.ravel()

    def add_hessian(self, flat: FloatArray, out: FloatArray) -> None:
        """Add its Hessian to a matrix."""
        norms, inside = self._norms(flat), np.arange(self.n_columns)
        for g, (first, last) in enumerate(zip(self.starts[:-1], self.starts[1:], strict=True)):
            entries = (self.index[first:last, None] * self.n_columns + inside).ravel()
            unit = flat[entries] / norms[g]
            block = np.eye(entries.size) - np.outer(unit, unit)
            out[np.ix_(entries, entries)] += self.level[g] / norms[g] * block

    def _norms(self, flat: FloatArray) -> FloatArray:
        x = flat.reshape(-1, self.n_columns)
        return segment_norms(x[self.index], self.starts, shared=True)[:, 0]


def smooth_rows(
    x: FloatArray, index: IntArray, starts: IntArray, level: FloatArray
) -> tuple[IntArray, SmoothNorms]:
    """Return the rows of x (p, K) that are not zero, and the norms of their groups as of these."""
    owner = np.repeat(np.arange(level.size), np.diff(starts))
    norms = segment_norms(x[index], starts, shared=True)[:, 0]
    nonzero = norms > 0
    rows = np.flatnonzero(x.any(axis=1))
    place = np.full(x.shape[0], -1)
    place[rows] = np.arange(rows.size)
    kept = nonzero[owner] & (place[index] >= 0)
    sizes = np.bincount(owner[kept], minlength=level.size)[nonzero]
    bounds = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    return rows, SmoothNorms(place[index[kept]], bounds, level[nonzero], x.shape[1])


def descend(smooth: Smooth, norms: SmoothNorms, flat: FloatArray) -> tuple[FloatArray, int]:
    """Minimise a smooth function plus norms from a point where both are, by damped Newton steps.

    Returns
    -------
    flat : ndarray of shape (s,)
        The point reached.
    n_iter : int
        Steps taken.
    """
    plain, gradient, hessian = smooth(flat)
    value = plain + norms.value(flat)
    for count in range(MOST_STEPS):
        gradient = gradient + norms.gradient(flat)
        hessian = hessian.copy()
        norms.add_hessian(flat, hessian)
        hessian[np.diag_indices(flat.size)] += RIDGE * np.abs(np.diagonal(hessian))
        try:
            step = -np.linalg.solve(hessian, gradient)
        except np.linalg.LinAlgError:
            return flat, count
        promised, length = float(gradient @ step), 1.0
        if not -promised > SMALL * abs(value):
            return flat, count
        while True:
            trial = flat + length * step
            plain, gradient, hessian = smooth(trial)
            reached = plain + norms.value(trial)
            if reached <= value + ENOUGH * length * promised:
                break
            # rounding hides what the last step gains: it is taken if it is whole
            if length == 1.0 and reached - value <= 1e-14 * abs(value):
                return trial, count + 1
            length *= 0.5
            if length < SHORTEST:
                return flat, count
        flat, value = trial, reached
    return flat, MOST_STEPS
