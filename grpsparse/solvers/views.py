"""Coordinates under one set of weights, made of rows that another set's coordinates filled.

The owner of a store has s = C'x - c for the columns x of a group. Under other weights z = E'x - e
is asked for, in a basis Q: with C M = E Q,

    Q'z = M's - d,   d = Q'e - M'c.

Columns that are only scaled (E = C diag(t)) by one number t for the group keep the owner's basis,
and M is that number. A group whose coordinates are not made of the owner's has rows of its own.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from grpsparse.groups import BoolArray, FloatArray, IntArray
from grpsparse.problem import Problem
from grpsparse.solvers.store import Held, Store, mean_metric, own_basis, squares_of

__all__ = ["View", "view_of"]

SINGLE = 2.0**-24  # relative rounding of single precision: a stored entry is rounded once
SPANNED = 1e-9  # relative difference of C M from E Q below which coordinates are made of rows


@dataclass(frozen=True, slots=True)
class View:
    """Groups of one size m in terms of rows of a store.

    Parameters
    ----------
    first : ndarray of int, shape (g,)
        First of the m rows of each group.
    metric : ndarray of shape (g, m)
        Curvatures D of the coordinates in their basis.
    basis : ndarray of shape (g, m, m) or None
        That basis; None leaves the coordinates as they are.
    rounding : ndarray of shape (g,)
        Bounds on what rounding changes in the groups, as Frobenius W-norms.
    lead : ndarray of shape (g, m) or None
        What rows are multiplied by, where there are no maps.
    maps : ndarray of shape (g, m, m) or None
        The matrices M.
    centre : ndarray of shape (g, m) or None
        The d that is taken off. None: the coordinates are the rows as they stand.
    """

    first: IntArray
    metric: FloatArray
    basis: FloatArray | None
    rounding: FloatArray
    lead: FloatArray | None = None
    maps: FloatArray | None = None
    centre: FloatArray | None = None


def view_of(problem: Problem, store: Store, groups: IntArray) -> list[tuple[IntArray, View]]:
    """Return how groups of one size are made of rows of a store, which gathers what it lacks.

    Returns
    -------
    list of (ndarray of int, View)
        Positions in `groups`, and the view of these.
    """
    every = np.arange(groups.size)
    if problem is store.owner:
        return [(every, _plain(problem, groups, store.hold(groups)))]
    size = int(problem.blocks.sizes[groups[0]])
    alike = store.owner.blocks.sizes[groups] == size
    views = []
    if alike.any():
        shared = every[alike]
        view, spanned = _mapped(problem, store, groups[shared])
        alike[shared] = spanned
        if view is not None:
            views.append((shared[spanned], view))
    alone = every[~alike]
    if alone.size:
        held = store.keep(problem, groups[alone])
        views.append((alone, _plain(problem, groups[alone], held)))
    return views


def _plain(problem: Problem, groups: IntArray, held: Held) -> View:
    """Return groups whose coordinates are the rows."""
    rounding = SINGLE * np.sqrt(squares_of(problem, groups).sum(axis=1))
    return View(held.first, held.metric, held.basis, rounding)


def _mapped(problem: Problem, store: Store, groups: IntArray) -> tuple[View | None, BoolArray]:
    """Return groups of one size made of the owner's rows, and which of them are."""
    between = _between(problem, store.owner, groups)
    if between is None:
        return None, np.zeros(groups.size, dtype=np.bool_)
    spanned, made = between
    if not spanned.any():
        return None, spanned
    groups = groups[spanned]
    held = store.hold(groups)
    if made.ratio is None or (problem.turned and not made.is_uniform):
        return _turned_view(problem, store, groups, held, made), spanned
    ratio = made.ratio
    centre = made.centre if held.basis is None else _by_group(held.basis, made.centre)
    if problem.turned:
        squares = ratio**2 * _moments(problem, store, held, centre / ratio)
        metric = np.maximum(squares, np.finfo(np.float64).tiny)
    else:
        squares = squares_of(problem, groups)
        metric = mean_metric(squares)
    sizes = np.sqrt(((squares + centre**2) / ratio**2).sum(axis=1))
    rounding = SINGLE * np.abs(ratio).max(axis=1) * sizes
    view = View(held.first, metric, held.basis, rounding, lead=ratio, centre=centre)
    return view, spanned


