"""The coordinates of latent groups that are unions of terms, worked out from the rows.

On the scale ``"group"`` those of a group are an orthonormal basis of what its terms span: an SVD of
the terms' own bases side by side, where an interaction has been projected off its margins. The
coefficients of a group are read off its latent ones. Where these do not add up to the
coefficients of the columns, norms are infinite, and so is the certificate.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from grpsparse.groups import FloatArray, IntArray
from grpsparse.results.check_scale import (
    DEPENDENT,
    Columns,
    Coordinates,
    independent,
    margin_basis,
    unit_variance,
    with_margins,
)

if TYPE_CHECKING:
    from grpsparse.results.path_fit import PathFit
    from grpsparse.unions import Unions

__all__ = ["union_coordinates"]

ADDS_UP = 1e-9  # of the largest coefficient: sums over groups in another order


def union_coordinates(fit: PathFit, columns: Columns, unions: Unions) -> Coordinates:
    """Return the standardised coordinates of latent groups.

    Parameters
    ----------
    fit : PathFit
        With latent coefficients.
    columns : Columns
        Its design columns, rows of weight zero left out.
    unions : Unions
        Its groups.
    """
    index, starts = unions.columns(fit.model.terms)
    latent = np.zeros((*fit.raw_coef.shape[:1], index.size, fit.raw_coef.shape[2]))
    if fit.latent is not None:
        latent = fit.latent
    of_group = _on_group_scale if fit.settings.standardize == "group" else _on_column_scale
    parts = of_group(fit, columns, unions)
    counts, rows, thetas, squares = [], [], [], []
    for g in range(len(unions)):
        own = slice(int(starts[g]), int(starts[g + 1]))
        basis, back, rank = parts(g, index[own])
        theta = back(latent[:, own])
        counts.append((basis.shape[1], rank))
        rows.append(basis.T)
        thetas.append(theta)
        squares.append(np.sum(theta**2, axis=1))
    size, rank = np.array(counts).T
    total = np.stack(squares, axis=1)
    total[_apart(fit, latent, index)] = np.inf
    return Coordinates(
        rows=np.concatenate(rows),
        group=np.repeat(np.arange(len(unions)), size),
        rank=rank,
        theta=np.concatenate(thetas, axis=1),
        squares=total,
    )


def _apart(fit: PathFit, latent: FloatArray, index: IntArray) -> Any:
    """Say at which points (L,) latent coefficients do not add up to those of the columns."""
    left = np.moveaxis(fit.raw_coef, 1, 0).copy()
    np.subtract.at(left, index, np.moveaxis(latent, 1, 0))
    size = np.abs(fit.raw_coef).max(axis=(1, 2), initial=0.0)
    return np.abs(left).max(axis=(0, 2), initial=0.0) > ADDS_UP * size


def _on_column_scale(fit: PathFit, columns: Columns, unions: Unions) -> Any:  # noqa: ARG001
    """Return what makes coordinates of columns of unit variance, or as they are."""
    plain = fit.settings.standardize == "none"

    def part(g: int, own: IntArray) -> Any:  # noqa: ARG001
        kept = np.flatnonzero(columns.spread[own] > 0)
        scale = np.ones(kept.size) if plain else columns.spread[own[kept]]
        singular = np.linalg.svd(unit_variance(columns, own), compute_uv=False)
        rank = int(independent(singular).sum()) if kept.size else 0
        basis = columns.values[:, own[kept]] / scale
        return basis, lambda coef: coef[:, kept] * scale[:, None], rank

    return part


def _on_group_scale(fit: PathFit, columns: Columns, unions: Unions) -> Any:
    """Return what makes orthonormal coordinates of unions of terms."""
    values = columns.values
    if fit.leak is not None:
        values = values + np.asarray((fit.leak.T @ values.T).T)
    beyond = set(with_margins(fit))
    made: dict[int, FloatArray] = {}

    def own_basis(t: int) -> FloatArray:
        if t not in made:
            if t in beyond:
                made[t] = margin_basis(fit, columns, t)
            else:
                unit = unit_variance(columns, np.asarray(fit.model.terms[t].index))
                left, singular, _ = np.linalg.svd(unit, full_matrices=False)
                made[t] = left[:, independent(singular)] if singular.size else left
        return made[t]

    def part(g: int, own: IntArray) -> Any:
        side_by_side = np.concatenate([own_basis(t) for t in unions.of_group(g).tolist()], axis=1)
        left, singular, _ = np.linalg.svd(side_by_side, full_matrices=False)
        largest = max(1.0, float(singular.max(initial=0.0)) ** 2)
        basis = left[:, singular**2 > DEPENDENT * largest]
        turn = basis.T @ values[:, own]
        return basis, lambda coef: turn @ coef, basis.shape[1]

    return part
