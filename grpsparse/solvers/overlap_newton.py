"""Newton's method for norms of overlapping groups, where none of them bends.

On the rows whose groups are all different from zero, sum_g level_g ||x_g|| is smooth:

    gradient  sum_g level_g x_g / ||x_g||,    Hessian  sum_g level_g (I - n_g n_g') / ||x_g||

with n_g = x_g / ||x_g||. First-order steps find these rows; Newton's method then gives the digits.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

import numpy as np

from grpsparse.backend import segment_sums
from grpsparse.groups import BoolArray, FloatArray, IntArray
from grpsparse.penalties import OverlapNorm

__all__ = ["Derivatives", "Smooth", "SmoothNorms", "descend"]

MOST_STEPS = 30
ENOUGH = 1e-4  # share of the promised descent that a step has to give
SHORTEST = 1e-10
RIDGE = 1e-11  # of the Hessian's diagonal, where a direction moves nothing
SMALL = 1e-30  # promised descent, over the value, that is none


# value of a smooth function of the chosen entries (s,), and what gives gradient and Hessian there
Derivatives = Callable[[], tuple[FloatArray, FloatArray]]
Smooth = Callable[[FloatArray], tuple[float, Derivatives]]


@dataclass(frozen=True, slots=True)
class SmoothNorms:
    """Norms of blocks that are not zero, of some entries of the coefficients.

    Parameters
    ----------
    index : ndarray of int, shape (m,)
        Places of the blocks' entries among those chosen, one block after the other.
    starts : ndarray of int, shape (B + 1,)
    level : ndarray of shape (B,)
    """

    index: IntArray
    starts: IntArray
    level: FloatArray

    @classmethod
    def of(cls, x: FloatArray, active: BoolArray, norm: OverlapNorm, *, shared: bool) -> Self:
        """Return the norms of coefficients x (p, K), which are zero where not active (p, K).

        Levels are the weights. A block is a group with all columns of x, or where these are not
        shared, with each.
        """
        place = np.full(active.shape, -1)
        place[active] = np.arange(int(active.sum()))
        count, width = norm.weight.size, 1 if shared else x.shape[1]
        owner = np.repeat(np.arange(count), np.diff(norm.starts))
        own, among = place[norm.index], x[norm.index]
        if shared:
            owner = np.repeat(owner, x.shape[1])
        else:
            own, among = own.T, among.T
            owner = (owner + count * np.arange(width)[:, None]).ravel()
        own, among = own.ravel(), among.ravel()
        nonzero = np.bincount(owner, among**2, count * width) > 0
        kept = nonzero[owner] & (own >= 0)
        sizes = np.bincount(owner[kept], minlength=count * width)[nonzero]
        starts = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        return cls(own[kept], starts, np.tile(norm.weight, width)[nonzero])

    def value(self, flat: FloatArray) -> float:
        """Return the sum of the norms."""
        return float(self.level @ self._norms(flat))

    def gradient(self, flat: FloatArray) -> FloatArray:
        """Return its gradient."""
        pull = np.repeat(self.level / self._norms(flat), np.diff(self.starts))
        return np.asarray(np.bincount(self.index, pull * flat[self.index], flat.size))

    def add_hessian(self, flat: FloatArray, out: FloatArray) -> None:
        """Add its Hessian to a matrix."""
        norms = self._norms(flat)
        for g, (first, last) in enumerate(zip(self.starts[:-1], self.starts[1:], strict=True)):
            entries = self.index[first:last]
            unit = flat[entries] / norms[g]
            block = np.eye(entries.size) - np.outer(unit, unit)
            out[np.ix_(entries, entries)] += self.level[g] / norms[g] * block

    def _norms(self, flat: FloatArray) -> FloatArray:
        return np.sqrt(segment_sums(flat[self.index] ** 2, self.starts))


def descend(smooth: Smooth, norms: SmoothNorms, flat: FloatArray) -> tuple[FloatArray, int]:
    """Minimise a smooth function plus norms from a point where both are, by damped Newton steps.

    Returns
    -------
    flat : ndarray of shape (s,)
        The point reached.
    n_iter : int
        Steps taken.
    """
    plain, derivatives = smooth(flat)
    value = plain + norms.value(flat)
    for count in range(MOST_STEPS):
        gradient, hessian = derivatives()
        gradient = gradient + norms.gradient(flat)
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
            plain, derivatives = smooth(trial)
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
