"""Bounds on the curvature of the loss, for penalties that are judged by a proximal map.

A block's curvature in its coordinates is at most L_g = v sigma_g**2: v the family's bound in the
linear predictor (1 gaussian, 1/4 binomial, 1/2 multinomial), sigma_g the largest singular value of
W^(1/2) Z_g, which is 1 for an orthonormal group.

A penalty of all norms at once steps along all penalised groups together: there sigma is the
largest singular value of all their columns.

Reference: Boehning (1992), doi:10.1007/BF00048682, for the multinomial family.
"""

from __future__ import annotations

import numpy as np

from grpsparse.design import ColumnScale, Standardised
from grpsparse.families import Family
from grpsparse.groups import BoolArray, FloatArray
from grpsparse.problem.grams import GroupGrams

__all__ = ["bounding_curvature", "joint_eigenvalue", "largest_eigenvalues"]

SMALL = 400  # rows or coordinates of which a matrix of products is decomposed at once


def largest_eigenvalues(coordinates: Standardised, known: GroupGrams) -> FloatArray:
    """Return the largest eigenvalues of Gram matrices, (G,); 0 for a group without coordinates."""
    sizes = np.diff(coordinates.starts)
    largest = np.where(sizes > 0, 1.0, 0.0)
    if not isinstance(coordinates.whole, ColumnScale):
        return largest
    own = np.flatnonzero((sizes > 0) & ~coordinates.frame)
    largest[own] = known.largest(own)
    return largest


def joint_eigenvalue(coordinates: Standardised, weights: FloatArray, penalised: BoolArray) -> float:
    """Return the largest eigenvalue of Z'WZ over the coordinates of the penalised groups."""
    rows = coordinates.coordinates_of(np.flatnonzero(penalised))
    n = weights.size
    if not rows.size:
        return 0.0
    if min(rows.size, n) <= SMALL:
        columns = coordinates.working_rows(rows).astype(np.float64) * np.sqrt(weights)
        moments = columns @ columns.T if rows.size <= n else columns.T @ columns
        return float(np.linalg.eigvalsh(moments)[-1])
    from scipy.sparse.linalg import LinearOperator, eigsh

    inside = np.zeros(coordinates.size, dtype=np.bool_)
    inside[rows] = True

    def product(theta: FloatArray) -> FloatArray:
        eta = coordinates.linear_predictor(theta[:, None], rows)
        return np.asarray(coordinates.correlate(weights[:, None] * eta)[inside, 0])

    operator = LinearOperator((rows.size, rows.size), matvec=product, dtype=np.float64)
    start = np.ones(rows.size)
    return float(eigsh(operator, k=1, which="LA", v0=start, return_eigenvectors=False)[0])


def bounding_curvature(family: Family, bound: float, eta: FloatArray) -> tuple[FloatArray, float]:
    """Return a curvature of the family's kind and a factor that together bound any other.

    The softmax of equal chances, times the number of classes and the bound, is
    ``bound (I - 11'/K)``.
    """
    n_outputs = eta.shape[1]
    if family.hessian == "softmax":
        return np.full_like(eta, 1.0 / n_outputs), bound * n_outputs
    return np.full_like(eta, bound), 1.0
