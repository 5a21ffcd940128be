"""Trace norm by factors: Theta = U V with U eliminated.

    ||Theta||_* = min over Theta = U V of  (||U||**2 + ||V||**2) / 2

Given V (K, K) the problem is a ridge regression in U; with A the columns over their levels and
M = V'V its residual R solves R + A'A R M = Y, which is diagonal in the eigenvectors of A'A and
of M. Both are taken once for a lambda and once for a V, so that a step costs n K**2 + K**3. With
C = A R the coefficients are C M, and

    F(V) = (<Y, R> + ||V||**2) / 2,   dF = V (I - C'C):

stationary points with a largest singular value of C of at most 1 are optimal. Directions of the
responses whose singular value of C is below 1 are left out, so that the rank is exact, and
Newton's method (derivatives of R are diagonal in the same bases) gives the last digits.

References: Poon & Peyre (2021), "Smooth bilevel programming for sparse regularization".
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from grpsparse.groups import FloatArray
from grpsparse.problem import State
from grpsparse.problem.null import unpenalised_basis
from grpsparse.solvers.eliminate import Quadratic
from grpsparse.solvers.factors import EXCESS, FLOOR, LIFTS, minimise
from grpsparse.solvers.part import Part

__all__ = ["Spectral", "least_trace"]

INSIDE = 1e-4  # by which a singular value of C is below 1 for its direction to be left out
NEWTON_STEPS = 12
KRYLOV = 1e-3  # relative residual of a Newton system, which is singular along rotations of V
MOST_PRODUCTS = 500
PROGRESS = 0.5  # of the gradient that a Newton step has to leave at most
ROUNDED = 1e-7  # of the largest singular value of V, whose square is rounding in Theta


@dataclass(frozen=True, slots=True)
class Spectral:
    """F and its derivatives, in units of a scale.

    Parameters
    ----------
    columns : ndarray of shape (m, n)
        A, over the levels of its rows.
    values : ndarray of shape (r,)
        Eigenvalues of A'A that are not zero by count.
    vectors : ndarray of shape (n, r)
    target : ndarray of shape (r, K)
        Y in these eigenvectors.
    outside : float
        Squared norm of what of Y they don't reach.
    scale : float
    """

    columns: FloatArray
    values: FloatArray
    vectors: FloatArray
    target: FloatArray
    outside: float
    scale: float

    @classmethod
    def of(cls, columns: FloatArray, target: FloatArray, scale: float) -> Spectral:
        """Build from columns over their levels (m, n) and responses (n, K)."""
        _, singular, vectors = np.linalg.svd(columns, full_matrices=False)
        own = vectors @ target
        left = target - vectors.T @ own
        return cls(columns, singular**2, vectors.T, own, float(np.sum(left**2)), scale)

    def residual(self, factor: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Return R in the eigenvectors of A'A and of M, with those of M and its eigenvalues."""
        _, sizes, right = np.linalg.svd(factor)
        weight = self.scale * sizes**2
        return self.target @ right.T / (1.0 + np.outer(self.values, weight)), right.T, weight

    def push(self, factor: FloatArray) -> FloatArray:
        """Return C'C, (K, K)."""
        turned, basis, _ = self.residual(factor)
        own = turned @ basis.T
        return np.asarray((own.T * self.values) @ own)

    def __call__(self, factor: FloatArray) -> tuple[float, FloatArray]:
        """Return F and its gradient at V (K, K), in units of the root of the scale."""
        turned, basis, _ = self.residual(factor)
        own = turned @ basis.T
        fitted = float(np.sum(self.target * own)) + self.outside
        value = 0.5 * (fitted / self.scale + float(np.sum(factor**2)))
        return value, factor - factor @ ((own.T * self.values) @ own)

    def bend(self, factor: FloatArray, step: FloatArray) -> FloatArray:
        """Return the derivative of the gradient along a step (K, K)."""
        turned, basis, weight = self.residual(factor)
        own = turned @ basis.T
        push = (own.T * self.values) @ own
        moved = self.scale * (step.T @ factor + factor.T @ step)
        change = -(self.values[:, None] * own) @ moved @ basis
        change = change / (1.0 + np.outer(self.values, weight)) @ basis.T
        cross = (change.T * self.values) @ own
        return np.asarray(step - step @ push - factor @ (cross + cross.T))

    def coefficients(self, factor: FloatArray) -> FloatArray:
        """Return C M, (m, K): the coefficients times their levels."""
        turned, basis, weight = self.residual(factor)
        found: FloatArray = self.columns @ (self.vectors @ ((turned * weight) @ basis.T))
        return found


