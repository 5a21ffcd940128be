"""The certificate of a path, a second time: from its rows and its coefficients alone.

Convex penalties: the duality gap. The residual y - mu is made orthogonal to the intercept and
the unpenalised coordinates and scaled into the dual ball of the penalty; with the conjugates of
loss and penalty it bounds the objective from below. Reported over f(null) - f(saturated).

Nonconvex penalties: the largest violation of stationarity over blocks, each over its weight, and
over the orthonormal directions of the unpenalised part; reported over the largest gradient of
the null fit over its weight.

Nothing of the engine is imported and no number that it stored is read, but for the weights that
an adaptive penalty took from its first fit: standardisation, ranks, other weights, null fits and
lambda_max are all worked out again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from grpsparse.groups import FloatArray
from grpsparse.results.check_case import Case, Free, Point, points, take_apart
from grpsparse.results.check_gap import duality_gap
from grpsparse.results.check_stationarity import violation

if TYPE_CHECKING:
    from grpsparse.results.path_fit import PathFit

__all__ = ["certificate", "recompute"]


def recompute(fit: PathFit) -> FloatArray:
    """Recompute the certificate of every point of a path.

    Parameters
    ----------
    fit : PathFit
        Its training rows, terms, settings, family, penalty and coefficients are read.

    Returns
    -------
    ndarray of shape (L,)
        Duality gap over f(null) - f(saturated), or violation of stationarity over the largest
        gradient of the null fit.

    Notes
    -----
    The standardised design is held in memory, dense.
    """
    case = take_apart(fit)
    return np.array([certificate(case, point, free) for point, free in points(fit, case)])


def certificate(case: Case, point: Point, free: Free) -> float:
    """Return the certificate of one point."""
    certify = duality_gap if case.penalty.convex else violation
    return certify(case, point, free)
