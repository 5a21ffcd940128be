"""Residual form: products of a block's columns with arrays over rows, for every storage.

A block's columns are dense rows, the cells of a factor (integer codes, perhaps times a number)
or sparse columns; cells and sparse columns are centred without being expanded. Arrays over
rows are (K, n) and single precision. Loops over rows touch at most five arrays and keep their
sums in local scalars: with more, the compiler leaves them scalar.

`sources` is the tuple that :class:`grpsparse.solvers.working_set.Sources` packs.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

__all__ = [
    "DENSE",
    "FACTOR",
    "block_change",
    "block_gradient",
    "subtract",
    "weighted_change",
]

DENSE, FACTOR, SPARSE = 0, 1, 2

_FAST = {"reassoc", "nsz", "contract", "arcp"}
_INNER: Any = {
    "nogil": True,
    "error_model": "numpy",
    "no_cpython_wrapper": True,
    "no_cfunc_wrapper": True,
}


@njit(**_INNER, fastmath=_FAST)
def _dots(rows: Any, place: int, m: int, low: int, high: int, residual: Any, out: Any) -> None:
    """out[j, k] = rows[place + j] . residual[low + k], by tiles of 2 x 4, 4 x 1 and 1 x 1."""
    n = rows.shape[1]
    zero = np.float32(0.0)
    k = low
    while high - k >= 4:
        j = 0
        while m - j >= 2:
            x0, x1 = rows[place + j], rows[place + j + 1]
            u0, u1, u2, u3 = residual[k], residual[k + 1], residual[k + 2], residual[k + 3]
            a0 = a1 = a2 = a3 = b0 = b1 = b2 = b3 = zero
            for i in range(n):
                a0 += x0[i] * u0[i]
                a1 += x0[i] * u1[i]
                a2 += x0[i] * u2[i]
                a3 += x0[i] * u3[i]
                b0 += x1[i] * u0[i]
                b1 += x1[i] * u1[i]
                b2 += x1[i] * u2[i]
                b3 += x1[i] * u3[i]
            c = k - low
            out[j, c], out[j, c + 1], out[j, c + 2], out[j, c + 3] = a0, a1, a2, a3
            out[j + 1, c], out[j + 1, c + 1], out[j + 1, c + 2], out[j + 1, c + 3] = b0, b1, b2, b3
            j += 2
        if j < m:
            for c in range(k, k + 4):
                out[j, c - low] = _dot(rows, place + j, residual, c)
        k += 4
    while k < high:
        j = 0
        while m - j >= 4:
            x0, x1 = rows[place + j], rows[place + j + 1]
            x2, x3 = rows[place + j + 2], rows[place + j + 3]
            u0 = residual[k]
            a0 = a1 = a2 = a3 = zero
            for i in range(n):
                a0 += x0[i] * u0[i]
                a1 += x1[i] * u0[i]
                a2 += x2[i] * u0[i]
                a3 += x3[i] * u0[i]
            c = k - low
            out[j, c], out[j + 1, c], out[j + 2, c], out[j + 3, c] = a0, a1, a2, a3
            j += 4
        while j < m:
            out[j, k - low] = _dot(rows, place + j, residual, k)
            j += 1
        k += 1


@njit(**_INNER, fastmath=_FAST)
def _dot(rows: Any, j: int, residual: Any, k: int) -> float:
    total = np.float32(0.0)
    for i in range(rows.shape[1]):
        total += rows[j, i] * residual[k, i]
    return total


@njit(**_INNER, fastmath=_FAST)
def _combine(rows: Any, place: int, step: Any, change: Any) -> None:
    """change[k] = sum_j step[j, k] rows[place + j], four rows at a time."""
    m, width = step.shape
    n = rows.shape[1]
    for k in range(width):
        out = change[k]
        j = m % 4
        if j == 0:
            for i in range(n):
                out[i] = np.float32(0.0)
        else:
            d0 = np.float32(step[0, k])
            for i in range(n):
                out[i] = d0 * rows[place, i]
            for extra in range(1, j):
                d0 = np.float32(step[extra, k])
                for i in range(n):
                    out[i] += d0 * rows[place + extra, i]
        while j < m:
            x0, x1 = rows[place + j], rows[place + j + 1]
            x2, x3 = rows[place + j + 2], rows[place + j + 3]
            d0, d1 = np.float32(step[j, k]), np.float32(step[j + 1, k])
            d2, d3 = np.float32(step[j + 2, k]), np.float32(step[j + 3, k])
            for i in range(n):
                out[i] += (d0 * x0[i] + d1 * x1[i]) + (d2 * x2[i] + d3 * x3[i])
            j += 4


@njit(**_INNER)
def _cell_sums(codes: Any, values: Any, residual: Any, sums: Any) -> float:
    """sums[l] = sum of value * residual over the rows of level l; return the plain total."""
    total = 0.0
    for level in range(sums.shape[0]):
        sums[level] = 0.0
    if values.shape[0]:
        for i in range(codes.shape[0]):
            sums[codes[i]] += values[i] * residual[i]
            total += residual[i]
    else:
        for i in range(codes.shape[0]):
            sums[codes[i]] += residual[i]
        for level in range(sums.shape[0]):
            total += sums[level]
    return total


@njit(**_INNER)
def _cells(sources: Any, place: int) -> Any:
    """Return codes and values of a factor's rows; no values means ones."""
    factors = sources[1]
    value = factors[2][place]
    values = factors[1][value] if value >= 0 else factors[1][0, :0]
    return factors[0][place], values


