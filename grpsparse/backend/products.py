"""Products of stored columns with a few vectors, where they stand and in double precision.

Columns of X are contiguous rows of an array (p, n), of single or double precision. Chosen
columns are not gathered; sums are of float64 whatever the storage.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from grpsparse.backend.compiling import FAST, INNER, KERNEL, LEAN

__all__ = [
    "add_columns",
    "add_sparse",
    "column_moments",
    "column_products",
    "group_grams",
    "sparse_moments",
    "sparse_products",
    "turn_columns",
]

ROWS = 4096  # rows at a time, so that their part of R stays in cache
FEW_ROWS = 512  # the same where some columns of a group have to stay too


@njit(**INNER, **LEAN, fastmath=FAST)
def _eight_by_one(a: Any, b: Any, c: Any, d: Any, e: Any, f: Any, g: Any, h: Any, r: Any) -> Any:
    ar = br = cr = dr = er = fr = gr = hr = 0.0
    for i in range(r.shape[0]):
        x = r[i]
        ar += np.float64(a[i]) * x
        br += np.float64(b[i]) * x
        cr += np.float64(c[i]) * x
        dr += np.float64(d[i]) * x
        er += np.float64(e[i]) * x
        fr += np.float64(f[i]) * x
        gr += np.float64(g[i]) * x
        hr += np.float64(h[i]) * x
    return ar, br, cr, dr, er, fr, gr, hr


@njit(**INNER, **LEAN, fastmath=FAST)
def _two_by_four(a: Any, b: Any, r: Any, s: Any, t: Any, u: Any) -> Any:
    ar = as_ = at = au = br = bs = bt = bu = 0.0
    for i in range(r.shape[0]):
        x, y = np.float64(a[i]), np.float64(b[i])
        ar += x * r[i]
        as_ += x * s[i]
        at += x * t[i]
        au += x * u[i]
        br += y * r[i]
        bs += y * s[i]
        bt += y * t[i]
        bu += y * u[i]
    return ar, as_, at, au, br, bs, bt, bu


def column_products(columns: Any, index: Any, residual: Any, out: Any) -> None:
    """Add X[:, index]'R to out (len(index), K), for columns (p, n) and residual (K, n)."""
    _column_products(columns, index, residual, np.zeros(residual.shape[0]), out)


@njit(cache=True, **KERNEL, **LEAN)
def _column_products(columns: Any, index: Any, residual: Any, spare: Any, out: Any) -> None:
    """Add the products; `spare` (K,) takes those of a column that is its own pair, the last.

    Columns come from memory eight at a time: fewer streams leave its bandwidth unused.
    """
    n_classes, n = residual.shape
    count = index.shape[0]
    last, quads = count - 1, n_classes - n_classes % 4
    for low in range(0, n, ROWS):
        high = min(n, low + ROWS)
        for j in range(0, count, 8):
            end = min(j + 8, count)
            for pair in range(j, end if quads else j, 2):
                other = min(pair + 1, last)
                a, b = columns[index[pair], low:high], columns[index[other], low:high]
                first, second = out[pair], (out[other] if other > pair else spare)
                for k in range(0, quads, 4):
                    r, s = residual[k, low:high], residual[k + 1, low:high]
                    t, u = residual[k + 2, low:high], residual[k + 3, low:high]
                    sums = _two_by_four(a, b, r, s, t, u)
                    for c in range(4):
                        first[k + c] += sums[c]
                        second[k + c] += sums[4 + c]
            for k in range(quads, n_classes):
                single = _eight_by_one(
                    columns[index[j], low:high],
                    columns[index[min(j + 1, last)], low:high],
                    columns[index[min(j + 2, last)], low:high],
                    columns[index[min(j + 3, last)], low:high],
                    columns[index[min(j + 4, last)], low:high],
                    columns[index[min(j + 5, last)], low:high],
                    columns[index[min(j + 6, last)], low:high],
                    columns[index[min(j + 7, last)], low:high],
                    residual[k, low:high],
                )
                for c in range(end - j):
                    out[j + c, k] += single[c]


@njit(**INNER, **LEAN, fastmath=FAST)
def _four_moments(
    w: Any, a: Any, b: Any, c: Any, d: Any, ma: float, mb: float, mc: float, md: float
) -> Any:
    aa = bb = cc = dd = 0.0
    for i in range(w.shape[0]):
        x, y, z, u = a[i] - ma, b[i] - mb, c[i] - mc, d[i] - md
        aa += w[i] * x * x
        bb += w[i] * y * y
        cc += w[i] * z * z
        dd += w[i] * u * u
    return aa, bb, cc, dd


