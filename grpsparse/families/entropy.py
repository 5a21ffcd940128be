"""Entropy terms with 0 log 0 = 0, exponents that do not overflow, and the slack of dual points."""

from __future__ import annotations

from math import log as scalar_log

from grpsparse.backend import Array, log, namespace

__all__ = ["capped", "cross_log", "dual_slack", "safe_log", "x_log_x"]


def capped(eta: Array) -> Array:
    """Return eta, no larger than where its exponential can still be squared."""
    xp = namespace(eta)
    return xp.minimum(eta, 0.5 * scalar_log(float(xp.finfo(eta.dtype).max)) - 1.0)


def safe_log(x: Array) -> Array:
    """Return log(x), at 0 the log of the smallest normal number (about -708)."""
    xp = namespace(x)
    return log(xp.maximum(x, float(xp.finfo(x.dtype).smallest_normal)))


def x_log_x(x: Array) -> Array:
    """Return x log x for x >= 0, exactly 0 at 0."""
    return x * safe_log(x)


def cross_log(y: Array, mu: Array) -> Array:
    """Return y log(y / mu) for y, mu >= 0, exactly 0 where y is 0."""
    return y * (safe_log(y) - safe_log(mu))


def dual_slack(theta: Array) -> float:
    """Return how far outside its domain rounding may have put an entry of order 1.

    Projecting a dual point on the unpenalised part moves each entry by a few units in the last
    place, which can take a mean of 1e-30 just below 0.
    """
    return 64.0 * float(namespace(theta).finfo(theta.dtype).eps)