@njit(**_INNER)
def _factor_gradient(
    sources: Any, span: Any, residual: Any, sums: Any, out: Any
) -> None:
    first, last, low, high = span[0], span[1], span[2], span[3]
    codes, values = _cells(sources, span[5])
    scale, centre, column, turns = sources[3]
    m, cells, turn = last - first, span[6], span[7]
    level_sums = sums[: cells + 1]
    for k in range(low, high):
        total = _cell_sums(codes, values, residual[k], level_sums)
        for j in range(m):
            if turn < 0:
                product = scale[first + j] * level_sums[column[first + j]]
            else:
                product = 0.0
                for cell in range(cells):
                    product += turns[turn + cell * m + j] * level_sums[cell]
            out[j, k - low] = product - centre[first + j] * total


@njit(**_INNER)
def _factor_change(sources: Any, span: Any, step: Any, sums: Any, change: Any) -> None:
    first, last = span[0], span[1]
    codes, values = _cells(sources, span[5])
    scale, centre, column, turns = sources[3]
    m, cells, turn = last - first, span[6], span[7]
    for k in range(step.shape[1]):
        level = sums[: cells + 1]
        shift = 0.0
        for cell in range(cells + 1):
            level[cell] = 0.0
        for j in range(m):
            shift += centre[first + j] * step[j, k]
            if turn < 0:
                level[column[first + j]] = scale[first + j] * step[j, k]
            else:
                for cell in range(cells):
                    level[cell] += turns[turn + cell * m + j] * step[j, k]
        out = change[k]
        if values.shape[0]:
            for i in range(codes.shape[0]):
                out[i] = level[codes[i]] * values[i] - shift
        else:
            for cell in range(cells + 1):
                level[cell] -= shift
            for i in range(codes.shape[0]):
                out[i] = level[codes[i]]


@njit(**_INNER)
def _sparse_gradient(sources: Any, span: Any, residual: Any, out: Any) -> None:
    first, last, low, high = span[0], span[1], span[2], span[3]
    indptr, indices, data = sources[2]
    scale, centre, column, _ = sources[3]
    for k in range(low, high):
        total = 0.0
        u = residual[k]
        for i in range(u.shape[0]):
            total += u[i]
        for j in range(last - first):
            product = 0.0
            where = column[first + j]
            for p in range(indptr[where], indptr[where + 1]):
                product += data[p] * u[indices[p]]
            out[j, k - low] = scale[first + j] * product - centre[first + j] * total


@njit(**_INNER)
def _sparse_change(sources: Any, span: Any, step: Any, change: Any) -> None:
    first, last = span[0], span[1]
    indptr, indices, data = sources[2]
    scale, centre, column, _ = sources[3]
    for k in range(step.shape[1]):
        out = change[k]
        shift = 0.0
        for j in range(last - first):
            shift += centre[first + j] * step[j, k]
        for i in range(out.shape[0]):
            out[i] = -shift
        for j in range(last - first):
            amount = scale[first + j] * step[j, k]
            where = column[first + j]
            if amount != 0.0:
                for p in range(indptr[where], indptr[where + 1]):
                    out[indices[p]] += amount * data[p]


@njit(**_INNER)
def block_gradient(sources: Any, span: Any, residual: Any, sums: Any, out: Any) -> None:
    """Fill out[j, k] with the products of a block's columns with the residual's classes."""
    if span[4] == DENSE:
        _dots(sources[0], span[5], span[1] - span[0], span[2], span[3], residual, out)
    elif span[4] == FACTOR:
        _factor_gradient(sources, span, residual, sums, out)
    else:
        _sparse_gradient(sources, span, residual, out)


@njit(**_INNER)
def block_change(sources: Any, span: Any, step: Any, sums: Any, change: Any) -> None:
    """Fill change[k] with what a step of the block's coefficients moves in class k."""
    if span[4] == DENSE:
        _combine(sources[0], span[5], step, change)
    elif span[4] == FACTOR:
        _factor_change(sources, span, step, sums, change)
    else:
        _sparse_change(sources, span, step, change)


@njit(**_INNER, fastmath=_FAST)
def weighted_change(change: Any, low: int, high: int, curvature: Any, mean: Any) -> float:
    """Return change' W H change; for the softmax leave sum_k p_k change_k in `mean`."""
    softmax = mean.shape[0] > 0
    n = change.shape[1]
    if softmax:
        for i in range(n):
            mean[i] = np.float32(0.0)
        for k in range(low, high):
            c, p = change[k - low], curvature[0][k]
            for i in range(n):
                mean[i] += p[i] * c[i]
    total = 0.0
    for k in range(low, high):
        c, h = change[k - low], curvature[1][k]
        part = np.float32(0.0)
        if softmax:
            for i in range(n):
                part += h[i] * c[i] * (c[i] - mean[i])
        else:
            for i in range(n):
                part += h[i] * c[i] * c[i]
        total += part
    return total


@njit(**_INNER, fastmath=_FAST)
def subtract(
    change: Any, low: int, high: int, curvature: Any, mean: Any, residual: Any, moved: Any
) -> None:
    """residual -= W H change, and moved += change unless it is empty."""
    n = change.shape[1]
    if moved.shape[0]:
        for k in range(low, high):
            e, c = moved[k], change[k - low]
            for i in range(n):
                e[i] += c[i]
    if mean.shape[0] == 0:
        for k in range(low, high):
            u, h, c = residual[k], curvature[1][k], change[k - low]
            for i in range(n):
                u[i] -= h[i] * c[i]
        return
    for k in range(residual.shape[0]):
        u, h = residual[k], curvature[1][k]
        if low <= k < high:
            c = change[k - low]
            for i in range(n):
                u[i] -= h[i] * (c[i] - mean[i])
        else:
            for i in range(n):
                u[i] += h[i] * mean[i]
