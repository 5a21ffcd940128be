"""Newton's method on the smooth part: intercept, free coordinates, and a smooth penalty.

It serves three ends: the null fit, the fit of the unpenalised groups, and the last digits of
a penalised fit, whose penalty is smooth on the blocks that are not zero. Variables are the
intercept and the coordinates, class after class; the Hessian is exact.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.linalg import LinAlgError, cho_factor, cho_solve

from grpsparse.families import Family
from grpsparse.groups import BoolArray, FloatArray

__all__ = ["Curved", "Observed", "SmoothFit", "newton"]

NEGLIGIBLE = 1e-16  # Newton decrement, over the objective's size, that counts as converged
ROUNDING = 1e-31  # and the one at which further steps are noise
RIDGE = 1e-11  # of the mean diagonal: keeps directions of no curvature out of the step
SADDLE_FLOOR = 1e-8  # of the largest: smaller absolute eigenvalues are raised to this


@dataclass(frozen=True, slots=True)
class Observed:
    """The data of a loss: family, response, weights summing to one, and offset."""

    family: Family
    y: FloatArray
    weights: FloatArray
    offset: FloatArray

    def loss(self, eta: FloatArray) -> float:
        """Return the weighted mean loss."""
        return self.mean(self.family.loss(self.y, eta))

    def mean(self, values: FloatArray) -> float:
        """Return the weighted mean of one value per row; rows of weight zero don't speak."""
        present = self.weights > 0
        if present.all():
            return float(self.weights @ values)
        return float(self.weights[present] @ values[present])

    def residual(self, eta: FloatArray) -> FloatArray:
        """Return y - mu, (n, K): minus the gradient of a row's loss."""
        return -self.family.gradient(self.y, eta)


@dataclass(frozen=True, slots=True)
class Curved:
    """A smooth penalty around a point: value, gradient and Hessian in theta's free entries.

    `hessian` maps theta (m, K) to the diagonal (m, K) and low-rank factors: (m, K, B) unit
    blocks with their B coefficients. `height` is m.
    """

    height: int
    value: Callable[[FloatArray], float]
    gradient: Callable[[FloatArray], FloatArray]
    hessian: Callable[[FloatArray], tuple[FloatArray, FloatArray, FloatArray]]


@dataclass(frozen=True, slots=True)
class SmoothFit:
    """Where Newton's method ended."""

    theta: FloatArray
    intercept: FloatArray
    eta: FloatArray
    loss: float
    converged: bool
    n_steps: int


def newton(
    data: Observed,
    rows: FloatArray,
    theta: FloatArray,
    intercept: FloatArray,
    *,
    penalty: Curved | None = None,
    free: BoolArray | None = None,
    max_steps: int = 100,
    scale: float | None = None,
) -> SmoothFit:
    """Minimise loss + smooth penalty over the intercept and the free coordinates.

    Parameters
    ----------
    data : Observed
    rows : ndarray of shape (m, n)
        Columns of Z, one contiguous row each.
    theta : ndarray of shape (m, K)
    intercept : ndarray of shape (K,) or (0,)
        Starting point; an empty one is no intercept.
    penalty : Curved, optional
    free : ndarray of bool, shape (m, K), optional
        Entries that may move; all by default.
    max_steps : int
    scale : float, optional
        Size of the objective that "rounding level" refers to; by default its value at the
        starting point.

    Returns
    -------
    SmoothFit
        ``converged`` is False where no step lowers the objective any more before the
        Newton decrement is at rounding level, or the Hessian is not positive definite.
    """
    design, mask = _with_intercept(rows, theta, intercept, free)
    point = np.concatenate([intercept[None, :], theta]) if intercept.size else theta.copy()
    eta = data.offset + design.T @ point
    top = 1 if intercept.size else 0
    value, loss = _objective(data, penalty, point, eta)
    unit = max(abs(value) if scale is None else scale, 1e-300)
    converged, steps, previous = False, 0, np.inf
    while steps < max_steps:
        gradient = -(design @ (data.weights[:, None] * data.residual(eta)))
        if penalty is not None:
            gradient[top:] += penalty.gradient(point[top:])
        direction = _direction(data, design, eta, gradient, mask, penalty, point[top:], top)
        if direction is None:
            break
        decrement = -float(np.sum(gradient * direction))
        converged = decrement <= NEGLIGIBLE * unit
        stalled = decrement > 0.1 * previous and converged
        if decrement <= ROUNDING * unit or stalled or not np.isfinite(decrement):
            break
        found = _search(data, penalty, design, point, direction, value, decrement, unit)
        steps += 1
        if found is None:
            break
        previous = decrement
        point, eta, value, loss = found
    return SmoothFit(point[top:], point[:top].reshape(-1), eta, loss, converged, steps)


