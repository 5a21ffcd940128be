"""Sums over risk sets: rows that are under observation during runs of event times.

Row i is at risk at the event times ``first[i]`` to ``last[i] - 1``, all of one stratum. Two sums
are needed, each the transpose of the other: of the rows at risk at a time, and of the times at
which a row is at risk. Nothing is ever subtracted, so that every sum is as exact as its terms:
runs that begin with their stratum are running sums; others are made of O(log T) nodes of a
binary tree over the times.

Concordance counts pairs through a Fenwick tree, whose entries are weights of rows.

References: Fenwick (1994), doi:10.1002/spe.4380240306.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from grpsparse.backend.compiling import KERNEL

__all__ = ["fill_concordance", "fill_exposures", "fill_risk_sums", "fill_tied_sums"]


@njit(cache=True, **KERNEL)
def _add_run(tree: Any, low: int, high: int, value: float) -> None:
    """Add a value to the nodes that make up the leaves low to high - 1."""
    while low < high:
        if low & 1:
            tree[low] += value
            low += 1
        if high & 1:
            high -= 1
            tree[high] += value
        low, high = low >> 1, high >> 1


@njit(cache=True, **KERNEL)
def fill_risk_sums(first: Any, last: Any, opening: Any, values: Any, out: Any) -> None:
    """Fill out (m, T) with the sums of values (m, n) over the rows at risk at every time.

    `opening` (T,) is the first time of every time's stratum.
    """
    n_times = opening.shape[0]
    for k in range(values.shape[0]):
        total, tree = out[k], np.zeros(2 * n_times)
        total[:] = 0.0
        late = False
        for i in range(first.shape[0]):
            low, high = first[i], last[i]
            if high <= low:
                continue
            if opening[low] == low:
                total[high - 1] += values[k, i]
                continue
            late = True
            _add_run(tree, low + n_times, high + n_times, values[k, i])
        for t in range(n_times - 2, -1, -1):
            if opening[t] == opening[t + 1]:
                total[t] += total[t + 1]
        if late:
            for node in range(2, 2 * n_times):
                tree[node] += tree[node >> 1]
            for t in range(n_times):
                total[t] += tree[n_times + t]


@njit(cache=True, **KERNEL)
def fill_exposures(first: Any, last: Any, opening: Any, hazard: Any, out: Any) -> None:
    """Fill out (n,) with the sums of hazards (T,) over the times at which a row is at risk."""
    n_times = opening.shape[0]
    tree = np.empty(2 * n_times)
    running = np.empty(n_times)
    for t in range(n_times):
        tree[n_times + t] = hazard[t]
        running[t] = hazard[t]
        if t > 0 and opening[t] != t:
            running[t] += running[t - 1]
    for node in range(n_times - 1, 0, -1):
        tree[node] = tree[2 * node] + tree[2 * node + 1]
    for i in range(first.shape[0]):
        low, high = first[i], last[i]
        out[i] = 0.0
        if high <= low:
            continue
        if opening[low] == low:
            out[i] = running[high - 1]
            continue
        low, high = low + n_times, high + n_times
        while low < high:
            if low & 1:
                out[i] += tree[low]
                low += 1
            if high & 1:
                high -= 1
                out[i] += tree[high]
            low, high = low >> 1, high >> 1


@njit(cache=True, **KERNEL)
def fill_tied_sums(rows: Any, when: Any, values: Any, out: Any) -> None:
    """Fill out (m, T) with the sums of values (m, n) over the rows with an event at every time."""
    for k in range(values.shape[0]):
        out[k] = 0.0
        for e in range(rows.shape[0]):
            out[k, when[e]] += values[k, rows[e]]


@njit(cache=True, **KERNEL)
def _add(tree: Any, place: int, weight: float) -> None:
    while place < tree.shape[0]:
        tree[place] += weight
        place += place & -place


@njit(cache=True, **KERNEL)
def _up_to(tree: Any, place: int) -> float:
    total = 0.0
    while place > 0:
        total += tree[place]
        place -= place & -place
    return total


@njit(cache=True, **KERNEL)
def fill_concordance(
    leaving: Any,
    entering: Any,
    stop: Any,
    start: Any,
    event: Any,
    weights: Any,
    rank: Any,
    out: Any,
) -> None:
    """Fill out (3,) with the weights of concordant, discordant and tied pairs of one stratum.

    A pair is a row with an event and another that is at risk beyond it. `leaving` holds the rows
    by stop, last first, at one time those without an event before those with one; `entering`
    those that begin late by start, last first; `rank` from 1 is the order of the risks.
    """
    tree = np.zeros(rank.max() + 1)
    begun, added = 0, 0
    n = leaving.shape[0]
    while added < n:
        time = stop[leaving[added]]
        while begun < entering.shape[0] and start[entering[begun]] >= time:
            _add(tree, rank[entering[begun]], -weights[entering[begun]])
            begun += 1
        while added < n and stop[leaving[added]] == time and not event[leaving[added]]:
            _add(tree, rank[leaving[added]], weights[leaving[added]])
            added += 1
        here = added
        while here < n and stop[leaving[here]] == time:
            row = leaving[here]
            below, up_to = _up_to(tree, rank[row] - 1), _up_to(tree, rank[row])
            whole = _up_to(tree, tree.shape[0] - 1)
            out[0] += weights[row] * below
            out[1] += weights[row] * (whole - up_to)
            out[2] += weights[row] * (up_to - below)
            here += 1
        while added < here:
            _add(tree, rank[leaving[added]], weights[leaving[added]])
            added += 1