def least_trace(
    part: Part, start: State, *, memory: int, max_iter: int, flat: float
) -> tuple[State, int]:
    """Return the point of the least objective, and the number of evaluations.

    Parameters
    ----------
    part : Part
        Of a problem with a quadratic loss.
    start : State
    memory, max_iter, flat
        See :func:`grpsparse.solvers.factors.minimise`.
    """
    data = part.problem.data
    basis = unpenalised_basis(part.free_rows, data.weights, intercept=False)
    quadratic = Quadratic(data, part.rows, basis)
    level = np.repeat(part.level, part.blocks.sizes)[:, None]
    spectral = Spectral.of(quadratic.columns / level, quadratic.target, part.height(start))
    factor, calls = _started(spectral, level * part.theta(start)), 0
    theta = np.zeros_like(part.theta(start))
    if factor is not None:
        for _ in range(LIFTS):
            factor, used = minimise(spectral, factor, memory=memory, max_iter=max_iter, flat=flat)
            factor, steps = _polished(spectral, _without(spectral, factor))
            calls += used + steps
            lifted = _lifted(spectral, factor)
            if lifted is None:
                break
            factor = lifted
        theta = spectral.coefficients(factor) / level
    return part.state(theta, quadratic.unpenalised(theta), start), calls


def _started(spectral: Spectral, theta: FloatArray) -> FloatArray | None:
    """Return V of coefficients times their levels (m, K), or None where zero is optimal.

    At zero that of a proximal step. No direction is left at zero, which V never leaves.
    """
    squares, basis = np.linalg.eigh(theta.T @ theta)
    sizes = np.sqrt(np.maximum(squares, 0.0))
    if not sizes.any():
        squares, basis = np.linalg.eigh(spectral.push(np.zeros_like(basis)))
        excess = np.sqrt(np.maximum(squares, 0.0)) - 1.0
        if excess.max(initial=0.0) <= EXCESS:
            return None
        sizes = np.maximum(excess, 0.0) / spectral.values.max()
    sizes = np.maximum(sizes, FLOOR**2 * sizes.max())
    factor: FloatArray = np.sqrt(sizes / spectral.scale)[:, None] * basis.T
    return factor


def _without(spectral: Spectral, factor: FloatArray) -> FloatArray:
    """Return V without the directions whose singular value of C is inside."""
    squares, basis = np.linalg.eigh(spectral.push(factor))
    kept = basis[:, squares > (1.0 - INSIDE) ** 2]
    return np.asarray(factor @ kept @ kept.T)


def _polished(spectral: Spectral, factor: FloatArray) -> tuple[FloatArray, int]:
    """Return V after Newton steps on the gradient, as long as it falls, and their number.

    The system is singular along rotations of V, to which the gradient is orthogonal.
    """
    from scipy.sparse.linalg import LinearOperator, minres

    gradient, steps = spectral(factor)[1], 0
    while steps < NEWTON_STEPS:

        def bent(step: FloatArray, at: FloatArray = factor) -> FloatArray:
            return spectral.bend(at, step.reshape(at.shape)).ravel()

        bend = LinearOperator((factor.size, factor.size), matvec=bent, dtype=np.float64)
        step, _ = minres(bend, -gradient.ravel(), rtol=KRYLOV, maxiter=MOST_PRODUCTS)
        trial = factor + step.reshape(factor.shape)
        ahead = spectral(trial)[1]
        if not np.linalg.norm(ahead) <= PROGRESS * np.linalg.norm(gradient):
            break
        factor, gradient, steps = trial, ahead, steps + 1
    left, sizes, right = np.linalg.svd(factor)
    sizes = np.where(sizes < ROUNDED * sizes.max(initial=0.0), 0.0, sizes)
    return np.asarray((left * sizes) @ right), steps


def _lifted(spectral: Spectral, factor: FloatArray) -> FloatArray | None:
    """Return V with directions away from zero that stay there against C, None without any."""
    squares, basis = np.linalg.eigh(spectral.push(factor))
    floor = FLOOR * float(np.linalg.norm(factor, 2))
    stuck = (squares > (1.0 + EXCESS) ** 2) & (np.linalg.norm(factor @ basis, axis=0) < floor)
    if not stuck.any():
        return None
    rising = basis[:, stuck]
    return np.asarray(factor + floor * rising @ rising.T)
