"""The null fits: intercept and offset alone, and with the unpenalised groups.

Both are solved to rounding, in an orthonormal basis U of the intercept and the unpenalised
coordinates under W, because a dual point has to be orthogonal to U (methods: duality gap).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from grpsparse.errors import ResponseError
from grpsparse.families import ScaleFamily
from grpsparse.groups import FloatArray
from grpsparse.problem.smooth import Observed, SmoothFit, loss_hessian, newton

__all__ = ["Basis", "fit_null", "unpenalised_basis"]

RANK_FLOOR = 1e-9  # relative singular value below which a direction of U is dependent
CURVATURE_FLOOR = 1e-9  # curvature, relative to the null fit's, that says "no finite fit"


@dataclass(frozen=True, slots=True)
class Basis:
    """Orthonormal basis of the intercept and the unpenalised coordinates.

    Parameters
    ----------
    rows : ndarray of shape (u, n)
        Basis vectors with ``rows @ diag(w) @ rows.T = I``.
    back : ndarray of shape (1 + m, u)
        Coefficients of intercept and coordinates per basis vector (no first row without an
        intercept).
    constant : float or None
        The one entry of the only basis vector, where it is that of the intercept alone.
    """

    rows: FloatArray
    back: FloatArray
    constant: float | None = None

    def project_out(self, values: FloatArray, weights: FloatArray) -> FloatArray:
        """Return `values` (n, K) less its W-projection on the basis."""
        weighted = self.rows * weights
        left = values - self._combined(weighted @ values)
        left -= self._combined(weighted @ left)  # twice is enough for orthogonality to rounding
        return left

    def _combined(self, coef: FloatArray) -> FloatArray:
        """Return rows.T @ coef, (n, K), or (1, K) where all rows are the same."""
        if self.constant is not None:
            return self.constant * coef
        if self.rows.shape[0] == 1:  # an outer product, for which BLAS is slow
            single: FloatArray = (self.rows[0] * coef.T).T
            return single
        return self.rows.T @ coef


def unpenalised_basis(rows: FloatArray, weights: FloatArray, *, intercept: bool) -> Basis:
    """Return the basis of a constant (with an intercept) and the rows (m, n)."""
    if intercept:
        rows = np.concatenate([np.ones((1, rows.shape[1])), rows])
    if not rows.shape[0]:
        return Basis(np.empty((0, rows.shape[1])), np.empty((0, 0)))
    scaled = rows * np.sqrt(weights)
    sizes = np.linalg.norm(scaled, axis=1)
    if rows.shape[0] == 1:
        back = 1.0 / sizes[:, None]
        return Basis(back * rows, back, constant=float(back[0, 0]) if intercept else None)
    left, values, _ = np.linalg.svd(scaled / sizes[:, None], full_matrices=False)
    kept = values > RANK_FLOOR * values[0]
    back = left[:, kept] / values[kept] / sizes[:, None]
    return Basis(back.T @ rows, back)


def fit_null(data: Observed, basis: Basis, *, what: str) -> SmoothFit:
    """Fit the columns of a basis without penalty.

    Raises
    ------
    ResponseError
        Where no finite fit exists: a class or a level that the columns in `what` separate.
    """
    start = basis.rows @ (data.weights[:, None] * _working_response(data))
    fit = newton(data, basis.rows, start, max_steps=200)
    if basis.rows.shape[0] and not (fit.converged and _finite(data, basis, fit)):
        raise ResponseError(
            f"the model of {what} alone has no finite fit: it separates the classes or "
            "predicts counts of zero exactly; penalise those terms, merge rare levels or "
            "drop rows of weight zero."
        )
    return fit


def _working_response(data: Observed) -> FloatArray:
    """Return link(mean) - offset at means between the response and its average, (n, K).

    Its projection on the columns is where a fit starts: a large common offset, which the
    intercept takes up, is taken up there. Whatever the scale, least squares are the fit of a
    family that estimates it.
    """
    if data.y.shape != data.offset.shape:  # the response has no mean of its own
        return np.zeros_like(data.offset)
    scaled = isinstance(data.family, ScaleFamily)
    middle = data.y if scaled else 0.5 * (data.y + data.weights @ data.y)
    working: FloatArray = data.family.link(middle) - data.offset
    return working


def _finite(data: Observed, basis: Basis, fit: SmoothFit) -> bool:
    """Tell a finite minimiser from a run to infinity by the curvature left there.

    A piecewise loss may have none at its minimum.
    """
    if data.family.hessian == "piecewise":
        return True
    hessian = loss_hessian(data, basis.rows, fit.eta, data.residual(fit.eta))
    values = np.linalg.eigvalsh(hessian)
    if data.family.hessian == "softmax":
        values = values[basis.rows.shape[0] :]  # adding a constant to all classes is free
    return bool(values[0] > CURVATURE_FLOOR * _typical(data)) if values.size else True


def _typical(data: Observed) -> float:
    """Return the curvature at the weighted mean of the response, at most one."""
    if data.y.shape != data.offset.shape:
        return float(min(data.weights @ data.family.curvature(data.y, data.offset)[:, 0], 1.0))
    mean = data.weights @ data.y
    if data.family.hessian == "softmax":
        return float(np.min(mean * (1.0 - mean)))
    curvature = data.family.curvature(mean[None, :], data.family.link(mean[None, :]))
    return float(min(curvature[0, 0], 1.0))
