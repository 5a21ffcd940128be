"""Directions of a group that the loss does not see.

A frame of a factor's levels holds one that moves nothing, so does a group of dependent columns,
and the softmax does not see a shift of all classes. Other penalties shrink what is along them to
nothing. One that falls as norms grow would grow it without end: there it is held at zero, which
is a stationary point too, because gradients have no part along it.
"""

from __future__ import annotations

import numpy as np

from grpsparse.groups import FloatArray, IntArray
from grpsparse.problem import Problem

__all__ = ["null_directions", "unseen_directions"]

RANK_FLOOR = 1e-9  # of a group's largest mean square


def null_directions(problem: Problem, rows: FloatArray, starts: IntArray) -> FloatArray:
    """Return orthonormal directions (m, H), each of one group, that move no predictor.

    Parameters
    ----------
    problem : Problem
    rows : ndarray of shape (m, n)
        Columns of the groups; what the unpenalised part takes up counts as not moved.
    starts : ndarray of int, shape (g + 1,)
    """
    weights = problem.data.weights
    apart = problem.basis.project_out(rows.T, weights).T * np.sqrt(weights)
    sizes, whole = np.diff(starts), np.einsum("ij,ij,j->i", rows, rows, weights)
    out: list[FloatArray] = [np.zeros((rows.shape[0], 0))]
    for size in np.unique(sizes[sizes > 0]):
        members = np.flatnonzero(sizes == size)
        place = starts[members][:, None] + np.arange(size)
        columns = apart[place]
        values, vectors = np.linalg.eigh(columns @ columns.transpose(0, 2, 1))
        group, number = np.nonzero(values <= RANK_FLOOR * whole[place].max(axis=1)[:, None])
        found = np.zeros((rows.shape[0], group.size))
        found[place[group], np.arange(group.size)[:, None]] = vectors[group, :, number]
        out.append(found)
    return np.concatenate(out, axis=1)


def unseen_directions(problem: Problem, rows: FloatArray, starts: IntArray) -> FloatArray:
    """Return the same of coefficients (m, K), with the shifts of all classes, (m, K, H)."""
    count, held = problem.n_outputs, null_directions(problem, rows, starts)
    outer = np.einsum("mh,kl->mkhl", held, np.eye(count))
    each: FloatArray = outer.reshape(held.shape[0], count, -1)
    if problem.data.family.hessian != "softmax":
        return each
    shifts = np.eye(rows.shape[0])[:, None, :] * np.full((1, count, 1), 1.0 / np.sqrt(count))
    return np.concatenate([each, shifts], axis=2)