@njit(cache=True, **KERNEL, **LEAN)
def column_moments(columns: Any, index: Any, weights: Any, centre: Any, out: Any) -> None:
    """Fill out (len(index),) with sum_i w_i (x_ij - centre_j)^2 of columns (p, n)."""
    count = index.shape[0]
    for j in range(0, count, 4):
        k, l, m = min(j + 1, count - 1), min(j + 2, count - 1), min(j + 3, count - 1)
        sums = _four_moments(
            weights,
            columns[index[j]],
            columns[index[k]],
            columns[index[l]],
            columns[index[m]],
            centre[j],
            centre[k],
            centre[l],
            centre[m],
        )
        for c in range(min(4, count - j)):
            out[j + c] = sums[c]


@njit(cache=True, **KERNEL, **LEAN)
def sparse_moments(
    pointers: Any,
    rows: Any,
    data: Any,
    weights: Any,
    centre: Any,
    total: float,
    counted: int,
    out: Any,
) -> None:
    """Fill out (p,) with sum_i w_i (x_ij - centre_j)^2 of compressed columns.

    `total` and `counted` are the sum of the weights and how many are positive.
    """
    for j in range(out.shape[0]):
        middle, inside, present, entries = centre[j], 0.0, 0.0, 0
        for place in range(pointers[j], pointers[j + 1]):
            weight = weights[np.uint32(rows[place])]
            away = data[place] - middle
            inside += weight * away * away
            present += weight
            entries += 1 if weight > 0.0 else 0
        # where all rows are stored the difference would be rounding
        absent = max(total - present, 0.0) if entries < counted else 0.0
        out[j] = inside + absent * middle * middle


@njit(cache=True, **KERNEL, **LEAN)
def sparse_products(
    pointers: Any, rows: Any, data: Any, index: Any, residual: Any, out: Any
) -> None:
    """Fill out (len(index), K) with X[:, index]'R, for X in compressed columns and R (n, K)."""
    n_classes = residual.shape[1]
    quads = n_classes - n_classes % 4
    for j in range(index.shape[0]):
        first, last = pointers[index[j]], pointers[index[j] + 1]
        for k in range(0, quads, 4):
            a = b = c = d = 0.0
            for place in range(first, last):
                value, row = data[place], residual[np.uint32(rows[place])]
                a += value * row[k]
                b += value * row[k + 1]
                c += value * row[k + 2]
                d += value * row[k + 3]
            out[j, k], out[j, k + 1], out[j, k + 2], out[j, k + 3] = a, b, c, d
        for k in range(quads, n_classes):
            a = b = 0.0  # two sums at once hide the latency of adding
            for place in range(first, last - 1, 2):
                a += data[place] * residual[np.uint32(rows[place]), k]
                b += data[place + 1] * residual[np.uint32(rows[place + 1]), k]
            if (last - first) % 2:
                a += data[last - 1] * residual[np.uint32(rows[last - 1]), k]
            out[j, k] = a + b


@njit(cache=True, **KERNEL, **LEAN, fastmath=FAST)
def add_columns(columns: Any, index: Any, coef: Any, out: Any) -> None:
    """Add X[:, index] @ coef to out (K, n), for columns (p, n) and coef (len(index), K)."""
    n_classes, n = out.shape
    for low in range(0, n, ROWS):
        high = min(n, low + ROWS)
        for j in range(0, index.shape[0], 4):
            count = min(4, index.shape[0] - j)
            a = columns[index[j], low:high]
            b = columns[index[j + min(1, count - 1)], low:high]
            c = columns[index[j + min(2, count - 1)], low:high]
            d = columns[index[j + count - 1], low:high]
            for k in range(n_classes):
                row = out[k, low:high]
                wa = coef[j, k]
                wb = coef[j + 1, k] if count > 1 else 0.0
                wc = coef[j + 2, k] if count > 2 else 0.0
                wd = coef[j + 3, k] if count > 3 else 0.0
                for i in range(row.shape[0]):
                    row[i] += (wa * a[i] + wb * b[i]) + (wc * c[i] + wd * d[i])


