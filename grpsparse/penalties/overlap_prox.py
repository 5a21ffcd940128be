"""The proximal map of a sum of norms of overlapping groups, to all digits.

With theta_g >= 0 for ||x_g|| / l_g the norms are the smallest of quadratic functions,
l_g ||x_g|| = min over theta_g of (||x_g||^2 / theta_g + l_g^2 theta_g) / 2, so that

    min_x ||x - v||^2 / 2 + sum_g l_g ||x_g|| = min_theta F(theta),
    F(theta) = (sum_j v_j^2 S_j / (1 + S_j) + sum_g l_g^2 theta_g) / 2,

S_j = sum_{g holds j} 1 / theta_g and x_j = v_j / (1 + S_j). F is convex; a barrier
mu sum_g log theta_g keeps theta positive, and Newton steps in log theta follow its minimiser while
mu falls. G mu bounds what F is above its minimum.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from grpsparse.groups import FloatArray, IntArray
from grpsparse.penalties.overlap_dual import memberships

__all__ = ["overlap_prox"]

MOST_STEPS = 300
FALL = 0.01  # of mu, where a step in log theta was shorter than
WHOLE = 1.0
SMALLEST = 1e-25  # mu, for v of largest entry 1
LONGEST = 2.5  # step in log theta
DUST = 1e-11  # of the largest entry of v, below which the norm of a group is zero


def overlap_prox(v: FloatArray, index: IntArray, starts: IntArray, level: FloatArray) -> FloatArray:
    """Return the norms (p,) of the proximal point of rows of norms v (p,).

    Parameters
    ----------
    v : ndarray of shape (p,)
        At least 0.
    index : ndarray of int, shape (m,)
        Rows of the groups, one group after the other.
    starts : ndarray of int, shape (G + 1,)
    level : ndarray of shape (G,)
        Step times lambda times weight of every group, positive.

    Examples
    --------
    >>> index, starts = np.array([0, 1, 1]), np.array([0, 2, 3])
    >>> overlap_prox(np.array([3.0, 5.0]), index, starts, np.array([2.5, 1.0])).round(12)
    array([1.5, 2. ])
    """
    size = float(v.max(initial=0.0))
    if not size > 0.0 or not level.size:
        return v.copy()
    held, y, pull = memberships(index, starts, v.size), v / size, level / size
    theta = np.maximum(np.sqrt(held @ y**2) / pull, 1.0)
    mu = float(theta @ pull**2) / level.size
    for _ in range(MOST_STEPS):
        step = _newton(held, y, pull, theta, mu)
        theta = theta * np.exp(np.clip(step, -LONGEST, LONGEST))
        if float(np.abs(step).max()) < WHOLE:
            if mu < SMALLEST:
                break
            mu *= FALL
    x: FloatArray = y / (1.0 + held.T @ (1.0 / theta))
    gone = np.sqrt(held @ x**2) <= DUST
    x[held.T @ gone > 0] = 0.0
    return size * x


def _newton(
    held: Any, y: FloatArray, level: FloatArray, theta: FloatArray, mu: float
) -> FloatArray:
    """Return the step in log theta."""
    from scipy import sparse as sp

    total = 1.0 + held.T @ (1.0 / theta)
    share = sp.csr_array(sp.diags_array(1.0 / theta) @ held @ sp.diags_array(1.0 / total))
    mine = (share.power(2) @ y**2) * theta  # ||x_g||^2 / theta_g
    system = -((share * (y**2 / total)) @ share.T).toarray()
    system[np.diag_indices_from(system)] += mine + mu
    # groups that are zero have entries as small as mu: every one is taken on its own scale
    scale = 1.0 / np.sqrt(np.diagonal(system))
    pull = 0.5 * (mine - level**2 * theta) + mu
    system *= scale[:, None] * scale
    step: FloatArray = scale * np.linalg.solve(system, scale * pull)
    return step
