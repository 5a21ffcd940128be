"""Random designs that the experiments share, and the measures of what is recovered."""

from __future__ import annotations

import numpy as np
from scipy.signal import lfilter


def toeplitz_rows(rng: np.random.Generator, n: int, p: int, rho: float) -> np.ndarray:
    """Rows from N(0, S), S_ij = rho^|i - j|, as an autoregression from column to column."""
    noise = rng.standard_normal((n, p))
    noise[:, 1:] *= np.sqrt(1.0 - rho**2)
    return lfilter([1.0], [1.0, -rho], noise, axis=1)


def toeplitz_form(b: np.ndarray, rho: float) -> float:
    """b'Sb, S_ij = rho^|i - j|."""
    place = np.flatnonzero(b)
    return float(b[place] @ rho ** np.abs(np.subtract.outer(place, place)) @ b[place])


def relative_error(estimate: np.ndarray, truth: np.ndarray) -> float:
    """Squared distance over the squared norm of the truth."""
    return float(np.sum((estimate - truth) ** 2) / np.sum(truth**2))


def f1_score(chosen: np.ndarray, true: np.ndarray) -> float:
    """Harmonic mean of precision and recall of a selection."""
    return float(2.0 * np.sum(chosen & true) / max(1, np.sum(chosen) + np.sum(true)))


def predictive_values(chosen: np.ndarray, true: np.ndarray) -> tuple[float, float]:
    """Share of the chosen that are true, and of the others that are not."""
    positive = np.sum(chosen & true) / max(1, np.sum(chosen))
    negative = np.sum(~chosen & ~true) / max(1, np.sum(~chosen))
    return float(positive), float(negative)


def held_out_loss(family: str, y: np.ndarray, eta: np.ndarray) -> np.ndarray:
    """Mean loss over rows for each column of linear predictors, up to a constant of y."""
    y = y[:, None]
    if family == "gaussian":
        loss = 0.5 * (y - eta) ** 2
    elif family == "binomial":
        loss = np.logaddexp(0.0, eta) - y * eta
    else:
        loss = np.exp(np.minimum(eta, 500.0)) - y * eta
    return loss.mean(axis=0)
