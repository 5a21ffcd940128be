"""The norm dual to a sum of norms of overlapping groups.

    Omega*(c) = min { max_g ||u_g|| / w_g : sum_g u_g = c, u_g zero outside of group g }

is, with weights pi of the simplex for the largest of squares, and the best u for given pi,

    Omega*(c)^2 = max_pi f(pi),    f(pi) = sum_j c_j^2 / S_j,    S_j = sum_{g holds j} w_g^2 / pi_g.

f is concave and of degree one; a barrier mu sum_g log pi_g keeps pi positive, and Newton steps in
log pi follow its maximiser while mu falls. Every pi gives a bound from below, sqrt(f), and one from
above, the largest ||u_g|| / w_g.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from grpsparse.groups import FloatArray, IntArray

__all__ = ["dual_norm", "dual_weights", "memberships"]

MOST_STEPS = 300
SHARP = 1e-13  # relative, between the squares of the two bounds
FALL = 0.1  # of mu, where a step in log pi was shorter than
WHOLE = 1.0
SMALLEST = 1e-17  # mu over f, at which it ends
LONGEST = (-2.5, 1.0)  # steps in log pi


def dual_norm(c: FloatArray, index: IntArray, starts: IntArray, weight: FloatArray) -> float:
    """Return a bound from above on the dual norm, sharp but for rounding.

    Parameters
    ----------
    c : ndarray of shape (p,)
        Norms of the rows.
    index : ndarray of int, shape (m,)
        Rows of the groups, one group after the other; every row is in one.
    starts : ndarray of int, shape (G + 1,)
    weight : ndarray of shape (G,)
        Positive.

    Examples
    --------
    >>> index, starts = np.array([0, 1, 1, 2]), np.array([0, 2, 4])
    >>> round(dual_norm(np.array([1.0, 2.0, 1.0]), index, starts, np.ones(2)), 12)
    1.414213562373
    """
    size = float(c.max(initial=0.0))
    if not size > 0.0:
        return 0.0
    pi = dual_weights(c, index, starts, weight)
    _, mine, _ = _shares(memberships(index, starts, c.size), (c / size) ** 2, weight, pi)
    return size * float(np.sqrt((mine / pi).max()))


def dual_weights(
    c: FloatArray, index: IntArray, starts: IntArray, weight: FloatArray
) -> FloatArray:
    """Return the weights pi (G,) of the simplex whose bound from above is the sharpest found.

    Parameters
    ----------
    c, index, starts, weight
        As for :func:`dual_norm`, c not zero.
    """
    squares = (c / c.max()) ** 2
    held = memberships(index, starts, c.size)
    pi = best = np.full(weight.size, 1.0 / weight.size)
    high, mu = np.inf, 0.0
    for _ in range(MOST_STEPS):
        value, mine, share = _shares(held, squares, weight, pi)
        largest = float((mine / pi).max())  # of ||u_g||^2 / w_g^2
        if largest < high:
            high, best = largest, pi
        total = float(value.sum())
        if high <= total * (1.0 + SHARP):
            break
        mu = mu or total / weight.size
        step = _newton(share, value, mine, pi, mu)
        pi = pi * np.exp(np.clip(step, *LONGEST))
        pi /= pi.sum()
        if float(np.abs(step).max()) < WHOLE:
            mu *= FALL
        if mu < SMALLEST * total:
            break
    return best


def memberships(index: IntArray, starts: IntArray, n_rows: int) -> Any:
    """Return which groups hold which rows, a sparse matrix (G, p) of ones."""
    from scipy import sparse as sp

    return sp.csr_array((np.ones(index.size), index, starts), shape=(starts.size - 1, n_rows))


def _shares(
    held: Any, squares: FloatArray, weight: FloatArray, pi: FloatArray
) -> tuple[FloatArray, FloatArray, Any]:
    """Return f of every row (p,), of every group (G,), and the groups' shares (G, p) of rows."""
    from scipy import sparse as sp

    pull = weight**2 / pi
    total = held.T @ pull
    share = sp.csr_array(sp.diags_array(pull) @ held @ sp.diags_array(1.0 / total))
    value: FloatArray = squares / total
    mine: FloatArray = share.power(2) @ squares / weight**2 * pi
    return value, mine, share


def _newton(
    share: Any, value: FloatArray, mine: FloatArray, pi: FloatArray, mu: float
) -> FloatArray:
    """Return the step in log pi that keeps the sum of pi."""
    split, count = share @ value, pi.size
    system = np.zeros((count + 1, count + 1))
    system[:-1, :-1] = -2.0 * ((share * value) @ share.T).toarray()
    system[np.arange(count), np.arange(count)] += 2.0 * split + mu
    # f is of degree one, so only the sum of pi holds the scale
    system[:-1, -1] = system[-1, :-1] = pi
    step: FloatArray = np.linalg.solve(system, np.append(mine + mu, 0.0))[:-1]
    return step
