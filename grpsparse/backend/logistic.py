"""The logistic loss of many rows, and what is derived from it, in one go over them.

The formulas are those of :class:`grpsparse.families.Binomial`; here every step stays in cache.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from grpsparse.backend.compiling import INNER, KERNEL
from grpsparse.backend.elementary import CHUNK, CONTRACT, exp_of, log1p_of, log_of

__all__ = ["fill_conjugate", "fill_curvature", "fill_gradient", "fill_loss"]

SMALLEST = float(np.finfo(np.float64).smallest_normal)


@njit(**INNER, fastmath=CONTRACT)
def _odds(eta: Any, out: Any, spare: Any) -> None:
    """Fill out with exp(-|eta|), the odds of the less likely outcome."""
    for i in range(eta.shape[0]):
        out[i] = -abs(eta[i])
    exp_of(out, out, spare)


@njit(cache=True, **KERNEL, fastmath=CONTRACT)
def fill_loss(y: Any, eta: Any, out: Any) -> None:
    """Fill out (n,) with log(1 + exp(eta)) - y eta."""
    spare, odds = np.empty(CHUNK), np.empty(CHUNK)
    for low in range(0, eta.shape[0], CHUNK):
        part, seen, found = eta[low : low + CHUNK], y[low : low + CHUNK], out[low : low + CHUNK]
        count = part.shape[0]
        _odds(part, odds[:count], spare)
        log1p_of(odds[:count], found)
        for i in range(count):
            found[i] += max(0.0, part[i]) - seen[i] * part[i]


@njit(cache=True, **KERNEL, fastmath=CONTRACT)
def fill_gradient(y: Any, eta: Any, out: Any) -> None:
    """Fill out (n,) with the mean less y, from both tails, neither of which cancels."""
    spare, odds = np.empty(CHUNK), np.empty(CHUNK)
    for low in range(0, eta.shape[0], CHUNK):
        part, seen, found = eta[low : low + CHUNK], y[low : low + CHUNK], out[low : low + CHUNK]
        count = part.shape[0]
        _odds(part, odds[:count], spare)
        for i in range(count):
            likely = 1.0 / (1.0 + odds[i])
            unlikely = odds[i] * likely
            success = likely if part[i] > 0.0 else unlikely
            failure = unlikely if part[i] > 0.0 else likely
            found[i] = (1.0 - seen[i]) * success - seen[i] * failure


@njit(cache=True, **KERNEL, fastmath=CONTRACT)
def fill_curvature(eta: Any, out: Any) -> None:
    """Fill out (n,) with mean (1 - mean)."""
    spare, odds = np.empty(CHUNK), np.empty(CHUNK)
    for low in range(0, eta.shape[0], CHUNK):
        part, found = eta[low : low + CHUNK], out[low : low + CHUNK]
        count = part.shape[0]
        _odds(part, odds[:count], spare)
        for i in range(count):
            likely = 1.0 / (1.0 + odds[i])
            found[i] = likely * (odds[i] * likely)


@njit(cache=True, **KERNEL, fastmath=CONTRACT)
def fill_conjugate(y: Any, theta: Any, offset: Any, slack: float, out: Any) -> None:
    """Fill out (n,) with q log q + (1 - q) log(1 - q) + theta offset, q = y - theta."""
    spare, least = np.empty(CHUNK), np.empty(CHUNK)
    mean, rest = np.empty(CHUNK), np.empty(CHUNK)
    log_mean, log_rest = np.empty(CHUNK), np.empty(CHUNK)
    for low in range(0, theta.shape[0], CHUNK):
        part, seen, found = theta[low : low + CHUNK], y[low : low + CHUNK], out[low : low + CHUNK]
        count = part.shape[0]
        for i in range(count):
            least[i] = seen[i] - part[i]
            mean[i] = max(least[i], SMALLEST)
            rest[i] = max(1.0 - least[i], SMALLEST)
        log_of(mean[:count], log_mean[:count], spare)
        log_of(rest[:count], log_rest[:count], spare)
        for i in range(count):
            # within the slack around [0, 1] the entropy is that of the end
            own = min(1.0, mean[i])
            other = min(1.0, rest[i])
            low_log = min(0.0, log_mean[i])
            high_log = min(0.0, log_rest[i])
            value = own * low_log + other * high_log + part[i] * offset[low + i]
            inside = -slack <= least[i] <= 1.0 + slack
            found[i] = value if inside else np.inf
