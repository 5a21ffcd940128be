"""Losses of a certificate: conjugates, the unpenalised fit, and a dual point in its domain.

With theta = -dloss/deta and q = y - theta the conjugate of z -> loss(y, shift + z) at -theta is

- gaussian: theta**2 / 2 - theta (y - shift);
- binomial: q log q + (1 - q) log(1 - q) + theta shift;
- multinomial: sum_k q_k log q_k + theta_k shift_k;
- poisson: q log q - q + theta shift.

These are written out here a second time: a certificate that shares its formulas with the engine
would share its mistakes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import qr
from scipy.special import xlogy

from grpsparse.families import Family
from grpsparse.groups import FloatArray

__all__ = ["Rows", "basis", "conjugate", "mixture", "project_out", "settled", "unpenalised_fit"]

DEPENDENT = 1e-9  # of a unit column beside the others: no direction of its own
ROUNDING = 64 * float(np.finfo(np.float64).eps)
STEPS = 200


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows of positive weight.

    Parameters
    ----------
    family : Family
    y, offset : ndarray of shape (n, K)
    share : ndarray of shape (n,)
        Weights that sum to one.
    """

    family: Family
    y: FloatArray
    offset: FloatArray
    share: FloatArray

    @property
    def root(self) -> FloatArray:
        """Roots of the weights, (n, 1)."""
        root: FloatArray = np.sqrt(self.share)[:, None]
        return root

    def residual(self, eta: FloatArray) -> FloatArray:
        """Return y - mean, (n, K)."""
        residual: FloatArray = self.y - self.family.mean(eta)
        return residual

    def loss(self, eta: FloatArray) -> float:
        """Return the weighted mean loss."""
        return float(self.share @ self.family.loss(self.y, eta))


def basis(rows: FloatArray) -> FloatArray:
    """Return orthonormal rows (r, n) that span the rows (u, n), dependent ones left out."""
    length = np.sqrt(np.einsum("ij,ij->i", rows, rows))
    unit = rows[length > 0] / length[length > 0, None]
    if not unit.shape[0]:
        return rows[:0]
    q, r, _ = qr(unit.T, mode="economic", pivoting=True)
    spanned: FloatArray = q[:, np.abs(np.diag(r)) > DEPENDENT].T
    return spanned


def project_out(values: FloatArray, spanned: FloatArray, root: FloatArray) -> FloatArray:
    """Return values (n, K) less their W-projection on orthonormal rows (r, n)."""
    scaled: FloatArray = root * values
    for _ in range(2):  # once is not enough for orthogonality to rounding
        scaled = scaled - spanned.T @ (spanned @ scaled)
    left: FloatArray = scaled / root
    return left


def unpenalised_fit(rows: Rows, spanned: FloatArray) -> FloatArray:
    """Return the linear predictor (n, K) of the fit of orthonormal rows (r, n) alone.

    Newton's method, its steps halved while the loss rises, until the gradient stops falling.
    """
    if not spanned.shape[0]:
        return rows.offset
    middle = np.tile(rows.share @ rows.y, (rows.y.shape[0], 1))
    target = np.asarray(rows.family.link(middle)) - rows.offset
    eta = rows.offset + (spanned.T / rows.root) @ (spanned @ (rows.root * target))
    return settled(rows, spanned, eta)


def settled(rows: Rows, spanned: FloatArray, eta: FloatArray) -> FloatArray:
    """Return predictors (n, K) moved along orthonormal rows (r, n) to the lowest loss."""
    root, columns = rows.root, spanned.T / rows.root
    loss, steepest = rows.loss(eta), np.inf
    for _ in range(STEPS):
        slope = spanned @ (root * rows.residual(eta))
        size = float(np.abs(slope).max())
        direction = columns @ _newton(rows, spanned, eta, slope)
        if size == 0.0 or (size > 0.5 * steepest and size < 1e-12 * _unit(rows)):
            break
        steepest = size
        eta, loss = _descend(rows, eta, direction, loss)
    return eta


def _unit(rows: Rows) -> float:
    """Return the size of the response, which gradients compare with."""
    return max(float(np.sqrt(rows.share @ np.sum(rows.y**2, axis=1))), 1e-300)


def _descend(
    rows: Rows, eta: FloatArray, direction: FloatArray, loss: float
) -> tuple[FloatArray, float]:
    step = 1.0
    for _ in range(60):
        trial = eta + step * direction
        found = rows.loss(trial)
        if found <= loss + ROUNDING * abs(loss):
            return trial, found
        step *= 0.5
    return eta, loss


def _newton(rows: Rows, spanned: FloatArray, eta: FloatArray, slope: FloatArray) -> FloatArray:
    """Return the Newton step (r, K) up the slope (r, K)."""
    curvature = np.asarray(rows.family.curvature(eta))
    n_classes = curvature.shape[1]
    if rows.family.hessian == "softmax":
        outer = curvature[:, :, None] * (np.eye(n_classes) - curvature[:, None, :])
    else:
        outer = curvature[:, :, None] * np.eye(n_classes)
    width = spanned.shape[0]
    hessian = np.empty((width, n_classes, width, n_classes))
    for k in range(n_classes):
        for j in range(n_classes):
            hessian[:, k, :, j] = (spanned * outer[:, k, j]) @ spanned.T
    square = hessian.reshape(width * n_classes, -1)
    step, *_ = np.linalg.lstsq(square, slope.ravel(), rcond=1e-14)
    return np.asarray(step.reshape(width, n_classes))


def conjugate(rows: Rows, theta: FloatArray, shift: FloatArray) -> FloatArray:
    """Return the conjugate of z -> loss(y, shift + z) at -theta for every row, (n,).

    Parameters
    ----------
    rows : Rows
    theta : ndarray of shape (n, K)
        A dual point of the domain, but for rounding.
    shift : ndarray of shape (n, K)
    """
    y, q = rows.y, rows.y - theta
    name = rows.family.name
    if name == "gaussian":
        each = theta * (0.5 * theta - (y - shift))
    elif name == "poisson":
        q = np.maximum(q, 0.0)
        each = xlogy(q, q) - q + theta * shift
    elif name == "binomial":
        q = np.clip(q, 0.0, 1.0)
        each = xlogy(q, q) + xlogy(1.0 - q, 1.0 - q) + theta * shift
    elif name == "multinomial":
        q = np.maximum(q, 0.0)
        each = xlogy(q, q) + theta * shift
    else:
        return np.asarray(rows.family.conjugate(y, theta, shift))
    total: FloatArray = each.sum(axis=1)
    return total


def mixture(rows: Rows, theta: FloatArray, inner: FloatArray) -> float:
    """Return the smallest share of `inner` that takes theta into the conjugate's domain.

    Projecting takes means of nearly 0 (or 1) out of their range. `inner` is a dual point whose
    means lie inside; 0 where theta is there already, up to rounding.
    """
    q, safe = rows.y - theta, rows.y - inner
    lowest = 0.0 if rows.family.name in {"binomial", "multinomial", "poisson"} else -np.inf
    highest = 1.0 if rows.family.name == "binomial" else np.inf
    slack = ROUNDING * (1.0 + np.abs(rows.y))
    share = 0.0
    for out, past, room in (
        (q < lowest - slack, lowest - q, safe - lowest),
        (q > highest + slack, q - highest, highest - safe),
    ):
        if out.any():
            share = max(share, float(np.max(past[out] / (past[out] + np.maximum(room[out], 0.0)))))
    return share
