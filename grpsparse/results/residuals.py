"""Residuals of the rows as fitted, in the four kinds that R and statsmodels have.

With variance v and derivative m of the mean, which are the same under a canonical link:
working = (y - mu) / m, pearson = sqrt(w) (y - mu) / sqrt(v), deviance = sign(y - mu) sqrt(w d).

References: McCullagh & Nelder (1989), Generalized Linear Models, section 2.4.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from grpsparse.errors import OptionError
from grpsparse.families import Family, among, get
from grpsparse.groups import FloatArray
from grpsparse.results.predict import linear_predictor, means, squeeze

if TYPE_CHECKING:
    from grpsparse.results.path_fit import PathFit
    from grpsparse.results.points import Points

__all__ = ["deviance_at", "residuals", "training_predictor"]

TYPES = ("response", "deviance", "pearson", "working")


def training_predictor(fit: PathFit, points: Points) -> FloatArray:
    """Return the linear predictor (n, K, M) of the rows as fitted."""
    coef, intercept = points.take(fit.raw_coef), points.take(fit.raw_intercept)
    offset = fit.training.offset
    return linear_predictor(fit.training.X, coef, intercept, leak=fit.leak, offset=offset)


def deviance_at(fit: PathFit, points: Points) -> FloatArray:
    """Return the deviance (M,): stored at solved points, computed between them."""
    if points.solved.all():
        return fit.deviance[points.left]
    mean = means(fit, training_predictor(fit, points))
    weights = fit.training.weights
    family = among(fit.family, fit.training.y, weights)
    rows = [family.deviance(fit.training.y, mean[:, :, m]) for m in range(mean.shape[2])]
    return np.array([float(weights @ each) for each in rows])


def residuals(fit: PathFit, points: Points, *, type: str) -> FloatArray:  # noqa: A002
    """Return the residuals of the rows as fitted.

    Parameters
    ----------
    fit : PathFit
    points : Points
        Places on the path; of `PathFit.residuals` one lambda, several, or None for all.
    type : {"response", "deviance", "pearson", "working"}
        ``"response"``: y - mean. ``"deviance"``: signed root of the row's deviance, whose squares
        sum to `deviance`; not signed for several classes, where it belongs to the row.
        ``"pearson"``: response over the standard deviation of the family. ``"working"``: response
        over the derivative of the mean. Deviance and pearson contain the root of the weight, as
        in R. A Cox model's are those of its counts of events: ``"response"`` is the martingale
        residual.

    Returns
    -------
    ndarray
        (n,) or (n, K), with a last axis for lambda unless it is one number.
    """
    if type not in TYPES:
        raise OptionError(f"`type` is {type!r}; give one of {', '.join(map(repr, TYPES))}.")
    eta = training_predictor(fit, points)
    family, eta, y, mean = _observed(fit, eta)
    response = y[:, :, None] - mean
    root = np.sqrt(fit.training.weights)[:, None, None]
    if type == "response":
        values = response
    elif type == "deviance":
        values = root * _deviance(family, y, mean)
    else:
        with np.errstate(divide="ignore", invalid="ignore"):
            if type == "working":
                values = response / _by_point(family.slope, eta)
            else:
                values = root * response / _by_point(family.variance, eta) ** 0.5
    out: FloatArray = squeeze(values, points)
    return out


def _observed(fit: PathFit, eta: FloatArray) -> tuple[Family, FloatArray, FloatArray, FloatArray]:
    """Return family, linear predictors (n, K, M), response (n, K) and means (n, K, M) of rows.

    Of survival times these are counts of events: Poisson, given the hazard.
    """
    if not fit.settings.baseline:
        family = among(fit.family, fit.training.y, fit.training.weights)
        return family, eta, fit.training.y, means(fit, eta)
    from grpsparse.results.survival import counts

    family = get("poisson")
    events, expected = counts(fit, eta)
    return family, np.asarray(family.link(expected)), events, expected


def _deviance(family: Family, y: FloatArray, mean: FloatArray) -> FloatArray:
    """Return the root of every row's deviance, (n, 1, M), signed for one linear predictor."""
    response, n_points = y[:, :, None] - mean, mean.shape[2]
    rows = [family.deviance(y, np.ascontiguousarray(mean[:, :, m])) for m in range(n_points)]
    # Rounding can leave a deviance of -1e-17 where the fit is perfect.
    size: FloatArray = np.sqrt(np.maximum(np.stack(rows, axis=1), 0.0))[:, None, :]
    return size * np.sign(response) if response.shape[1] == 1 else size


def _by_point(function: Callable[[FloatArray], FloatArray], eta: FloatArray) -> FloatArray:
    """Return a function of linear predictors (n, K) at every point, (n, K, M)."""
    out = np.empty_like(eta)
    for point in range(eta.shape[2]):
        out[:, :, point] = function(np.ascontiguousarray(eta[:, :, point]))
    return out
