"""The standardised coordinates of a fit, worked out from its rows alone.

Columns are centred under W = diag(w)/sum(w) when there is an intercept. On the scale "group" the
coordinates of a term are an orthonormal basis of its columns, by QR and an SVD of the triangle;
an interaction is first projected off its margins. Elsewhere they are the columns themselves, with
unit variance or as they are. The engine does the same by other means: nothing here uses it.

Every row is multiplied by the root of its weight, so that W-products are plain ones.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from grpsparse.groups import BoolArray, FloatArray, IntArray

if TYPE_CHECKING:
    from grpsparse.results.path_fit import PathFit

__all__ = [
    "DEPENDENT",
    "Columns",
    "Coordinates",
    "centred_columns",
    "coordinates",
    "independent",
    "margin_basis",
    "unit_variance",
    "with_margins",
]

CONSTANT = 1e-12  # spread over root mean square, below which a column is constant
DEPENDENT = 1e-9  # eigenvalue of the correlation matrix, over the largest, that is no rank
WIDEST_MARGINS = 3000  # columns of margins beyond which an interaction keeps plain cells
WIDEST = 5000  # columns of its own, or rows, beyond which it does so too
BATCH = 4_000_000  # entries of X that are decomposed at a time


@dataclass(frozen=True, slots=True)
class Columns:
    """Centred columns, rows times the root of their weight.

    Parameters
    ----------
    values : ndarray of shape (n, p)
        Columns less their means.
    mean : ndarray of shape (p,)
        Weighted means; zeros without an intercept.
    spread : ndarray of shape (p,)
        Weighted standard deviations (root mean squares without an intercept), exactly 0 for a
        constant column.
    """

    values: FloatArray
    mean: FloatArray
    spread: FloatArray


@dataclass(frozen=True, slots=True)
class Coordinates:
    """Coordinates of all groups, and the fitted path in them.

    Parameters
    ----------
    rows : ndarray of shape (q, n)
        One coordinate each.
    group : ndarray of int, shape (q,)
        Group of each coordinate.
    rank : ndarray of int, shape (G,)
        Ranks of the groups.
    theta : ndarray of shape (L, q, K)
        Coefficients of the coordinates.
    squares : ndarray of shape (L, G, K)
        Squared norms of the groups' coefficients; on the scale "group", variances of what the
        groups contribute.
    """

    rows: FloatArray
    group: IntArray
    rank: IntArray
    theta: FloatArray
    squares: FloatArray


@dataclass(frozen=True, slots=True)
class _Piece:
    """Coordinates of some groups."""

    groups: IntArray  # (b,)
    rows: FloatArray  # (c, n)
    owner: IntArray  # (c,), positions in `groups`
    theta: FloatArray  # (L, c, K)
    squares: FloatArray  # (L, b, K)


def centred_columns(X: FloatArray, share: FloatArray, *, intercept: bool) -> Columns:
    """Centre columns (n, p) under weights (n,) that sum to one."""
    values = np.array(X, dtype=np.float64)
    mean = np.zeros(values.shape[1])
    if intercept:
        for _ in range(2):  # a column far from zero has a rounded first mean
            left = share @ values
            values -= left
            mean += left
    values *= np.sqrt(share)[:, None]
    spread = np.sqrt(np.einsum("ij,ij->j", values, values))
    constant = spread <= CONSTANT * np.hypot(spread, mean)
    return Columns(values, mean, np.where(constant, 0.0, spread))


def coordinates(fit: PathFit, columns: Columns) -> Coordinates:
    """Return the standardised coordinates of a fit's groups.

    Parameters
    ----------
    fit : PathFit
        Its terms, settings and coefficients of the design columns are used.
    columns : Columns
        Its design columns, rows of weight zero left out.
    """
    index = _group_columns(fit)
    kept = [members[columns.spread[members] > 0] for members in index]
    n_rows = columns.values.shape[0]
    rank = np.zeros(len(index), dtype=np.int64)
    if fit.settings.standardize != "group" or fit.settings.groups == "column":
        for groups, members in _batches(kept, n_rows):
            singular = np.asarray(np.linalg.svd(_triangle(columns, members)[1], compute_uv=False))
            rank[groups] = independent(singular).sum(axis=1)
        return _join(fit, [_plain(fit, columns, kept)], rank, n_rows)
    pieces = []
    for g in with_margins(fit):
        pieces.append(_beyond_margins(fit, columns, g))
        kept[g] = kept[g][:0]
    for groups, members in _batches(kept, n_rows):
        pieces.append(_orthonormal(fit, columns, groups, members))
    for piece in pieces:
        rank[piece.groups] = np.bincount(piece.owner, minlength=piece.groups.size)
    return _join(fit, pieces, rank, n_rows)


def _group_columns(fit: PathFit) -> list[IntArray]:
    """Return the columns of every group; norms that overlap are of single columns."""
    if fit.settings.groups == "column" or (fit.unions is not None and fit.latent is None):
        return list(np.arange(len(fit.model.columns))[:, None])
    return [np.asarray(term.index) for term in fit.model.terms]


def _batches(kept: list[IntArray], n_rows: int) -> Iterator[tuple[IntArray, IntArray]]:
    """Yield groups (b,) of m columns each, and these columns (b, m)."""
    sizes = np.array([members.size for members in kept], dtype=np.int64)
    for size in np.unique(sizes[sizes > 0]).tolist():
        same = np.flatnonzero(sizes == size)
        step = max(1, BATCH // (size * max(n_rows, 1)))
        for start in range(0, same.size, step):
            groups = same[start : start + step]
            yield groups, np.stack([kept[g] for g in groups.tolist()])


def _triangle(columns: Columns, members: IntArray) -> tuple[FloatArray, FloatArray]:
    """Return Q (b, n, k) and R (b, k, m) of columns (b, m) scaled to unit variance."""
    stacked = np.moveaxis(columns.values[:, members] / columns.spread[members], 1, 0)
    q, r = np.linalg.qr(stacked)
    return q, r


def independent(singular: NDArray[np.floating[Any]]) -> BoolArray:
    """Say which directions count, from singular values (..., k) in decreasing order."""
    return np.asarray(singular**2 > DEPENDENT * singular[..., :1] ** 2)


def _plain(fit: PathFit, columns: Columns, kept: list[IntArray]) -> _Piece:
    """Return columns of unit variance, or as they are, as coordinates."""
    members = np.concatenate([np.empty(0, np.int64), *kept])
    owner = np.repeat(np.arange(len(kept)), [each.size for each in kept])
    scale = columns.spread[members]
    if fit.settings.standardize == "none":
        scale = np.ones(members.size)
    theta = fit.raw_coef[:, members] * scale[:, None]
    squares = np.zeros((len(kept), theta.shape[0], theta.shape[2]))
    np.add.at(squares, owner, np.swapaxes(theta**2, 0, 1))
    rows = np.ascontiguousarray((columns.values[:, members] / scale).T)
    return _Piece(np.arange(len(kept)), rows, owner, theta, np.swapaxes(squares, 0, 1))


def _orthonormal(fit: PathFit, columns: Columns, groups: IntArray, members: IntArray) -> _Piece:
    """Return orthonormal coordinates of groups of equally many columns (b, m)."""
    q, r = _triangle(columns, members)
    turn, singular, _ = np.linalg.svd(r, full_matrices=False)
    counts = independent(singular)
    coef = fit.raw_coef[:, members] * columns.spread[members][:, :, None]  # (L, b, m, K)
    contribution = r @ coef
    theta = np.swapaxes(turn, 1, 2) @ contribution
    rows = np.swapaxes(q @ turn, 1, 2)
    owner = np.nonzero(counts)[0]
    squares = np.sum(contribution**2, axis=2)
    return _Piece(groups, rows[counts], owner, theta[:, counts], squares)


def with_margins(fit: PathFit) -> list[int]:
    """Return the groups that are interactions with margins in the formula."""
    terms, n_rows = fit.model.terms, fit.training.y.shape[0]
    return [
        g
        for g, term in enumerate(terms)
        if term.margins
        and min(term.index.size, n_rows) <= WIDEST
        and sum(terms[margin.term].index.size for margin in term.margins) <= WIDEST_MARGINS
    ]


def margin_basis(fit: PathFit, columns: Columns, g: int) -> FloatArray:
    """Return an orthonormal basis (n, r) of an interaction, orthogonal to its margins."""
    terms = fit.model.terms
    around = np.concatenate([terms[margin.term].index for margin in terms[g].margins])
    left, singular, _ = np.linalg.svd(unit_variance(columns, around), full_matrices=False)
    margins = left[:, independent(singular)]
    cells = unit_variance(columns, np.asarray(terms[g].index))
    for _ in range(2):
        cells = cells - margins @ (margins.T @ cells)
    basis, singular, _ = np.linalg.svd(cells, full_matrices=False)
    # what rounding leaves of cells that lie in their margins is no rank
    kept = singular**2 > DEPENDENT * max(1.0, float(singular.max(initial=0.0)) ** 2)
    return np.asarray(basis[:, kept])


def _beyond_margins(fit: PathFit, columns: Columns, g: int) -> _Piece:
    """Return orthonormal coordinates of an interaction, orthogonal to its margins."""
    index = np.asarray(fit.model.terms[g].index)
    basis = margin_basis(fit, columns, g)
    moved = columns.values[:, index]
    if fit.leak is not None:
        leak = fit.leak.tocsc()[:, index]
        touched = np.unique(leak.indices)
        moved = moved + columns.values[:, touched] @ leak.tocsr()[touched].toarray()
    coef = fit.raw_coef[:, index]
    theta = (basis.T @ moved) @ coef
    squares = np.sum((np.linalg.qr(moved, mode="r") @ coef) ** 2, axis=1)
    owner = np.zeros(basis.shape[1], dtype=np.int64)
    return _Piece(np.array([g]), basis.T, owner, theta, squares[:, None, :])


def unit_variance(columns: Columns, index: IntArray) -> FloatArray:
    """Return the columns that are not constant, scaled to unit variance."""
    varying = index[columns.spread[index] > 0]
    scaled: FloatArray = columns.values[:, varying] / columns.spread[varying]
    return scaled


def _join(fit: PathFit, pieces: list[_Piece], rank: IntArray, n_rows: int) -> Coordinates:
    """Put the coordinates of all groups one after the other."""
    n_points, _, n_classes = fit.raw_coef.shape
    squares = np.zeros((n_points, rank.size, n_classes))
    for piece in pieces:
        squares[:, piece.groups] = piece.squares
    empty = np.empty((n_points, 0, n_classes))
    return Coordinates(
        rows=np.concatenate([np.empty((0, n_rows)), *(piece.rows for piece in pieces)]),
        group=np.concatenate(
            [np.empty(0, np.int64), *(piece.groups[piece.owner] for piece in pieces)]
        ),
        rank=rank,
        theta=np.concatenate([empty, *(piece.theta for piece in pieces)], axis=1),
        squares=squares,
    )
