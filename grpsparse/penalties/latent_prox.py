"""The proximal map of latent groups on the columns themselves, by a projected Newton method.

prox(v) = v - u, with u the projection of v on the polar ball { ||u_g|| <= level_g for all g }. With
a multiplier l_g >= 0 for every group and s_j their sum over the groups of row j,

    u_j = v_j / (1 + s_j),    D(l) = sum_j ||v_j||^2 s_j / (1 + s_j) - sum_g l_g level_g^2

is to be maximised over l >= 0. Only groups with ||v_g|| > level_g can have a multiplier, because
u is nowhere longer than v. Newton's step is taken on multipliers that are positive or want to
become so, the gradient's on the others, both projected and shortened until D rises enough.
The latent coefficients come for free: v - u = sum_g l_g u_g.

References: Mosci, Villa, Verri & Rosasco (2010), Advances in Neural Information Processing
Systems 23; Bertsekas (1982), doi:10.1137/0320018, for projected Newton steps.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from grpsparse.groups import BoolArray, FloatArray, IntArray

__all__ = ["Membership", "latent_prox"]

MOST_STEPS = 200
ACCURATE = 1e-13  # of a squared level, by which its group's norm may miss it
NEAR_ZERO = 0.01  # multiplier, over the largest, that may count as zero where it is to fall
ENOUGH = 1e-4  # share of the promised ascent that a step has to give
SHORTEST = 1e-12
SMALL, SPARSE = 200, 0.1  # groups, and share of pairs that meet: beyond and below, LU is sparse
RIDGE = 0.01  # of the Hessian's diagonal at most: groups of the same rows determine each other


@dataclass(frozen=True, slots=True)
class Membership:
    """Which rows belong to which groups.

    Parameters
    ----------
    matrix : scipy.sparse.csr_array of shape (G, p)
        Ones.
    """

    matrix: Any

    @classmethod
    def of(cls, index: IntArray, starts: IntArray, n_rows: int) -> Membership:
        """Build from the rows of all groups, one group after the other."""
        from scipy import sparse as sp

        triple = (np.ones(index.size), index, starts)
        return cls(sp.csr_array(triple, shape=(starts.size - 1, n_rows)))


def latent_prox(
    v: FloatArray, members: Membership, level: FloatArray, start: FloatArray | None = None
) -> tuple[FloatArray, FloatArray]:
    """Return the proximal point of latent groups, and the multipliers that made it.

    Parameters
    ----------
    v : ndarray of shape (p, K)
        Every row belongs to a group.
    members : Membership
    level : ndarray of shape (G,)
        Radius of each group's ball, step times lambda times weight; rows of a group of level 0
        carry no penalty and stay as they are.
    start : ndarray of shape (G,), optional
        Multipliers to start from.

    Returns
    -------
    b : ndarray of shape (p, K)
        Exactly 0 where no group has a multiplier.
    multipliers : ndarray of shape (G,)
        The latent coefficients of group g are ``multipliers[g] * (v - b)`` on its rows.

    Examples
    --------
    >>> members = Membership.of(np.array([0, 1, 1, 2]), np.array([0, 2, 4]), 3)
    >>> b, multipliers = latent_prox(np.array([[3.0], [4.0], [0.0]]), members, np.array([2.5, 4.0]))
    >>> b.ravel().round(12), multipliers.round(12)
    (array([1.5, 2. , 0. ]), array([1., 0.]))
    """
    squares = np.einsum("ij,ij->i", v, v)
    free = members.matrix.T @ (level == 0).astype(np.float64) > 0
    squares = np.where(free, 0.0, squares)
    lengths = members.matrix @ squares
    candidates = np.flatnonzero(lengths > level**2)
    multipliers: FloatArray = np.zeros(level.size)
    if candidates.size:
        few = members.matrix[candidates]
        guess = np.zeros(candidates.size) if start is None else start[candidates]
        multipliers[candidates] = _maximise(few, squares, level[candidates] ** 2, guess)
    total = (members.matrix.T @ multipliers)[:, None]
    b: FloatArray = v * np.where(free[:, None], 1.0, total / (1.0 + total))
    return b, multipliers


def _maximise(matrix: Any, squares: FloatArray, radius: FloatArray, l: FloatArray) -> FloatArray:
    """Return the multipliers (g,) of groups whose squared norms may not exceed `radius`."""
    value, shrink = _dual(matrix, squares, radius, l)
    for _ in range(MOST_STEPS):
        gradient = matrix @ (squares * shrink**2) - radius
        off = _off(l, gradient, radius)
        if off <= ACCURATE:
            break
        bend = squares * shrink**3
        along = gradient / np.maximum(2.0 * (matrix @ bend), np.finfo(np.float64).tiny)
        near = float(np.linalg.norm(l - np.maximum(l + along, 0.0)))
        bound = (l <= min(near, NEAR_ZERO * float(l.max()))) & (gradient <= 0.0)
        direction = _direction(matrix, bend, gradient, bound, ridge=min(off, RIDGE))
        step = 1.0
        while step > SHORTEST:
            trial = np.maximum(l + step * direction, 0.0)
            risen, its_shrink = _dual(matrix, squares, radius, trial)
            promised = step * (gradient[~bound] @ direction[~bound])
            promised += gradient[bound] @ (trial - l)[bound]
            if risen - value >= ENOUGH * promised - ACCURATE * abs(value):
                break
            step *= 0.5
        else:
            break
        l, value, shrink = trial, risen, its_shrink
    return l


def _dual(
    matrix: Any, squares: FloatArray, radius: FloatArray, l: FloatArray
) -> tuple[float, FloatArray]:
    """Return D(l), and 1 / (1 + s) of every row."""
    total = matrix.T @ l
    shrink = 1.0 / (1.0 + total)
    return float(squares @ (total * shrink) - l @ radius), shrink


def _off(l: FloatArray, gradient: FloatArray, radius: FloatArray) -> float:
    """Return by how much a squared norm is too long, or too short for a multiplier, relatively."""
    off = np.where(l > 0.0, np.abs(gradient), np.maximum(gradient, 0.0))
    return float((off / radius).max())


def _direction(
    matrix: Any, bend: FloatArray, gradient: FloatArray, bound: BoolArray, *, ridge: float
) -> FloatArray:
    """Return Newton's direction on free multipliers, the scaled gradient on those at zero."""
    direction = np.empty_like(gradient)
    diagonal = np.maximum(2.0 * (matrix @ bend), np.finfo(np.float64).tiny)
    direction[bound] = gradient[bound] / diagonal[bound]
    inside = np.flatnonzero(~bound)
    if inside.size:
        few = matrix[inside]
        hessian = 2.0 * ((few * bend) @ few.T)
        direction[inside] = _solved(hessian, ridge * diagonal[inside], gradient[inside])
    return direction


def _solved(hessian: Any, ridge: FloatArray, gradient: FloatArray) -> FloatArray:
    """Return (hessian + diag(ridge))^-1 gradient, sparse where few groups meet."""
    size = ridge.size
    if size > SMALL and hessian.nnz < SPARSE * size**2:
        from scipy import sparse as sp
        from scipy.sparse.linalg import splu

        return np.asarray(splu(sp.csc_array(hessian + sp.diags_array(ridge))).solve(gradient))
    dense = hessian.toarray()
    dense[np.diag_indices(size)] += ridge
    return np.asarray(np.linalg.solve(dense, gradient))
