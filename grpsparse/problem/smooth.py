"""Newton's method on the smooth part: free coordinates and a smooth penalty.

It serves three ends: the null fit, the fit of the unpenalised groups, and the last digits of
a penalised fit, whose penalty is smooth on the blocks that are not zero. Variables are the
coordinates, class after class; the Hessian is exact.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import cache

import numpy as np
from scipy.linalg.lapack import dposv

from grpsparse.families import Family, JointFamily
from grpsparse.groups import BoolArray, FloatArray, IntArray

__all__ = ["Curved", "Observed", "SmoothFit", "newton"]

NEGLIGIBLE = 1e-16  # Newton decrement, over the objective's size, that counts as converged
ROUNDING = 1e-31  # and the one at which further steps are noise
QUADRATIC = 1e-9  # decrement below which the objective may rise by rounding
NOISE = 1e-14  # of the objective: rounding of a sum whose terms cancel
HALVINGS = 30
JUST_ACROSS = 1.0 + 1e-12  # so that the entry at the kink ends on it
RIDGE = 1e-11  # on unit curvatures: keeps directions of no curvature out of the step
TINY = 1e-40  # curvature, relative to the largest, of a variable that stays where it is
SADDLE_FLOOR = 1e-8  # of the largest: smaller absolute eigenvalues are raised to this


@dataclass(frozen=True, slots=True)
class Observed:
    """The data of a loss: family, response, weights summing to one, and offset.

    Arrays (n, K) are stored class by class: sums over a few classes then run over rows. A family
    that ties rows together is told which they are.
    """

    family: Family
    y: FloatArray
    weights: FloatArray
    offset: FloatArray
    joint: JointFamily | None = field(init=False)  # the family, if it ties rows together
    present: IntArray | None = field(init=False)  # rows of positive weight, None for all
    counted: FloatArray = field(init=False)  # their weights

    def __post_init__(self) -> None:
        joint = self.family if isinstance(self.family, JointFamily) else None
        if joint is not None:
            joint = joint.among(self.y, self.weights)
            object.__setattr__(self, "family", joint)
        object.__setattr__(self, "joint", joint)
        object.__setattr__(self, "y", np.asfortranarray(self.y))
        object.__setattr__(self, "offset", np.asfortranarray(self.offset))
        positive = self.weights > 0
        present = None if positive.all() else np.flatnonzero(positive)
        object.__setattr__(self, "present", present)
        object.__setattr__(
            self, "counted", self.weights if present is None else self.weights[present]
        )

    def loss(self, eta: FloatArray) -> float:
        """Return the weighted mean loss."""
        return self.mean(self.family.loss(self.y, eta))

    def mean(self, values: FloatArray) -> float:
        """Return the weighted mean of one value per row; rows of weight zero don't speak."""
        return float(self.counted @ (values if self.present is None else values[self.present]))

    def residual(self, eta: FloatArray) -> FloatArray:
        """Return y - mu, (n, K): minus the gradient of a row's loss."""
        gradient: FloatArray = self.family.gradient(self.y, eta)
        return -gradient

    def conjugate(self, theta: FloatArray, offset: FloatArray, eta: FloatArray) -> float:
        """Return the weighted mean of the conjugate at -theta, near minus the gradient at eta."""
        if self.joint is not None:
            return self.mean(self.joint.conjugate_near(self.y, eta, theta, offset))
        return self.mean(self.family.conjugate(self.y, theta, offset))


@dataclass(frozen=True, slots=True)
class Curved:
    """A smooth penalty around a point: value, gradient and Hessian in theta's free entries.

    `hessian` maps theta (m, K) to the diagonal (m, K) and low-rank factors: (m, K, B) unit
    blocks with their B coefficients. Entries in `signed` (m, K) have a kink at zero.
    """

    free: BoolArray  # entries that may move, (m, K)
    signed: BoolArray
    kinked: bool  # whether any entry is signed
    value: Callable[[FloatArray], float]
    gradient: Callable[[FloatArray], FloatArray]
    hessian: Callable[[FloatArray], tuple[FloatArray, FloatArray, FloatArray]]


@dataclass(frozen=True, slots=True)
class SmoothFit:
    """Where Newton's method ended."""

    theta: FloatArray
    eta: FloatArray
    loss: float
    converged: bool
    n_steps: int


