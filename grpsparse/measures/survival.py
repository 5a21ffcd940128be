"""Measures of survival times: held-out partial likelihood, and concordance.

A partial likelihood compares rows with each other, and a fold alone may have too few of them. So
the held-out rows are judged beside the training rows, both at the coefficients of the training
rows: with D the deviance of rows at these coefficients, a fold's value is

    (D(all rows) - D(training rows)) / weight of its events.

Concordance is the share of pairs, of a row with an event and one still at risk beyond it, in
which the higher risk had the event; equal risks count one half.

References: Verweij & van Houwelingen (1993), doi:10.1002/sim.4780122407; Harrell, Califf, Pryor,
Lee & Rosati (1982), doi:10.1001/jama.1982.03320430047030.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from grpsparse.families import Family, among
from grpsparse.groups import FloatArray

__all__ = ["concordance", "event_weight", "partial_deviance"]


def partial_deviance(
    family: Family,
    y: FloatArray,
    predictors: Iterable[FloatArray],
    weights: FloatArray,
    training: FloatArray,
) -> FloatArray:
    """Return the cross-validated deviance of a fold, per event.

    Parameters
    ----------
    family : Family
        One that ties rows together.
    y : ndarray of shape (n, 4)
        Start, stop, event and stratum of all rows.
    predictors : iterable of ndarray of shape (n, 1)
        Linear predictors of all rows by the fits of the training rows, L of them.
    weights : ndarray of shape (n,)
        Of all rows.
    training : ndarray of shape (n,)
        The same, 0 on the rows held out.

    Returns
    -------
    ndarray of shape (L,)
        NaN where no held-out row has an event.
    """
    events = event_weight(y, weights - training)
    whole, part = among(family, y, weights), among(family, y, training)
    saturated = weights @ whole.saturated_loss(y) - training @ part.saturated_loss(y)
    values = [
        2.0 * float(weights @ whole.loss(y, eta) - training @ part.loss(y, eta) - saturated)
        for eta in predictors
    ]
    return np.array(values) / events if events > 0.0 else np.full(len(values), np.nan)


def event_weight(y: FloatArray, weights: FloatArray) -> float:
    """Return the weight of the rows with an event."""
    return float(weights @ (y[:, 2] > 0.5))


def concordance(y: FloatArray, risk: FloatArray, weights: FloatArray) -> FloatArray:
    """Return the concordance of risks with survival times.

    Parameters
    ----------
    y : ndarray of shape (n, 4)
        Start, stop, event and stratum: rows are compared within their stratum, and with rows
        under observation when an event happens; a row censored at that time still is.
    risk : ndarray of shape (n, L)
        The higher, the sooner the event.
    weights : ndarray of shape (n,)
        A pair counts with the product of its weights.

    Returns
    -------
    ndarray of shape (L,)
        NaN where there is no pair.

    Examples
    --------
    >>> times = np.array([[-np.inf, 1.0, 1.0, 0.0], [-np.inf, 2.0, 1.0, 0.0]])
    >>> concordance(times, np.array([[2.0, 1.0], [1.0, 3.0]]), np.ones(2))
    array([1., 0.])
    """
    from grpsparse.backend.risk import fill_concordance

    pairs = np.zeros((risk.shape[1], 3))
    for code in np.unique(y[:, 3]):
        rows = np.flatnonzero(y[:, 3] == code)
        start, stop, event = y[rows, 0], y[rows, 1], y[rows, 2] > 0.5
        leaving = np.lexsort((event, -stop))
        late = np.flatnonzero(np.isfinite(start))
        entering = late[np.argsort(-start[late], kind="stable")]
        share = weights[rows]
        for point in range(risk.shape[1]):
            rank = np.unique(risk[rows, point], return_inverse=True)[1] + 1
            fill_concordance(leaving, entering, stop, start, event, share, rank, pairs[point])
    whole = pairs.sum(axis=1)
    share = np.full(whole.size, np.nan)
    np.divide(pairs[:, 0] + 0.5 * pairs[:, 2], whole, out=share, where=whole > 0)
    return share
