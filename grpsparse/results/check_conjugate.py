"""Residuals and conjugates of the losses, written out a second time.

A certificate that shares its formulas with the engine would share its mistakes. With
theta = -dloss/deta and q = y - theta the conjugate of z -> loss(y, shift + z) at -theta is

- gaussian: theta**2 / 2 - theta (y - shift);
- mgaussian: the same, summed over responses;
- huber: the same, for |theta| <= delta;
- binomial: q log q + (1 - q) log(1 - q) + theta shift;
- multinomial: sum_k q_k log q_k + theta_k shift_k;
- poisson: q log q - q + theta shift;
- gamma, p = 1 + theta: p log p - p log y - p + theta shift;
- square-root gaussian: sigma0 (theta**2 - 1) / 2 - theta (y - shift), for ||theta|| <= 1;
- negative binomial, p = t + theta, m = p + q: q log(q / m) + p log(p / m)
  + theta (shift - log t).

A family that is not of this package is asked for its own.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.special import xlog1py, xlogy

from grpsparse.families import Family
from grpsparse.groups import FloatArray

__all__ = ["conjugate", "mixture", "residual"]

ROUNDING = 64 * float(np.finfo(np.float64).eps)
CANONICAL = ("gaussian", "mgaussian", "binomial", "poisson", "multinomial")
SMALLEST_SHARE = 1e-16
SHARE_STEP = 1.1  # ratio to which the smallest share is searched


def residual(family: Family, y: FloatArray, eta: FloatArray) -> FloatArray:
    """Return minus the derivative of the loss, (n, K)."""
    given: Any = family
    if family.name in CANONICAL:
        out = y - family.mean(eta)
    elif family.name == "huber":
        out = np.clip(y - eta, -given.delta, given.delta)
    elif family.name == "sqrt_gaussian":
        out = (y - eta) / np.maximum(_root_mean_square(given, y - eta), given.sigma0)
    elif family.name == "gamma":
        out = y / family.mean(eta) - 1.0
    elif family.name == "negative_binomial":
        mean = family.mean(eta)
        out = (y - mean) / (1.0 + mean / given.theta)
    else:
        out = -family.gradient(y, eta)
    return np.asarray(out)


def conjugate(family: Family, y: FloatArray, theta: FloatArray, shift: FloatArray) -> FloatArray:
    """Return the conjugate of z -> loss(y, shift + z) at -theta for every row, (n,).

    Parameters
    ----------
    family : Family
    y : ndarray of shape (n, K)
    theta : ndarray of shape (n, K)
        A dual point of the domain, but for rounding.
    shift : ndarray of shape (n, K)
    """
    q = y - theta
    given: Any = family
    if family.name in {"gaussian", "mgaussian", "huber"}:
        each = theta * (0.5 * theta - (y - shift))
    elif family.name == "sqrt_gaussian":
        outside = _root_mean_square(given, theta) > 1.0 + ROUNDING
        each = 0.5 * np.asarray(given.sigma0) * (theta**2 - 1.0) - theta * (y - shift)
        each = np.where(outside, np.inf, each)
    elif family.name == "poisson":
        q = np.maximum(q, 0.0)
        each = xlogy(q, q) - q + theta * shift
    elif family.name == "binomial":
        q = np.clip(q, 0.0, 1.0)
        each = xlogy(q, q) + xlogy(1.0 - q, 1.0 - q) + theta * shift
    elif family.name == "multinomial":
        q = np.maximum(q, 0.0)
        each = xlogy(q, q) + theta * shift
    elif family.name == "gamma":
        p = np.maximum(1.0 + theta, 0.0)
        each = xlogy(p, p / y) - p + theta * shift
    elif family.name == "negative_binomial":
        each = _negative_binomial(given, y, theta) + theta * (shift - np.log(given.theta))
    else:
        return np.asarray(family.conjugate(y, theta, shift))
    total: FloatArray = each.sum(axis=1)
    return total


def _root_mean_square(family: Any, values: FloatArray) -> FloatArray:
    """Return the scale of values (n, K) under the weights of a family that knows its rows."""
    squares = np.einsum("i,ik,ik->k", family.shares, values, values)
    out: FloatArray = np.sqrt(squares if family.separate_scales else squares.mean())
    return out


def _negative_binomial(family: Any, y: FloatArray, theta: FloatArray) -> FloatArray:
    """Return q log(q / m) + p log(p / m): the smaller by its own log, the other by log1p."""
    q, p = np.maximum(y - theta, 0.0), np.maximum(family.theta + theta, 0.0)
    low, high = np.minimum(q, p), np.maximum(q, p)
    share = low / (low + high)
    out: FloatArray = xlogy(low, share) + xlog1py(high, -share)
    return out


def mixture(family: Family, y: FloatArray, theta: FloatArray, inner: FloatArray) -> float:
    """Return the smallest share of `inner` that takes theta into the conjugate's domain.

    Projecting takes means of nearly 0 (or 1) out of their range. `inner` is a dual point whose
    means lie inside; 0 where theta is there already, up to rounding.
    """
    if family.name not in _DOMAINS:
        return _searched(family, y, theta, inner)
    lowest, highest = _DOMAINS[family.name](family, y)
    slack = ROUNDING * (1.0 + np.abs(y))
    share = 0.0
    for out, past, room in (
        (theta < lowest - slack, lowest - theta, inner - lowest),
        (theta > highest + slack, theta - highest, highest - inner),
    ):
        if out.any():
            share = max(share, float(np.max(past[out] / (past[out] + np.maximum(room[out], 0.0)))))
    return share


def _searched(family: Family, y: FloatArray, theta: FloatArray, inner: FloatArray) -> float:
    """Return the share, by asking the family's own conjugate."""

    def inside(share: float) -> bool:
        mixed = (1.0 - share) * theta + share * inner
        return bool(np.isfinite(family.conjugate(y, mixed, 0.0)).all())

    if inside(0.0):
        return 0.0
    low, high = SMALLEST_SHARE, 1.0
    while high > SHARE_STEP * low:
        middle = float(np.sqrt(low * high))
        low, high = (low, middle) if inside(middle) else (middle, high)
    return high


_DOMAINS: dict[str, Any] = {
    "gaussian": lambda _, y: (np.full_like(y, -np.inf), np.full_like(y, np.inf)),
    "mgaussian": lambda _, y: (np.full_like(y, -np.inf), np.full_like(y, np.inf)),
    "binomial": lambda _, y: (y - 1.0, y),
    "multinomial": lambda _, y: (np.full_like(y, -np.inf), y),
    "poisson": lambda _, y: (np.full_like(y, -np.inf), y),
    "huber": lambda family, y: (np.full_like(y, -family.delta), np.full_like(y, family.delta)),
    "gamma": lambda _, y: (np.full_like(y, -1.0), np.full_like(y, np.inf)),
    "negative_binomial": lambda family, y: (np.full_like(y, -family.theta), y),
}
