"""Exponential and logarithms of arrays: of any library, and of long NumPy arrays fast."""

from __future__ import annotations

import numpy as np

from grpsparse.backend.namespace import Array, namespace

__all__ = ["exp", "is_long", "log", "log1p"]

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
    if not is_long(x):
        return namespace(x).exp(x)
    from grpsparse.backend.elementary import fill_exp

    out = np.empty_like(x)
    fill_exp(x.ravel("K"), out.ravel("K"))
    return out


def log(x: Array) -> Array:
    """Return log(x), for normal x > 0."""
    if not is_long(x):
        return namespace(x).log(x)
    from grpsparse.backend.elementary import fill_log

    out = np.empty_like(x)
    fill_log(x.ravel("K"), out.ravel("K"))
    return out


def log1p(x: Array) -> Array:
    """Return log(1 + x), for 0 <= x <= 1."""
    if not is_long(x):
        return namespace(x).log1p(x)
    from grpsparse.backend.elementary import fill_log1p

    out = np.empty_like(x)
    fill_log1p(x.ravel("K"), out.ravel("K"))
    return out
