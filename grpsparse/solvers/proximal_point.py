"""The smooth half of ADMM: minimise f(b) + <y, b> + rho ||b - z||^2 / 2 for the loss f.

Newton's method, each system by conjugate gradients that need products with the columns only. They
are preconditioned by (v G + rho I)^-1, G = Z'WZ and v a typical curvature, from one eigenvalue
decomposition of G, or of the rows' side where there are fewer rows than coordinates (Woodbury);
then any rho costs two small products. For a gaussian loss that is the Hessian, and one solve is
all. For the softmax v (I - 11'/K) takes the place of v (Boehning): means over
classes have no curvature.

The problem is strongly convex, so that the gradient's length tells how near its minimiser is, and
a Newton step lowers it: no function values, whose rounding would end that early, are compared.

Reference: Boehning (1992), doi:10.1007/BF00048682, for the bound of the softmax.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from grpsparse.groups import FloatArray
from grpsparse.solvers.composite import Composite

__all__ = ["Point", "Ridge", "proximal_point"]

LARGEST_SYSTEM = 1500  # rows or coordinates of which an eigenvalue decomposition is taken
FLAT = 1e-13  # eigenvalue, relative to the largest, that is rounding
NEWTON_STEPS = 50
CONJUGATE_STEPS = 200
HALVINGS = 20
FORCING = 0.01  # of the gradient, to which a Newton system is solved
LOWER = 1e-4  # share of the step by which a gradient has to get shorter


@dataclass(frozen=True, slots=True)
class Ridge:
    """The inverse of v G + rho I for any rho, G being the Gram matrix of a composite's rows.

    Parameters
    ----------
    values : ndarray of shape (r,)
        Eigenvalues of v G, those of rounding left out.
    basis : ndarray of shape (u + m, r)
        Their eigenvectors.
    centred : bool
        Whether means over classes have no curvature.
    is_hessian : bool
        Whether v G is the Hessian of the loss, everywhere.
    """

    values: FloatArray
    basis: FloatArray
    centred: bool
    is_hessian: bool

    @classmethod
    def of(cls, composite: Composite) -> Ridge:
        """Decompose the Gram matrix on its smaller side, or take none where both are large."""
        data = composite.data
        centred = data.family.hessian == "softmax"
        constant = data.family.hessian == "constant"
        rows = composite.rows * np.sqrt(data.weights)
        m, n = rows.shape
        if min(m, n) > LARGEST_SYSTEM:
            return cls(np.empty(0), np.empty((m, 0)), centred=centred, is_hessian=False)
        wide = m > n
        values, basis = np.linalg.eigh(rows.T @ rows if wide else rows @ rows.T)
        kept = values > FLAT * max(values[-1], 0.0)
        values, basis = values[kept], basis[:, kept]
        if wide:
            basis = rows @ (basis / np.sqrt(values))
        bend = 1.0 if constant else composite.curvature
        return cls(bend * values, basis, centred=centred, is_hessian=constant)

    def solve(self, target: FloatArray, rho: float) -> FloatArray:
        """Return (v G + rho I)^-1 times a target (u + m, K)."""
        mean = target.mean(axis=1, keepdims=True) if self.centred else 0.0
        part = self.basis.T @ (target - mean)
        # 1 / (a + rho) = 1 / rho - a / (rho (a + rho))
        share = (self.values / (self.values + rho))[:, None]
        solved: FloatArray = (target - self.basis @ (share * part)) / rho
        return solved


@dataclass(frozen=True, slots=True)
class Point:
    """A point with the gradient of the loss.

    Parameters
    ----------
    x : ndarray of shape (u + m, K)
    gradient : ndarray of shape (u + m, K)
    eta : ndarray of shape (n, K) or None
        The linear predictor, where it was needed.
    """

    x: FloatArray
    gradient: FloatArray
    eta: FloatArray | None

    @classmethod
    def of(cls, composite: Composite, x: FloatArray) -> Point:
        """Evaluate a point."""
        eta = composite.predictor(x)
        return cls(x, composite.gradient(eta), eta)


def proximal_point(
    composite: Composite,
    ridge: Ridge,
    start: Point,
    *,
    shift: FloatArray,
    rho: float,
    enough: float,
) -> Point:
    """Solve grad f(b) + rho b = shift, which is rho z - y.

    Parameters
    ----------
    composite, ridge
    start : Point
    shift : ndarray of shape (u + m, K)
    rho : float
    enough : float
        Length of the left side less the right at which to stop.
    """
    at = start
    left = at.gradient + rho * at.x - shift
    if ridge.is_hessian:
        change = ridge.solve(-left, rho)
        # (G + rho) change = -left: the gradient follows without a product with the columns
        return Point(at.x + change, at.gradient - left - rho * change, None)
    length = float(np.linalg.norm(left))
    for _ in range(NEWTON_STEPS):
        if not length > enough:
            break
        direction = _newton_direction(composite, ridge, at, left, rho)
        moved = _shortened(composite, at, direction, shift=shift, rho=rho, length=length)
        if moved is None:
            break
        at, left, length = moved
    return at


def _shortened(
    composite: Composite,
    at: Point,
    direction: FloatArray,
    *,
    shift: FloatArray,
    rho: float,
    length: float,
) -> tuple[Point, FloatArray, float] | None:
    """Halve a step until the gradient gets shorter; None where it does not."""
    size = 1.0
    for _ in range(HALVINGS):
        trial = Point.of(composite, at.x + size * direction)
        left = trial.gradient + rho * trial.x - shift
        new = float(np.linalg.norm(left))
        if new <= (1.0 - LOWER * size) * length:
            return trial, left, new
        size *= 0.5
    return None


def _newton_direction(
    composite: Composite, ridge: Ridge, at: Point, left: FloatArray, rho: float
) -> FloatArray:
    """Return the Newton step by preconditioned conjugate gradients."""
    bent = composite.bending(composite.predictor(at.x) if at.eta is None else at.eta)

    def hessian(change: FloatArray) -> FloatArray:
        product: FloatArray = composite.rows @ bent((change.T @ composite.rows).T) + rho * change
        return product

    return _conjugate_gradients(
        hessian,
        lambda target: ridge.solve(target, rho),
        -left,
        enough=FORCING * float(np.linalg.norm(left)),
    )


def _conjugate_gradients(
    product: Callable[[FloatArray], FloatArray],
    inverse: Callable[[FloatArray], FloatArray],
    target: FloatArray,
    *,
    enough: float,
) -> FloatArray:
    """Solve A s = target to a residual of some length, with an inverse near that of A."""
    solution = np.zeros_like(target)
    rest, direction = target, inverse(target)
    inner = float(np.vdot(rest, direction))
    for _ in range(CONJUGATE_STEPS):
        bent = product(direction)
        size = inner / float(np.vdot(direction, bent))
        solution = solution + size * direction
        rest = rest - size * bent
        if not np.linalg.norm(rest) > enough:
            break
        ahead = inverse(rest)
        before, inner = inner, float(np.vdot(rest, ahead))
        direction = ahead + (inner / before) * direction
    return solution