@njit(cache=True, **KERNEL, **LEAN)
def add_sparse(pointers: Any, rows: Any, data: Any, index: Any, coef: Any, out: Any) -> None:
    """Add X[:, index] @ coef.T to out (K, n), for X in compressed columns, coef (K, index)."""
    for k in range(out.shape[0]):
        total = out[k]
        for j in range(index.shape[0]):
            amount = coef[k, j]
            for place in range(pointers[index[j]], pointers[index[j] + 1]):
                total[np.uint32(rows[place])] += amount * data[place]


@njit(**INNER, **LEAN, fastmath=FAST)
def _centred(
    root: Any, a: Any, b: Any, c: Any, d: Any, ma: float, mb: float, mc: float, md: float, out: Any
) -> None:
    """Fill four rows with root * (column - mean), reading four columns at a time."""
    oa, ob, oc, od = out[0], out[1], out[2], out[3]
    for i in range(root.shape[0]):
        share = root[i]
        oa[i] = share * (a[i] - ma)
        ob[i] = share * (b[i] - mb)
        oc[i] = share * (c[i] - mc)
        od[i] = share * (d[i] - md)


@njit(cache=True, **KERNEL, fastmath=FAST)
def group_grams(columns: Any, index: Any, root: Any, centre: Any, out: Any) -> None:
    """Fill out (g, m, m) with Gram matrices about `centre` (g, m) of columns index (g, m).

    `root` (n,) holds the roots of the weights.
    """
    n, m = columns.shape[1], index.shape[1]
    last = m - 1
    centred = np.empty((m + 3, min(n, FEW_ROWS)))
    for g in range(index.shape[0]):
        out[g] = 0.0
        for low in range(0, n, FEW_ROWS):
            high = min(n, low + FEW_ROWS)
            part = centred[:, : high - low]
            for a in range(0, m, 4):
                b, c, d = min(a + 1, last), min(a + 2, last), min(a + 3, last)
                _centred(
                    root[low:high],
                    columns[index[g, a], low:high],
                    columns[index[g, b], low:high],
                    columns[index[g, c], low:high],
                    columns[index[g, d], low:high],
                    centre[g, a],
                    centre[g, b],
                    centre[g, c],
                    centre[g, d],
                    part[a : a + 4],
                )
            for a in range(0, m, 2):
                other = min(a + 1, last)
                for b in range(0, other + 1, 4):
                    c, d, e = min(b + 1, last), min(b + 2, last), min(b + 3, last)
                    sums = _two_by_four(part[a], part[other], part[b], part[c], part[d], part[e])
                    for i in range(min(4, a + 1 - b)):
                        out[g, a, b + i] += sums[i]
                    if other > a:
                        for i in range(min(4, other + 1 - b)):
                            out[g, other, b + i] += sums[4 + i]
        for a in range(m):
            for b in range(a):
                out[g, b, a] = out[g, a, b]


def turn_columns(columns: Any, index: Any, maps: Any, centre: Any, first: Any, out: Any) -> None:
    """Fill out[first[g] + r] with sum_a maps[g, a, r] x_a - centre[g, r], x_a column index[g, a].

    `columns` is (p, n), `index` (g, m), `maps` (g, m, r), `centre` (g, r), and `out` single
    precision: sums are in double precision and rounded once.
    """
    _turn_columns(columns, index, maps, centre, first, np.empty(FEW_ROWS), out)


@njit(cache=True, **KERNEL, **LEAN, fastmath=FAST)
def _turn_columns(
    columns: Any, index: Any, maps: Any, centre: Any, first: Any, total: Any, out: Any
) -> None:
    n, m = columns.shape[1], index.shape[1]
    for g in range(index.shape[0]):
        for low in range(0, n, FEW_ROWS):
            high = min(n, low + FEW_ROWS)
            count = high - low
            for r in range(maps.shape[2]):
                row, shift = out[first[g] + r, low:high], centre[g, r]
                for i in range(count):
                    total[i] = -shift
                for a in range(0, m, 4):
                    b, c, d = min(a + 1, m - 1), min(a + 2, m - 1), min(a + 3, m - 1)
                    wa = maps[g, a, r]
                    wb = maps[g, b, r] if a + 1 < m else 0.0
                    wc = maps[g, c, r] if a + 2 < m else 0.0
                    wd = maps[g, d, r] if a + 3 < m else 0.0
                    xa, xb = columns[index[g, a], low:high], columns[index[g, b], low:high]
                    xc, xd = columns[index[g, c], low:high], columns[index[g, d], low:high]
                    for i in range(count):
                        total[i] += (wa * xa[i] + wb * xb[i]) + (wc * xc[i] + wd * xd[i])
                for i in range(count):
                    row[i] = total[i]
