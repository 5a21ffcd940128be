"""Residual form: products of a block's columns with arrays over rows, for every storage.

A block's columns are dense rows, the cells of a factor (integer codes, perhaps times a number)
or sparse columns; cells and sparse columns are centred without being expanded. Arrays over
rows are (K, n) and single precision. Loops over rows touch at most five arrays and keep their
sums in local scalars: with more, the compiler leaves them scalar.

:class:`grpsparse.solvers.sources.Sources` packs the storages: `rows` (m, n), dense; `factors`,
codes (d, n), values (v, n) and value row (d,); `sparse`, pointers, rows and data of columns;
`frames`, for every coordinate its scale, centre, and cell or column, with the bases of
interactions. What a working set lacks is None, and its code is not compiled. A row of `spans`
is first and last coordinate, first and last class, storage, place in it, number of cells, and
start of the basis (-1: none). Dense coordinates are rows; where the rows are another set of
weights' coordinates, "cells" counts them, and scale, centre and basis say what is made of them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from grpsparse.backend.compiling import FAST, INNER, LEAN, ONCE

__all__ = [
    "DENSE",
    "FACTOR",
    "SPARSE",
    "block_change",
    "block_gradient",
    "subtract",
    "weighted_change",
]

DENSE, FACTOR, SPARSE = 0, 1, 2


@njit(**INNER, **LEAN, fastmath=FAST)
def _two_by_four(rows: Any, place: int, residual: Any, k: int, out: Any, j: int, c: int) -> None:
    a0 = a1 = a2 = a3 = b0 = b1 = b2 = b3 = np.float32(0.0)
    for i in range(rows.shape[1]):
        a0 += rows[place, i] * residual[k, i]
        a1 += rows[place, i] * residual[k + 1, i]
        a2 += rows[place, i] * residual[k + 2, i]
        a3 += rows[place, i] * residual[k + 3, i]
        b0 += rows[place + 1, i] * residual[k, i]
        b1 += rows[place + 1, i] * residual[k + 1, i]
        b2 += rows[place + 1, i] * residual[k + 2, i]
        b3 += rows[place + 1, i] * residual[k + 3, i]
    out[j, c], out[j, c + 1], out[j, c + 2], out[j, c + 3] = a0, a1, a2, a3
    out[j + 1, c], out[j + 1, c + 1], out[j + 1, c + 2], out[j + 1, c + 3] = b0, b1, b2, b3


@njit(**INNER, **LEAN, fastmath=FAST)
def _four_by_one(rows: Any, place: int, residual: Any, k: int, out: Any, j: int, c: int) -> None:
    a0 = a1 = a2 = a3 = np.float32(0.0)
    for i in range(rows.shape[1]):
        a0 += rows[place, i] * residual[k, i]
        a1 += rows[place + 1, i] * residual[k, i]
        a2 += rows[place + 2, i] * residual[k, i]
        a3 += rows[place + 3, i] * residual[k, i]
    out[j, c], out[j + 1, c], out[j + 2, c], out[j + 3, c] = a0, a1, a2, a3


@njit(**INNER, **LEAN, fastmath=FAST)
def _one_by_one(rows: Any, place: int, residual: Any, k: int) -> Any:
    total = np.float32(0.0)
    for i in range(rows.shape[1]):
        total += rows[place, i] * residual[k, i]
    return total


@njit(**ONCE, **LEAN)
def _dots(rows: Any, place: int, m: int, low: int, high: int, residual: Any, out: Any) -> None:
    """out[j, k] = rows[place + j] . residual[low + k], by tiles of 2 x 4, 4 x 1 and 1 x 1."""
    quads, fours, pairs = high - (high - low) % 4, m - m % 4, m - m % 2
    for k in range(low, quads, 4):
        for j in range(0, pairs, 2):
            _two_by_four(rows, place + j, residual, k, out, j, k - low)
        for j in range(pairs, m):
            for c in range(k, k + 4):
                out[j, c - low] = _one_by_one(rows, place + j, residual, c)
    for k in range(quads, high):
        for j in range(0, fours, 4):
            _four_by_one(rows, place + j, residual, k, out, j, k - low)
        for j in range(fours, m):
            out[j, k - low] = _one_by_one(rows, place + j, residual, k)


@njit(**INNER, **LEAN, fastmath=FAST)
def _combine(rows: Any, place: int, m: int, width: int, step: Any, change: Any) -> None:
    """change[k] = sum_j step[j, k] rows[place + j], four rows at a time."""
    n = rows.shape[1]
    for k in range(width):
        d0 = np.float32(step[0, k])
        for i in range(n):
            change[k, i] = d0 * rows[place, i]
        j = 1
        while j + 4 <= m:
            d0, d1 = np.float32(step[j, k]), np.float32(step[j + 1, k])
            d2, d3 = np.float32(step[j + 2, k]), np.float32(step[j + 3, k])
            for i in range(n):
                change[k, i] += (d0 * rows[place + j, i] + d1 * rows[place + j + 1, i]) + (
                    d2 * rows[place + j + 2, i] + d3 * rows[place + j + 3, i]
                )
            j += 4
        while j < m:
            d0 = np.float32(step[j, k])
            for i in range(n):
                change[k, i] += d0 * rows[place + j, i]
            j += 1


@njit(**INNER, **LEAN)
def _cell_sums(factors: Any, place: int, residual: Any, k: int, sums: Any, cells: int) -> float:
    """sums[l] = sum of value * residual over the rows of level l; return the plain total."""
    codes, values, value_row = factors
    value = value_row[place]
    total = 0.0
    for level in range(cells + 1):
        sums[level] = 0.0
    if value >= 0:
        for i in range(codes.shape[1]):
            sums[np.uint32(codes[place, i])] += values[value, i] * residual[k, i]
            total += residual[k, i]
        return total
    for i in range(codes.shape[1]):
        sums[np.uint32(codes[place, i])] += residual[k, i]
    for level in range(cells + 1):
        total += sums[level]
    return total


@njit(**INNER, **LEAN)
def _factor_gradient(
    factors: Any, frames: Any, spans: Any, block: int, residual: Any, sums: Any, out: Any
) -> None:
    scale, centre, column, turns = frames
    first, last = spans[block, 0], spans[block, 1]
    m, cells, turn = last - first, spans[block, 6], spans[block, 7]
    for k in range(spans[block, 2], spans[block, 3]):
        total = _cell_sums(factors, spans[block, 5], residual, k, sums, cells)
        for j in range(m):
            product = 0.0
            if turn < 0:
                product = scale[first + j] * sums[column[first + j]]
            else:
                for cell in range(cells):
                    product += turns[turn + cell * m + j] * sums[cell]
            out[j, k - spans[block, 2]] = product - centre[first + j] * total


@njit(**INNER, **LEAN)
def _factor_change(
    factors: Any, frames: Any, spans: Any, block: int, step: Any, sums: Any, change: Any
) -> None:
    codes, values, value_row = factors
    scale, centre, column, turns = frames
    first, last, place = spans[block, 0], spans[block, 1], spans[block, 5]
    m, cells, turn = last - first, spans[block, 6], spans[block, 7]
    value = value_row[place]
    for k in range(spans[block, 3] - spans[block, 2]):
        shift = 0.0
        for cell in range(cells + 1):
            sums[cell] = 0.0
        for j in range(m):
            shift += centre[first + j] * step[j, k]
            if turn < 0:
                sums[column[first + j]] = scale[first + j] * step[j, k]
            else:
                for cell in range(cells):
                    sums[cell] += turns[turn + cell * m + j] * step[j, k]
        if value >= 0:
            for i in range(codes.shape[1]):
                change[k, i] = sums[np.uint32(codes[place, i])] * values[value, i] - shift
        else:
            for i in range(codes.shape[1]):
                change[k, i] = sums[np.uint32(codes[place, i])] - shift


@njit(**INNER, **LEAN)
def _sparse_gradient(
    sparse: Any, frames: Any, spans: Any, block: int, residual: Any, out: Any
) -> None:
    indptr, indices, data = sparse
    scale, centre, column, _ = frames
    first = spans[block, 0]
    for k in range(spans[block, 2], spans[block, 3]):
        total = 0.0
        for i in range(residual.shape[1]):
            total += residual[k, i]
        for j in range(first, spans[block, 1]):
            product = 0.0
            for p in range(indptr[column[j]], indptr[column[j] + 1]):
                product += data[p] * residual[k, np.uint32(indices[p])]
            out[j - first, k - spans[block, 2]] = scale[j] * product - centre[j] * total


@njit(**INNER, **LEAN)
def _sparse_change(
    sparse: Any, frames: Any, spans: Any, block: int, step: Any, change: Any
) -> None:
    indptr, indices, data = sparse
    scale, centre, column, _ = frames
    first, last = spans[block, 0], spans[block, 1]
    for k in range(spans[block, 3] - spans[block, 2]):
        shift = 0.0
        for j in range(first, last):
            shift += centre[j] * step[j - first, k]
        for i in range(change.shape[1]):
            change[k, i] = -shift
        for j in range(first, last):
            amount = scale[j] * step[j - first, k]
            if amount != 0.0:
                for p in range(indptr[column[j]], indptr[column[j] + 1]):
                    change[k, np.uint32(indices[p])] += amount * data[p]


@njit(**INNER, **LEAN, fastmath=FAST)
def _sum_of(residual: Any, k: int) -> Any:
    total = np.float32(0.0)
    for i in range(residual.shape[1]):
        total += residual[k, i]
    return total


@njit(**INNER, **LEAN)
def _mapped_gradient(
    rows: Any, frames: Any, spans: Any, block: int, residual: Any, raw: Any, out: Any
) -> None:
    """Fill out with the products of coordinates that are made of rows."""
    lead, centre, _, turns = frames
    first, last, low, high = spans[block, 0], spans[block, 1], spans[block, 2], spans[block, 3]
    m, cells, turn = last - first, spans[block, 6], spans[block, 7]
    _dots(rows, spans[block, 5], cells, low, high, residual, raw)
    for k in range(high - low):
        total = _sum_of(residual, low + k)
        for j in range(m):
            product = 0.0
            if turn < 0:
                product = lead[first + j] * raw[j, k]
            else:
                for cell in range(cells):
                    product += turns[turn + cell * m + j] * raw[cell, k]
            out[j, k] = product - centre[first + j] * total


@njit(**INNER, **LEAN)
def _mapped_change(
    rows: Any, frames: Any, spans: Any, block: int, step: Any, raw: Any, change: Any
) -> None:
    """Fill change with what a step of coordinates that are made of rows moves."""
    lead, centre, _, turns = frames
    first, last, cells, turn = spans[block, 0], spans[block, 1], spans[block, 6], spans[block, 7]
    m, width = last - first, spans[block, 3] - spans[block, 2]
    for k in range(width):
        for cell in range(cells):
            amount = 0.0
            if turn < 0:
                amount = lead[first + cell] * step[cell, k]
            else:
                for j in range(m):
                    amount += turns[turn + cell * m + j] * step[j, k]
            raw[cell, k] = amount
    _combine(rows, spans[block, 5], cells, width, raw, change)
    for k in range(width):
        shift = 0.0
        for j in range(m):
            shift += centre[first + j] * step[j, k]
        single = np.float32(shift)
        for i in range(change.shape[1]):
            change[k, i] -= single


@njit(**ONCE, **LEAN)
def block_gradient(
    rows: Any,
    factors: Any,
    sparse: Any,
    frames: Any,
    spans: Any,
    block: int,
    residual: Any,
    sums: Any,
    raw: Any,
    out: Any,
) -> None:
    """Fill out[j, k] with the products of a block's columns with the residual's classes."""
    kind = spans[block, 4]
    if factors is not None:
        if kind == FACTOR:
            _factor_gradient(factors, frames, spans, block, residual, sums, out)
    if sparse is not None:
        if kind == SPARSE:
            _sparse_gradient(sparse, frames, spans, block, residual, out)
    if kind == DENSE and spans[block, 6] == 0:
        m = spans[block, 1] - spans[block, 0]
        place, low, high = spans[block, 5], spans[block, 2], spans[block, 3]
        _dots(rows, place, m, low, high, residual, out)
    elif kind == DENSE:
        _mapped_gradient(rows, frames, spans, block, residual, raw, out)


@njit(**ONCE, **LEAN)
def block_change(
    rows: Any,
    factors: Any,
    sparse: Any,
    frames: Any,
    spans: Any,
    block: int,
    step: Any,
    sums: Any,
    raw: Any,
    change: Any,
) -> None:
    """Fill change[k] with what a step of the block's coefficients moves in class k."""
    kind = spans[block, 4]
    if factors is not None:
        if kind == FACTOR:
            _factor_change(factors, frames, spans, block, step, sums, change)
    if sparse is not None:
        if kind == SPARSE:
            _sparse_change(sparse, frames, spans, block, step, change)
    if kind == DENSE and spans[block, 6] == 0:
        m, width = spans[block, 1] - spans[block, 0], spans[block, 3] - spans[block, 2]
        _combine(rows, spans[block, 5], m, width, step, change)
    elif kind == DENSE:
        _mapped_change(rows, frames, spans, block, step, raw, change)


