"""The penalty on the rows of a working set: its value, and its curvature where it is smooth.

On an active block with norm r and direction u the radial part has gradient p'(r) u and
Hessian p'(r)/r (I - uu') + p''(r) uu'; the elementwise part adds a constant sign.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from grpsparse.groups import BoolArray, FloatArray, IntArray
from grpsparse.penalties import Penalty
from grpsparse.problem.smooth import Curved

__all__ = ["PenaltyBlocks"]


@dataclass(frozen=True, slots=True)
class PenaltyBlocks:
    """Blocks of an array theta (m, K) with their penalty.

    Parameters
    ----------
    penalty : Penalty
    owner : ndarray of int, shape (m, K)
        Block of every entry, -1 where an entry is not in play.
    level, single : ndarray of shape (B,)
        Levels of the radial and of the elementwise part; both 0 is unpenalised.
    """

    penalty: Penalty
    owner: IntArray
    level: FloatArray
    single: FloatArray

    @classmethod
    def of(
        cls, penalty: Penalty, spans: IntArray, levels: FloatArray, shape: tuple[int, int]
    ) -> PenaltyBlocks:
        """Build from spans (B, 4), rows then classes, and levels (B, 2)."""
        owner = np.full(shape, -1, dtype=np.int64)
        sizes = spans[:, 1] - spans[:, 0]
        number = np.repeat(np.arange(sizes.size), sizes)
        offset = np.arange(number.size) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        rows = spans[number, 0] + offset
        for k in range(shape[1]):
            inside = (spans[number, 2] <= k) & (k < spans[number, 3])
            owner[rows[inside], k] = number[inside]
        return cls(penalty, owner, levels[:, 0], levels[:, 1])

    def rows(self, used: IntArray) -> PenaltyBlocks:
        """Return the blocks of some rows, all rows of a block or none."""
        return PenaltyBlocks(self.penalty, self.owner[used], self.level, self.single)

    def _norms(self, theta: FloatArray, inside: BoolArray) -> FloatArray:
        squares = np.bincount(
            self.owner[inside], weights=theta[inside] ** 2, minlength=self.level.size
        )
        return np.sqrt(squares)

    def value(self, theta: FloatArray) -> float:
        """Return the penalty of theta."""
        inside = self.owner >= 0
        mask = self.level > 0
        norms = self._norms(theta, inside)
        total = float(self.penalty.radial_value(norms[mask], self.level[mask]).sum())
        if not self.single.any():
            return total
        return total + float(np.abs(theta[inside]) @ self.single[self.owner[inside]])

    def free_entries(self, theta: FloatArray) -> BoolArray:
        """Return the entries around which the penalty is smooth, (m, K)."""
        inside = self.owner >= 0
        unpenalised = (self.level == 0) & (self.single == 0)
        active = (self._norms(theta, inside) > 0) | unpenalised
        block = np.maximum(self.owner, 0)
        smooth = (self.single[block] == 0) | (theta != 0)
        return np.asarray(inside & active[block] & smooth)

    def curved(self, free: BoolArray) -> Curved:
        """Return value, gradient and Hessian on the free entries of theta."""
        inside = (self.owner >= 0) & free
        inside &= (self.level + self.single)[np.maximum(self.owner, 0)] > 0
        block = self.owner[inside]
        sizes = np.bincount(block, minlength=self.level.size)
        wide = np.flatnonzero(sizes > 1)
        column = np.full(self.level.size, -1)
        column[wide] = np.arange(wide.size)
        where = np.nonzero(inside)
        many = sizes[block] > 1
        signed = np.zeros(free.shape, dtype=np.bool_)
        signed[inside] = ~many | (self.single[block] > 0)

        def gradient(theta: FloatArray) -> FloatArray:
            size = self._norms(theta, inside)
            slope = self.penalty.radial_derivative(size, self.level)
            entry = theta[inside]
            out = np.zeros(theta.shape)
            out[inside] = _ratio(slope, size)[block] * entry + self.single[block] * np.sign(entry)
            return out

        def hessian(theta: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
            size = self._norms(theta, inside)
            bend = self.penalty.radial_curvature(size, self.level)
            round_ = _ratio(self.penalty.radial_derivative(size, self.level), size)
            diagonal = np.zeros(theta.shape)
            diagonal[inside] = np.where(sizes > 1, round_, bend)[block]
            unit = np.zeros((*theta.shape, wide.size))
            length = np.maximum(size[block[many]], 1e-300)
            unit[where[0][many], where[1][many], column[block[many]]] = theta[inside][many] / length
            return diagonal, unit, (bend - round_)[wide]

        return Curved(free, signed, bool(signed.any()), self.value, gradient, hessian)


def _ratio(top: FloatArray, bottom: FloatArray) -> FloatArray:
    return np.divide(top, bottom, out=np.zeros_like(top), where=bottom > 0)