@dataclass(frozen=True, slots=True)
class _Between:
    """What takes an owner's coordinates C'x - c to others, E'x - e, without bases.

    Parameters
    ----------
    centre : ndarray of shape (g, m)
        e - M'c, where C M = E.
    maps : ndarray of shape (g, m, m)
        M; empty where it is diagonal.
    ratio : ndarray of shape (g, m) or None
        The diagonal of M where there is nothing else.
    """

    centre: FloatArray
    maps: FloatArray
    ratio: FloatArray | None

    @property
    def is_uniform(self) -> bool:
        """Whether each group is only multiplied by a number."""
        return self.ratio is not None and bool((self.ratio == self.ratio[:, :1]).all())


def _between(
    problem: Problem, owner: Problem, groups: IntArray
) -> tuple[BoolArray, _Between] | None:
    """Return which groups are made of the owner's coordinates, and what takes these to them."""
    mine, theirs = problem.coordinates.group_maps(groups), owner.coordinates.group_maps(groups)
    if mine is None or theirs is None or mine.index.shape != theirs.index.shape:
        return None
    spanned = (mine.index == theirs.index).all(axis=1)
    if mine.scale is not None and theirs.scale is not None:
        ratio = mine.scale[spanned] / theirs.scale[spanned]
        centre = mine.centre[spanned] - ratio * theirs.centre[spanned]
        return spanned, _Between(centre, np.empty((0, 0, 0)), ratio)
    maps = np.linalg.pinv(theirs.maps) @ mine.maps
    off = np.abs(theirs.maps @ maps - mine.maps).max(axis=(1, 2))
    spanned &= off <= SPANNED * np.abs(mine.maps).max(axis=(1, 2))
    centre = mine.centre - _by_group(maps, theirs.centre)
    return spanned, _Between(centre[spanned], maps[spanned], None)


def _turned_view(
    problem: Problem, store: Store, groups: IntArray, held: Held, made: _Between
) -> View:
    """Return groups in the eigenbasis of their own Gram matrices."""
    metric, basis = own_basis(problem, groups)
    maps, centre = made.maps, made.centre
    if made.ratio is not None:
        maps = np.eye(made.ratio.shape[1]) * made.ratio[:, :, None]
    if basis is not None:
        maps, centre = maps @ basis, _by_group(basis, centre)
    if held.basis is not None:
        maps = held.basis.transpose(0, 2, 1) @ maps
    size = np.abs(maps)
    longest = np.sqrt(size.sum(axis=1).max(axis=1) * size.sum(axis=2).max(axis=1))
    moments = _moments(problem, store, held, np.zeros_like(metric))
    rounding = SINGLE * longest * np.sqrt(moments.sum(axis=1))
    maps = np.ascontiguousarray(maps)
    return View(held.first, metric, basis, rounding, maps=maps, centre=centre)


def _moments(problem: Problem, store: Store, held: Held, about: FloatArray) -> FloatArray:
    """Return the W-mean squares of rows about something, (g, m)."""
    from grpsparse.backend.products import column_moments

    rows = held.first[:, None] + np.arange(about.shape[1])
    out = np.empty(rows.size)
    column_moments(store.rows, rows.ravel(), problem.data.weights, about.ravel(), out)
    return out.reshape(rows.shape)


def _by_group(basis: FloatArray, values: FloatArray) -> FloatArray:
    """Return B'v of every group, (g, m), for B (g, m, m) and v (g, m)."""
    product: FloatArray = np.matmul(values[:, None, :], basis)[:, 0]
    return product