@njit(**INNER, **LEAN, fastmath=FAST)
def weighted_change(
    change: Any, low: int, high: int, chances: Any, curvature: Any, mean: Any
) -> Any:
    """Return change' W H change; for the softmax leave sum_k p_k change_k in `mean`."""
    n = change.shape[1]
    total: Any = 0.0
    if chances is None:
        for k in range(low, high):
            part = np.float32(0.0)
            for i in range(n):
                part += curvature[k, i] * change[k - low, i] * change[k - low, i]
            total += part
        return total
    for i in range(n):
        mean[i] = chances[low, i] * change[0, i]
    for k in range(low + 1, high):
        for i in range(n):
            mean[i] += chances[k, i] * change[k - low, i]
    for k in range(low, high):
        part = np.float32(0.0)
        for i in range(n):
            part += curvature[k, i] * change[k - low, i] * (change[k - low, i] - mean[i])
        total += part
    return total


@njit(**INNER, **LEAN, fastmath=FAST)
def subtract(
    change: Any,
    low: int,
    high: int,
    chances: Any,
    curvature: Any,
    mean: Any,
    residual: Any,
    moved: Any,
) -> None:
    """Take W H change off the residual, and add change to `moved` unless it is None."""
    n = change.shape[1]
    if moved is not None:
        for k in range(low, high):
            for i in range(n):
                moved[k, i] += change[k - low, i]
    if chances is None:
        for k in range(low, high):
            for i in range(n):
                residual[k, i] -= curvature[k, i] * change[k - low, i]
        return
    for k in range(residual.shape[0]):
        if low <= k < high:
            for i in range(n):
                residual[k, i] -= curvature[k, i] * (change[k - low, i] - mean[i])
        else:
            for i in range(n):
                residual[k, i] += curvature[k, i] * mean[i]
