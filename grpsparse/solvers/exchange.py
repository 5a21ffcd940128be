"""Subsets of groups under a constraint on their number: filled one by one, then exchanged.

From zero, iterative hard thresholding ends wherever it first has k groups. So the subset is
filled greedily before: with the coefficients of those that are in fitted, the group joins whose
own fit to what is left would gain most. Where thresholding stands still, groups that are in are
dropped in turn, the others fitted, and the best other one joins instead; what lowers the loss is
kept. The loss falls with every exchange, so they come to an end; what is left can be improved
neither by a step of thresholding nor by one of these exchanges.

References: Soussen, Idier, Brie & Duan (2011), doi:10.1109/TSP.2011.2159211, for single best
replacement; Zhu, Wen, Zhu, Zhang & Wang (2020), doi:10.1073/pnas.2014241117, for splicing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from grpsparse.backend import segment_sums
from grpsparse.groups import BoolArray, FloatArray, IntArray
from grpsparse.penalties import GroupCardinality
from grpsparse.problem.smooth import Curved, SmoothFit, newton
from grpsparse.solvers.composite import Composite

__all__ = ["Subsets"]

SLACK = 1e-9  # of the null deviance, by which an exchange has to lower the loss
RANK_FLOOR = 1e-9  # of a group's largest mean square, below which a direction is none


@dataclass(frozen=True, slots=True)
class Fitted:
    """Coefficients x (u + m, K) of a subset, their loss, and the Newton steps they took."""

    x: FloatArray
    eta: FloatArray
    loss: float
    n_steps: int


class Subsets:
    """Fits of subsets of the groups of a composite.

    A subset is an array of bool, (g, 1) for shared and (g, K) for separate classes, each of
    which has its own count.

    Parameters
    ----------
    composite : Composite
    penalty : GroupCardinality
    """

    def __init__(self, composite: Composite, penalty: GroupCardinality) -> None:
        self._composite = composite
        self._most = min(penalty.k, composite.blocks.weight.size)
        offset = composite.predictor(
            np.zeros((composite.rows.shape[0], composite.problem.n_outputs))
        )
        self._data = replace(composite.data, offset=offset)
        self._inverses = _inverses(composite)

    def opened(self, x: FloatArray) -> tuple[FloatArray, int]:
        """Return x with groups added until there are k, and the Newton steps it took."""
        inside = self._composite.norms(x) > 0
        if not self._open(inside).any():
            return x, 0
        fit, used = self._fit(x, inside), 0
        while self._open(inside).any():
            gains = np.where(self._open(inside), self._gains(fit), 0.0)
            best = int(np.argmax(gains))
            if not gains.flat[best] > 0.0:
                break
            inside = inside.copy()
            inside.flat[best] = True
            used += fit.n_steps
            fit = self._fit(fit.x, inside)
        return fit.x, used + fit.n_steps

    def moved(self, x: FloatArray) -> tuple[FloatArray, int] | None:
        """Return x after the first exchange that lowers the loss, None where there is none."""
        composite = self._composite
        norms = composite.norms(x)
        inside = norms > 0
        limit = composite.data.loss(composite.predictor(x)) - SLACK * composite.problem.scale
        used = 0
        for block in np.argsort(np.where(inside, norms, np.inf), axis=None)[: inside.sum()]:
            left = inside.copy()
            left.flat[block] = False
            fit = self._fit(x, left)
            others = self._open(left)
            others.flat[block] = False
            gains = np.where(others, self._gains(fit), 0.0)
            best = int(np.argmax(gains))
            used += fit.n_steps
            if not gains.flat[best] > 0.0:
                continue
            left.flat[best] = True
            fit = self._fit(fit.x, left)
            used += fit.n_steps
            if fit.loss < limit:
                return fit.x, used
        return None

    def _open(self, inside: BoolArray) -> BoolArray:
        """Return the blocks that may join."""
        return np.asarray(~inside & (inside.sum(axis=0) < self._most))

    def _fit(self, x: FloatArray, inside: BoolArray) -> Fitted:
        """Fit a subset without penalty, from x."""
        composite = self._composite
        free = np.ones(x.shape, dtype=np.bool_)
        free[composite.n_free :] = np.repeat(inside, composite.blocks.sizes, axis=0)
        used = np.flatnonzero(free.any(axis=1))
        start = np.where(free, x, 0.0)[used]
        fit: SmoothFit = newton(
            self._data,
            composite.rows[used],
            start,
            penalty=_unpenalised(free[used]),
            scale=composite.problem.scale,
        )
        out = np.zeros_like(x)
        out[used] = fit.theta
        return Fitted(out, fit.eta, fit.loss, fit.n_steps)

    def _gains(self, fit: Fitted) -> FloatArray:
        """Return what every block's own fit would gain, (g, 1) or (g, K), up to a factor."""
        composite = self._composite
        gradient = composite.gradient(fit.eta)[composite.n_free :]
        starts, squares = composite.blocks.starts, np.zeros_like(gradient)
        for members, inverse in self._inverses:
            rows = starts[members][:, None] + np.arange(inverse.shape[1])
            each = gradient[rows]
            squares[rows] = each * (inverse @ each)
        if composite.blocks.shared:
            return segment_sums(squares.sum(axis=1), starts)[:, None]
        return np.stack([segment_sums(column, starts) for column in squares.T], axis=1)


def _inverses(composite: Composite) -> list[tuple[IntArray, FloatArray]]:
    """Return groups of one size with the inverses (g, m, m) of their Gram matrices."""
    weights, blocks = composite.data.weights, composite.blocks
    out: list[tuple[IntArray, FloatArray]] = []
    rows = composite.rows[composite.n_free :]
    for size in np.unique(blocks.sizes):
        members = np.flatnonzero(blocks.sizes == size)
        columns = rows[blocks.starts[members][:, None] + np.arange(size)]
        grams = (columns * weights) @ columns.transpose(0, 2, 1)
        inverses = np.asarray(np.linalg.pinv(grams, rcond=RANK_FLOOR, hermitian=True))
        out.append((members.astype(np.int64), inverses.astype(np.float64)))
    return out


def _unpenalised(free: BoolArray) -> Curved:
    """Return no penalty on the free entries, with all others held."""
    none = np.zeros(free.shape)
    hessian = (none, np.zeros((*free.shape, 0)), np.zeros(0))
    return Curved(free, none > 0, False, lambda _: 0.0, lambda _: none, lambda _: hessian)