def _with_intercept(
    rows: FloatArray, theta: FloatArray, intercept: FloatArray, free: BoolArray | None
) -> tuple[FloatArray, BoolArray]:
    mask = np.ones(theta.shape, dtype=bool) if free is None else free
    if not intercept.size:
        return rows, mask
    ones = np.ones((1, rows.shape[1]))
    return np.concatenate([ones, rows]), np.concatenate([np.ones((1, theta.shape[1]), bool), mask])


def _objective(
    data: Observed, penalty: Curved | None, point: FloatArray, eta: FloatArray
) -> tuple[float, float]:
    loss = data.loss(eta)
    return (loss if penalty is None else loss + penalty.value(point[-penalty.height :])), loss


def _search(
    data: Observed,
    penalty: Curved | None,
    design: FloatArray,
    point: FloatArray,
    direction: FloatArray,
    value: float,
    decrement: float,
    unit: float,
) -> tuple[FloatArray, FloatArray, float, float] | None:
    """Halve the step until the objective falls enough; None where rounding forbids it."""
    size = 1.0
    slack = 4e-16 * (abs(value) + unit) if decrement < 1e-9 * unit else 0.0
    for _ in range(40):
        trial = point + size * direction
        eta = data.offset + design.T @ trial
        new, loss = _objective(data, penalty, trial, eta)
        if new <= value - 1e-4 * size * decrement + slack:
            return trial, eta, new, loss
        size *= 0.5
    return None


def loss_hessian(data: Observed, design: FloatArray, eta: FloatArray) -> FloatArray:
    """Return the Hessian of the mean loss, (K m, K m), classes outermost."""
    curvature = data.family.curvature(eta)
    n_classes = eta.shape[1]
    m = design.shape[0]
    out = np.zeros((n_classes * m, n_classes * m))
    softmax = data.family.hessian == "softmax"
    for k in range(n_classes):
        for other in range(k + 1):
            if softmax:
                row = curvature[:, k] * ((k == other) - curvature[:, other])
            elif k == other:
                row = curvature[:, k]
            else:
                continue
            block = (design * (data.weights * row)) @ design.T
            out[k * m : (k + 1) * m, other * m : (other + 1) * m] = block
            out[other * m : (other + 1) * m, k * m : (k + 1) * m] = block
    return out


def _direction(
    data: Observed,
    design: FloatArray,
    eta: FloatArray,
    gradient: FloatArray,
    mask: BoolArray,
    penalty: Curved | None,
    theta: FloatArray,
    top: int,
) -> FloatArray | None:
    hessian = loss_hessian(data, design, eta)
    if penalty is not None:
        _add_penalty(hessian, penalty, theta, top, design.shape[0])
    keep = np.flatnonzero(mask.T.ravel())
    system = hessian[np.ix_(keep, keep)]
    solution = _solve(system, -gradient.T.ravel()[keep])
    if solution is None:
        return None
    flat = np.zeros(hessian.shape[0])
    flat[keep] = solution
    return flat.reshape(gradient.shape[1], gradient.shape[0]).T


def _solve(system: FloatArray, target: FloatArray) -> FloatArray | None:
    """Solve for a descent direction; negative curvature counts with its absolute value."""
    ridge = RIDGE * max(float(np.einsum("ii->i", system).mean()), 1e-300)
    try:
        lifted = system + ridge * np.eye(system.shape[0])
        factor = cho_factor(lifted, lower=True, overwrite_a=True, check_finite=False)
        solution: FloatArray = cho_solve(factor, target, check_finite=False)
        return solution
    except LinAlgError:
        pass
    try:
        values, vectors = np.linalg.eigh(system)
    except LinAlgError:
        return None
    size = np.maximum(np.abs(values), SADDLE_FLOOR * np.abs(values).max())
    turned: FloatArray = vectors @ ((vectors.T @ target) / size)
    return turned


def _add_penalty(
    hessian: FloatArray, penalty: Curved, theta: FloatArray, top: int, height: int
) -> None:
    """Add the penalty's Hessian to the coordinates' entries (the intercept has none)."""
    diagonal, blocks, coefficients = penalty.hessian(theta)
    n_classes = theta.shape[1]
    where = np.concatenate([k * height + top + np.arange(theta.shape[0]) for k in range(n_classes)])
    flat = blocks.transpose(1, 0, 2).reshape(where.size, blocks.shape[2])
    part = (flat * coefficients) @ flat.T
    part[np.diag_indices(where.size)] += diagonal.T.ravel()
    hessian[np.ix_(where, where)] += part