def newton(
    data: Observed,
    rows: FloatArray,
    theta: FloatArray,
    *,
    penalty: Curved | None = None,
    max_steps: int = 100,
    scale: float | None = None,
    enough: float = ROUNDING,
    loss: float | None = None,
) -> SmoothFit:
    """Minimise loss + smooth penalty over the free coordinates.

    Parameters
    ----------
    data : Observed
    rows : ndarray of shape (m, n)
        Columns of Z, one contiguous row each.
        An intercept is a row of ones.
    theta : ndarray of shape (m, K)
        Starting point.
    penalty : Curved, optional
    max_steps : int
    scale : float, optional
        Size of the objective that "rounding level" refers to; by default its value at the
        starting point.
    enough : float
        Newton decrement, over `scale`, at which to stop; at least rounding level.
    loss : float, optional
        Mean loss at the starting point, where it is known.

    Returns
    -------
    SmoothFit
        ``converged`` is False where no step lowers the objective any more before the
        Newton decrement is at rounding level, or the Hessian is not positive definite.
    """
    mask = np.ones(theta.shape, dtype=bool) if penalty is None else penalty.free
    system = _System(data, rows, mask, penalty)
    point = theta
    eta = system.linear_predictor(point)
    loss = data.loss(eta) if loss is None else loss
    value = loss + system.penalty_value(point)
    unit = max(abs(value) if scale is None else scale, 1e-300)
    converged, steps, previous = False, 0, np.inf
    if data.family.hessian == "piecewise" and data.joint is None:
        enough = ROUNDING  # steps do not square the error, so that none ends far below `enough`
    while system.mask.any() and steps < max_steps:  # all may have met their kinks
        found = system.direction(point, eta)
        if found is None:
            break
        direction, decrement = found
        converged = decrement <= NEGLIGIBLE * unit
        stalled = decrement > 0.1 * previous and converged
        if decrement <= enough * unit or stalled or not np.isfinite(decrement):
            break
        slack = NOISE * (unit + abs(value)) if decrement <= QUADRATIC * unit else 0.0
        moved = system.search(point, direction, value + slack, decrement)
        steps += 1
        if moved is None:
            break
        point, eta, value, loss = moved
        system = system.without_kinks(point)
        # the next decrement would be about the square; at rounding level it is waited for
        if enough > ROUNDING and (decrement / unit) ** 2 <= 0.1 * enough:
            converged = True
            break
        previous = decrement
    return SmoothFit(point, eta, loss, converged, steps)


@dataclass(frozen=True, slots=True)
class _System:
    """The Newton system: columns, what is free to move, and the penalty."""

    data: Observed
    rows: FloatArray  # (m, n)
    mask: BoolArray  # (m, K)
    penalty: Curved | None

    def linear_predictor(self, point: FloatArray) -> FloatArray:
        """Return offset + columns times the point, (n, K) class by class."""
        return self.data.offset + (point.T @ self.rows).T

    def penalty_value(self, point: FloatArray) -> float:
        """Return the penalty of the point."""
        return 0.0 if self.penalty is None else self.penalty.value(point)

    def direction(self, point: FloatArray, eta: FloatArray) -> tuple[FloatArray, float] | None:
        """Return the Newton direction and its decrement, None where there is none."""
        residual = self.data.residual(eta)
        gradient = -(self.rows @ (self.data.weights[:, None] * residual))
        hessian = loss_hessian(self.data, self.rows, eta, residual)
        if self.penalty is not None:
            gradient += self.penalty.gradient(point)
            _add_penalty(hessian, self.penalty, point)
        target = -gradient.T.ravel()
        flat = np.zeros(target.size)
        keep = slice(None) if self.mask.all() else np.flatnonzero(self.mask.T.ravel())
        part = hessian if isinstance(keep, slice) else hessian[np.ix_(keep, keep)]
        solution = _solve(part, target[keep])
        if solution is None:
            return None
        flat[keep] = solution
        return flat.reshape(gradient.shape[::-1]).T, float(flat @ target)

    def without_kinks(self, point: FloatArray) -> _System:
        """Return the system with the entries that stand on a kink fixed there."""
        if self.penalty is None or not self.penalty.kinked:
            return self
        stuck = self.mask & self.penalty.signed & (point == 0)
        return replace(self, mask=self.mask & ~stuck) if stuck.any() else self

    def _sizes(self, point: FloatArray, direction: FloatArray) -> Iterator[float]:
        """Yield step sizes to try: the whole, then to the first kink, then halves of it."""
        yield 1.0
        size = 0.5
        if self.penalty is not None and self.penalty.kinked:
            across = self.penalty.signed & (point * (point + direction) < 0)
            if across.any():
                size = float(np.min(-point[across] / direction[across])) * JUST_ACROSS
        for _ in range(HALVINGS):
            yield size
            size *= 0.5

    def search(
        self, point: FloatArray, direction: FloatArray, limit: float, decrement: float
    ) -> tuple[FloatArray, FloatArray, float, float] | None:
        """Shorten the step until the objective is far enough below the limit, or give up.

        Entries that would cross a kink stop there.
        """
        for size in self._sizes(point, direction):
            trial = point + size * direction
            if self.penalty is not None and self.penalty.kinked:
                trial = np.where(self.penalty.signed & (point * trial < 0), 0.0, trial)
            eta = self.linear_predictor(trial)
            loss = self.data.loss(eta)
            value = loss + self.penalty_value(trial)
            if value <= limit - 1e-4 * size * decrement:
                return trial, eta, value, loss
        return None


