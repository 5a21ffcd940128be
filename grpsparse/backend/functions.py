"""Exponential and logarithms of arrays: of any library, and of long NumPy arrays fast."""

from __future__ import annotations

import numpy as np

from grpsparse.backend.namespace import Array, namespace

__all__ = ["exp", "is_long", "log", "log1p", "running_sum"]

LONG = 20_000  # numbers from which compiled loops are worth their start


def is_long(*arrays: Array) -> bool:
    """Return whether compiled loops are worth their start: float64 NumPy arrays of one shape."""
    first = arrays[0]
    return (
        isinstance(first, np.ndarray)
        and first.size >= LONG
        and all(
            isinstance(x, np.ndarray) and x.dtype == np.float64 and x.shape == first.shape
            for x in arrays
        )
    )


def exp(x: Array) -> Array:
    """Return exp(x), for long arrays no less than exp(-708) and no more than exp(709)."""
    return _of_each("exp", x)


def log(x: Array) -> Array:
    """Return log(x), for normal x > 0."""
    return _of_each("log", x)


def log1p(x: Array) -> Array:
    """Return log(1 + x), for 0 <= x <= 1."""
    return _of_each("log1p", x)


def running_sum(x: Array) -> Array:
    """Return the sums of the first one, two, three, ... entries of x (n,)."""
    xp = namespace(x)
    # NumPy 2.0 has not got the standard's name yet
    return xp.cumsum(x) if xp is np else xp.cumulative_sum(x)


def _of_each(name: str, x: Array) -> Array:
    """Return a function of every entry, by the array's library or by the compiled loop."""
    if not is_long(x):
        return getattr(namespace(x), name)(x)
    from grpsparse.backend import elementary

    out = np.empty_like(x)
    getattr(elementary, f"fill_{name}")(x.ravel("K"), out.ravel("K"))
    return out
