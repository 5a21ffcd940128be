"""Subsets of groups under a constraint on their number: filled one by one, then exchanged.

From zero, iterative hard thresholding ends wherever it first has k groups. So the subset is
filled greedily before: with the coefficients of those that are in fitted, the group joins that
would gain most beside them. Where thresholding stands still, groups that are in are
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
from grpsparse.problem.null import unpenalised_basis
from grpsparse.problem.smooth import Curved, SmoothFit, newton
from grpsparse.solvers.composite import Composite

__all__ = ["Subsets"]

SLACK = 1e-9  # of the null deviance, by which an exchange has to lower the loss
RANK_FLOOR = 1e-9  # of a group's mean squares, below which a direction is one of the subset


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
    most : int
        Largest number of groups, in each class where these are separate.
    """

    def __init__(self, composite: Composite, most: int) -> None:
        self._composite = composite
        self._most = min(most, composite.blocks.weight.size)
        offset = composite.predictor(
            np.zeros((composite.rows.shape[0], composite.problem.n_outputs))
        )
        self._data = replace(composite.data, offset=offset)
        self._columns = _by_size(composite)

    def opened(self, x: FloatArray) -> tuple[FloatArray, int]:
        """Return x with groups added until there are k, and the Newton steps it took."""
        inside = self._composite.norms(x) > 0
        if not self._open(inside).any():
            return x, 0
        fit, used = self._fit(x, inside), 0
        while self._open(inside).any():
            gains = np.where(self._open(inside), self._gains(fit, inside), 0.0)
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
            gains = np.where(others, self._gains(fit, left), 0.0)
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

    def _gains(self, fit: Fitted, inside: BoolArray) -> FloatArray:
        """Return what every block would gain beside a subset, (g, 1) or (g, K), up to a factor.

        That is ``z'G z / 2``, z the gradient and G the inverse of the Gram matrix of a group's
        columns less their projections on those of the subset: exact for least squares.
        """
        composite = self._composite
        starts = composite.blocks.starts
        gradient = composite.gradient(fit.eta)[composite.n_free :]
        out = np.zeros(inside.shape)
        for v, (each, view) in enumerate(
            zip(inside.T, composite.blocks.views(gradient), strict=True)
        ):
            basis = self._basis(each)
            squares = np.zeros_like(view)
            for members, columns in self._columns:
                rows = starts[members][:, None] + np.arange(columns.shape[1])
                squares[rows] = _explained(columns, basis, view[rows])
            out[:, v] = segment_sums(squares.sum(axis=1), starts)
        return out

    def _basis(self, inside: BoolArray) -> FloatArray:
        """Return orthonormal rows (r, n) of the groups of a subset, times roots of weights."""
        composite, weights = self._composite, self._composite.data.weights
        rows = composite.blocks.rows(np.flatnonzero(inside)) + composite.n_free
        found = unpenalised_basis(composite.rows[rows], weights, intercept=False).rows
        return np.asarray(found * np.sqrt(weights))


def _by_size(composite: Composite) -> list[tuple[IntArray, FloatArray]]:
    """Return groups of one size with their columns (g, m, n), times roots of weights."""
    blocks, root = composite.blocks, np.sqrt(composite.data.weights)
    rows = composite.rows[composite.n_free :]
    out: list[tuple[IntArray, FloatArray]] = []
    for size in np.unique(blocks.sizes):
        members = np.flatnonzero(blocks.sizes == size)
        out.append((members, rows[blocks.starts[members][:, None] + np.arange(size)] * root))
    return out


def _explained(columns: FloatArray, basis: FloatArray, gradient: FloatArray) -> FloatArray:
    """Return z * (G z), (g, m, K), of groups beside a basis, inside of which nothing is gained."""
    along = columns @ basis.T
    grams = columns @ columns.transpose(0, 2, 1)
    values, vectors = np.linalg.eigh(grams - along @ along.transpose(0, 2, 1))
    floor = RANK_FLOOR * np.trace(grams, axis1=1, axis2=2)[:, None]
    inverse = np.where(values > floor, 1.0 / np.maximum(values, 1e-300), 0.0)
    turned = vectors.transpose(0, 2, 1) @ gradient
    explained: FloatArray = gradient * (vectors @ (inverse[:, :, None] * turned))
    return explained


def _unpenalised(free: BoolArray) -> Curved:
    """Return no penalty on the free entries, with all others held."""
    none = np.zeros(free.shape)
    hessian = (none, np.zeros((*free.shape, 0)), np.zeros(0))
    return Curved(free, none > 0, False, lambda _: 0.0, lambda _: none, lambda _: hessian)