def loss_hessian(
    data: Observed, rows: FloatArray, eta: FloatArray, residual: FloatArray
) -> FloatArray:
    """Return the Hessian of the mean loss, (K m, K m), classes outermost."""
    n_classes, m = eta.shape[1], rows.shape[0]
    if data.joint is not None:
        return np.asarray(data.joint.information(data.y, eta, rows))
    if data.family.hessian == "softmax":
        mean = (data.y - residual).T
        first, second = _pairs(n_classes)
        weight = data.weights * mean[first] * ((first == second)[:, None] - mean[second])
    else:
        first = second = np.arange(n_classes)
        weight = data.weights * data.family.curvature(data.y, eta).T
    weighted = (weight[:, None, :] * rows).reshape(-1, rows.shape[1])
    blocks = (weighted @ rows.T).reshape(-1, m, m)
    out = np.zeros((n_classes, m, n_classes, m))
    out[first, :, second] = blocks
    out[second, :, first] = blocks
    return out.reshape(n_classes * m, n_classes * m)


@cache
def _pairs(n_classes: int) -> tuple[IntArray, IntArray]:
    return np.tril_indices(n_classes)


def _solve(system: FloatArray, target: FloatArray) -> FloatArray | None:
    """Solve for a descent direction; negative curvature counts with its absolute value.

    Variables are brought to unit curvature first, so that their units do not matter.
    """
    size = system.shape[0]
    diagonal = np.abs(system.flat[:: size + 1])
    unit = 1.0 / np.sqrt(np.maximum(diagonal, 1e-300))
    unit[diagonal <= TINY * diagonal.max(initial=0.0)] = 0.0
    scaled = system * unit * unit[:, None]
    lifted = scaled.copy()
    lifted.flat[:: size + 1] += np.where(unit > 0, RIDGE, 1.0)
    _, solution, info = dposv(lifted, unit * target, lower=1, overwrite_a=1)
    if info == 0:
        return np.asarray(unit * solution)
    try:
        values, vectors = np.linalg.eigh(scaled)
    except np.linalg.LinAlgError:
        return None
    bend = np.maximum(np.abs(values), SADDLE_FLOOR * np.abs(values).max())
    return np.asarray(unit * (vectors @ ((vectors.T @ (unit * target)) / bend)))


def _add_penalty(hessian: FloatArray, penalty: Curved, theta: FloatArray) -> None:
    """Add the penalty's Hessian, in place."""
    diagonal, blocks, coefficients = penalty.hessian(theta)
    m, n_classes = theta.shape
    size = m * n_classes
    flat = blocks.transpose(1, 0, 2).reshape(size, blocks.shape[2])
    hessian += (flat * coefficients) @ flat.T
    hessian.flat[:: size + 1] += diagonal.T.ravel()
