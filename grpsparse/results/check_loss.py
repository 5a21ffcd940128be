"""Losses of a certificate: the unpenalised fit, and a dual point in the domain of its conjugate.

The dual point is theta = -dloss/deta; see :mod:`grpsparse.results.check_conjugate`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import qr

from grpsparse.families import Cox, Family, JointFamily, among
from grpsparse.groups import FloatArray
from grpsparse.results.check_conjugate import ROUNDING, residual
from grpsparse.results.check_cox import PartialLikelihood

__all__ = ["Rows", "basis", "project_out", "settled", "unpenalised_fit"]

DEPENDENT = 1e-9  # of a unit column beside the others: no direction of its own
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
    partial : PartialLikelihood, optional
        Of survival times, whose losses tie rows together.
    """

    family: Family
    y: FloatArray
    offset: FloatArray
    share: FloatArray
    partial: PartialLikelihood | None = None

    @classmethod
    def of(cls, family: Family, y: FloatArray, offset: FloatArray, share: FloatArray) -> Rows:
        """Build, with the partial likelihood where the family has one."""
        bound, partial = among(family, y, share), None
        if isinstance(family, Cox):
            partial = PartialLikelihood(y, share, family.ties == "efron")
        return cls(bound, y, offset, share, partial)

    @property
    def root(self) -> FloatArray:
        """Roots of the weights, (n, 1)."""
        root: FloatArray = np.sqrt(self.share)[:, None]
        return root

    def residual(self, eta: FloatArray) -> FloatArray:
        """Return minus the derivative of the loss, (n, K)."""
        if self.partial is not None:
            return self.partial.residual(eta)
        return residual(self.family, self.y, eta)

    def loss(self, eta: FloatArray) -> float:
        """Return the weighted mean loss."""
        if self.partial is not None:
            return self.partial.loss(eta)
        return float(self.share @ self.family.loss(self.y, eta))

    def saturated(self) -> float:
        """Return the least mean loss that any predictor has."""
        if self.partial is not None:
            return self.partial.saturated()
        return float(self.share @ self.family.saturated_loss(self.y))


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
    if rows.partial is not None:
        return settled(rows, spanned, rows.offset)
    middle = np.tile(rows.share @ rows.y, (rows.y.shape[0], 1))
    target = np.asarray(rows.family.link(middle)) - rows.offset
    eta = rows.offset + (spanned.T / rows.root) @ (spanned @ (rows.root * target))
    return settled(rows, spanned, eta)


def settled(rows: Rows, spanned: FloatArray, eta: FloatArray) -> FloatArray:
    """Return predictors (n, K) moved along orthonormal rows (r, n) to the lowest loss."""
    if not spanned.shape[0]:
        return eta
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
    if rows.partial is not None:
        return 1.0
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
    if isinstance(rows.family, JointFamily):
        square = rows.family.information(rows.y, eta, spanned / rows.root.T)
        step, *_ = np.linalg.lstsq(square, slope.ravel(), rcond=1e-14)
        return np.asarray(step.reshape(slope.shape))
    curvature = np.asarray(rows.family.curvature(rows.y, eta))
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
