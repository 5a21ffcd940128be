"""The penalty on the rows of a working set: its value, and its curvature where it is smooth.

On an active block with norm r and direction u the radial part has gradient p'(r) u and
Hessian p'(r)/r (I - uu') + p''(r) uu'; the elementwise part adds a constant sign. A penalty of all
norms has a Hessian c I + d vv' in them: c takes the place of p'', and d (v u)(v u)' ties blocks.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import cast

import numpy as np

from grpsparse.groups import BoolArray, FloatArray, IntArray
from grpsparse.penalties import JointPenalty, Penalty
from grpsparse.problem.smooth import Curved

__all__ = ["JointBlocks", "PenaltyBlocks"]


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
        total = self._paid(self._norms(theta, inside))
        if not self.single.any():
            return total
        return total + float(np.abs(theta[inside]) @ self.single[self.owner[inside]])

    def _paid(self, norms: FloatArray) -> float:
        """Return the penalty of norms (B,), without the elementwise part."""
        mask = self.level > 0
        return float(self.penalty.radial_value(norms[mask], self.level[mask]).sum())

    def _slopes(self, norms: FloatArray) -> FloatArray:
        """Return the derivatives in the norms, (B,)."""
        slopes: FloatArray = self.penalty.radial_derivative(norms, self.level)
        return slopes

    def _bends(self, norms: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Return the Hessian in the norms: its diagonal (B,), vectors (B, C) and coefficients (C,).

        A sum over blocks has no vectors.
        """
        bends: FloatArray = self.penalty.radial_curvature(norms, self.level)
        return bends, np.empty((norms.size, 0)), np.empty(0)

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
            slope = self._slopes(size)
            entry = theta[inside]
            out = np.zeros(theta.shape)
            out[inside] = _ratio(slope, size)[block] * entry + self.single[block] * np.sign(entry)
            return out

        def hessian(theta: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
            size = self._norms(theta, inside)
            bend, vectors, coefficients = self._bends(size)
            round_ = _ratio(self._slopes(size), size)
            diagonal = np.zeros(theta.shape)
            diagonal[inside] = np.where(sizes > 1, round_, bend)[block]
            unit = np.zeros((*theta.shape, wide.size + coefficients.size))
            direction = theta[inside] / np.maximum(size[block], 1e-300)
            unit[where[0][many], where[1][many], column[block[many]]] = direction[many]
            unit[where[0], where[1], wide.size :] = vectors[block] * direction[:, None]
            return diagonal, unit, np.concatenate([(bend - round_)[wide], coefficients])

        return Curved(free, signed, bool(signed.any()), self.value, gradient, hessian)


@dataclass(frozen=True, slots=True)
class JointBlocks(PenaltyBlocks):
    """Blocks with one penalty of all norms.

    Parameters
    ----------
    case : ndarray of int, shape (B,)
        The class of a block where classes are separate, else 0.
    lambda_ : float
    unseen : ndarray of shape (m, K, H)
        Directions that neither loss nor penalty keep at zero, so that a square does.
    held : float
        Weight of that square.
    """

    case: IntArray
    lambda_: float
    unseen: FloatArray
    held: float

    def rows(self, used: IntArray) -> JointBlocks:
        """Return the blocks of some rows, all rows of a block or none."""
        return replace(self, owner=self.owner[used], unseen=self.unseen[used])

    def _cases(self) -> Iterator[tuple[IntArray, FloatArray]]:
        """Yield the penalised blocks of every class with their weights."""
        for number in np.unique(self.case):
            blocks = np.flatnonzero((self.case == number) & (self.level > 0))
            yield blocks, self.level[blocks] / self.lambda_

    def _paid(self, norms: FloatArray) -> float:
        joint = cast(JointPenalty, self.penalty)
        if not self.level.any():
            return 0.0
        return sum(
            joint.joint_value(norms[blocks], weight, self.lambda_)
            for blocks, weight in self._cases()
        )

    def _slopes(self, norms: FloatArray) -> FloatArray:
        joint, out = cast(JointPenalty, self.penalty), np.zeros_like(norms)
        for blocks, weight in self._cases():
            out[blocks] = joint.joint_slope(norms[blocks], weight, self.lambda_)
        return out

    def _bends(self, norms: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        joint, out = cast(JointPenalty, self.penalty), np.zeros_like(norms)
        vectors, coefficients = [], []
        for blocks, weight in self._cases():
            bend, vector, coefficient = joint.joint_curvature(norms[blocks], weight, self.lambda_)
            out[blocks] = bend
            vectors.append(np.zeros_like(norms))
            vectors[-1][blocks] = vector
            coefficients.append(coefficient)
        return out, np.stack(vectors, axis=1), np.array(coefficients)

    def curved(self, free: BoolArray) -> Curved:
        """Return value, gradient and Hessian on the free entries of theta."""
        plain = PenaltyBlocks.curved(self, free)
        if not self.unseen.shape[2]:
            return plain
        held, weight = self.unseen * free[:, :, None], self.held

        def along(theta: FloatArray) -> FloatArray:
            return np.asarray(np.einsum("mkh,mk->h", held, theta))

        def value(theta: FloatArray) -> float:
            return plain.value(theta) + 0.5 * weight * float(np.sum(along(theta) ** 2))

        def gradient(theta: FloatArray) -> FloatArray:
            return plain.gradient(theta) + weight * (held @ along(theta))

        def hessian(theta: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
            diagonal, unit, coefficients = plain.hessian(theta)
            unit = np.concatenate([unit, held], axis=2)
            return diagonal, unit, np.concatenate([coefficients, np.full(held.shape[2], weight)])

        return replace(plain, value=value, gradient=gradient, hessian=hessian)


def _ratio(top: FloatArray, bottom: FloatArray) -> FloatArray:
    return np.divide(top, bottom, out=np.zeros_like(top), where=bottom > 0)
