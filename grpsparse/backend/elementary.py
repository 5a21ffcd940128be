"""Exponential and logarithms of many numbers: loops that the vector unit runs.

The C library's functions take 5 to 20 ns a number, which is most of a fit of many rows. These
reduce the argument (Cody & Waite 1980), then sum a series of fixed length, without branches:
1 to 2 ns, within two units in the last place.
"""

from __future__ import annotations

from math import factorial, log, sqrt
from typing import Any

import numpy as np
from numba import njit

from grpsparse.backend.compiling import INNER, KERNEL

__all__ = [
    "CHUNK",
    "CONTRACT",
    "exp_of",
    "fill_exp",
    "fill_log",
    "fill_log1p",
    "log1p_of",
    "log_of",
]

CHUNK = 512  # numbers at a time, so that the steps between loops stay in cache
CONTRACT = {"contract"}
ROUND = 1.5 * 2.0**52  # added to a number, leaves its nearest integer in the last bits
LOWEST, HIGHEST = -708.0, 709.0  # arguments whose exponentials are normal numbers
PER_LN2 = 1.0 / log(2.0)
LN2_HIGH = 0.693147180369123816490  # with trailing zeros, so that multiples are exact
LN2_LOW = 1.90821492927058770002e-10
LN2 = log(2.0)
ROOT2 = sqrt(2.0)
BIAS = 1023  # of an exponent, which stands above the 52 bits of the fraction
FRACTION = (1 << 52) - 1
WHOLE = 0x433 << 52  # exponent of 2^52, at which the last bits count ones
LARGEST = float(np.finfo(np.float64).max)

_, _, E2, E3, E4, E5, E6, E7, E8, E9, E10, E11, E12, E13 = (1.0 / factorial(k) for k in range(14))
_, L1, L2, L3, L4, L5, L6, L7, L8, L9, L10, L11 = (1.0 / (2 * k + 1) for k in range(12))


@njit(**INNER, fastmath=CONTRACT)
def exp_of(x: Any, out: Any, spare: Any) -> None:
    """Fill out with exp(x), x cut at -708 and 709; `spare` is at least as long. In place, too."""
    size = x.shape[0]
    shifted = spare[:size]
    bits = shifted.view(np.int64)
    for i in range(size):
        value = max(x[i], LOWEST)
        out[i] = min(value, HIGHEST)
        shifted[i] = out[i] * PER_LN2 + ROUND
    for i in range(size):
        turns = shifted[i] - ROUND
        r = (out[i] - turns * LN2_HIGH) - turns * LN2_LOW
        s = r * r
        p = ((E13 * r + E12) * s + (E11 * r + E10)) * s + (E9 * r + E8)
        p = ((p * s + (E7 * r + E6)) * s + (E5 * r + E4)) * s + (E3 * r + E2)
        out[i] = 1.0 + (r + s * p)
    for i in range(size):
        bits[i] = (bits[i] + BIAS) << 52
    for i in range(size):
        out[i] *= shifted[i]


@njit(**INNER, fastmath=CONTRACT)
def log1p_of(x: Any, out: Any) -> None:
    """Fill out with log(1 + x) for 0 <= x <= 1."""
    for i in range(x.shape[0]):
        upper = x[i] > ROOT2 - 1.0
        top = x[i] - 1.0 if upper else x[i]
        s = top / (3.0 + x[i] if upper else 2.0 + x[i])
        z = s * s
        p = ((((L11 * z + L10) * z + L9) * z + L8) * z + L7) * z + L6
        p = (((((p * z + L5) * z + L4) * z + L3) * z + L2) * z + L1) * z
        out[i] = (2.0 * s + 2.0 * s * p) + (LN2 if upper else 0.0)


@njit(**INNER, fastmath=CONTRACT)
def log_of(x: Any, out: Any, spare: Any) -> None:
    """Fill out with log(x) for normal x > 0; what is not finite stays as it is."""
    size = x.shape[0]
    fraction, exponent = out, spare[:size]
    bits, whole, unit = x.view(np.int64), fraction.view(np.int64), exponent.view(np.int64)
    for i in range(size):
        unit[i] = (bits[i] >> 52) | WHOLE
        whole[i] = (bits[i] & FRACTION) | (BIAS << 52)
    for i in range(size):
        upper = fraction[i] > ROOT2
        m = 0.5 * fraction[i] if upper else fraction[i]
        power = (exponent[i] - (2.0**52 + BIAS)) + (1.0 if upper else 0.0)
        s = (m - 1.0) / (m + 1.0)
        z = s * s
        p = ((((L11 * z + L10) * z + L9) * z + L8) * z + L7) * z + L6
        p = (((((p * z + L5) * z + L4) * z + L3) * z + L2) * z + L1) * z
        value = power * LN2_HIGH + ((2.0 * s + 2.0 * s * p) + power * LN2_LOW)
        out[i] = value if x[i] <= LARGEST else x[i]


@njit(cache=True, **KERNEL)
def fill_exp(x: Any, out: Any) -> None:
    """Fill out (n,) with exp(x); arguments beyond -708 and 709 count as these."""
    spare = np.empty(CHUNK)
    for low in range(0, x.shape[0], CHUNK):
        exp_of(x[low : low + CHUNK], out[low : low + CHUNK], spare)


@njit(cache=True, **KERNEL)
def fill_log1p(x: Any, out: Any) -> None:
    """Fill out (n,) with log(1 + x) for 0 <= x <= 1."""
    log1p_of(x, out)


@njit(cache=True, **KERNEL)
def fill_log(x: Any, out: Any) -> None:
    """Fill out (n,) with log(x) for normal x > 0; what is not finite stays as it is."""
    spare = np.empty(CHUNK)
    for low in range(0, x.shape[0], CHUNK):
        log_of(x[low : low + CHUNK], out[low : low + CHUNK], spare)
