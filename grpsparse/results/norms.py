"""Norms of terms: the size of a term's contribution to the linear predictor.

With ``standardize="group"`` the norm of a block is, exactly, the weighted standard deviation of
its contribution over the training rows (over all classes, root sum of squares). On other scales
that standard deviation is computed from the training rows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from grpsparse.backend import segment_sums
from grpsparse.groups import BoolArray, FloatArray, TermColumns, members

if TYPE_CHECKING:
    from collections.abc import Sequence

    from grpsparse.results.path_fit import PathFit
    from grpsparse.results.points import Points
    from grpsparse.results.record import Training

__all__ = [
    "chosen",
    "contribution",
    "effect_sizes",
    "norm_path",
    "norms_at",
    "selected_groups",
    "selected_terms",
    "term_norms",
]


def term_norms(
    group_norms: FloatArray, terms: Sequence[TermColumns], *, by_column: bool
) -> FloatArray:
    """Bring group norms to terms.

    Parameters
    ----------
    group_norms : ndarray of shape (L, G) or (L, G, K)
        Norms of the standardised blocks.
    terms : sequence of TermColumns
        The terms.
    by_column : bool
        Whether each column is a group: norms of a term's columns are then combined by root sum
        of squares. Otherwise groups are the terms.

    Returns
    -------
    ndarray of shape (L, T) or (L, T, K)
    """
    if not by_column:
        return group_norms
    index, starts = members(terms)
    sizes = np.diff(starts)
    if (sizes == 1).all():
        return group_norms[:, index]
    out = np.zeros((group_norms.shape[0], len(terms), *group_norms.shape[2:]))
    out[:, sizes > 0] = np.add.reduceat(group_norms[:, index] ** 2, starts[:-1][sizes > 0], axis=1)
    return np.sqrt(out)


def norm_path(fit: PathFit) -> FloatArray:
    """Return standardised norms of terms at every solution, (L, T) or (L, T, K)."""
    if fit.unions is not None:  # groups have norms of their own, which are not those of terms
        sizes = np.stack([_block_norms(fit, coef) for coef in fit.raw_coef])
        return sizes if fit.group_norms.ndim == 3 else np.sqrt(np.sum(sizes**2, axis=2))
    by_column = fit.settings.groups == "column"
    by_column = by_column and fit.group_norms.shape[1] == len(fit.model.columns)
    return term_norms(fit.group_norms, fit.model.terms, by_column=by_column)


def selected_groups(fit: PathFit) -> BoolArray:
    """Return which groups (L, G) have a nonzero coefficient in any class."""
    return _nonzero(fit.group_norms)


def selected_terms(fit: PathFit) -> BoolArray:
    """Return which terms (L, T) are selected at every solution.

    A term is where it has a nonzero coefficient in any class; one of several latent groups is
    where any of these has.
    """
    if fit.unions is None:
        return _nonzero(fit.norm_path)
    if fit.latent is not None:
        return fit.unions.hold(selected_groups(fit))
    index, starts = members(fit.model.terms)
    nonzero = _nonzero(fit.raw_coef)[:, index].astype(np.float64)
    return np.stack([segment_sums(each, starts) > 0 for each in nonzero])


def chosen(names: Sequence[str], active: BoolArray, points: Points) -> list[str]:
    """Return the names of terms or groups (L, m) that are active at a place, or on a side of it."""
    either = active[points.left[0]] | active[points.right[0]]
    return [name for name, isin in zip(names, either, strict=True) if isin]


def _nonzero(values: FloatArray) -> BoolArray:
    """Return which of (L, m), or (L, m, K) in any class, are not zero, (L, m)."""
    nonzero: BoolArray = np.any(values != 0, axis=tuple(range(2, values.ndim)))
    return nonzero


def contribution(X: Any, term: TermColumns, coef: FloatArray, *, leak: Any = None) -> FloatArray:
    """Return what one term adds to the linear predictor, (n, K), for coef (p, K).

    An interaction takes along its shift of the margins, so that what it adds is orthogonal to
    them as it was fitted.
    """
    own = coef[term.index]
    out = np.asarray(X[:, term.index] @ own, dtype=np.float64)
    if leak is not None and leak.nnz:
        shift = np.asarray(leak[:, term.index] @ own)
        moved = np.flatnonzero(shift.any(axis=1))
        if moved.size:
            out = out + np.asarray(X[:, moved] @ shift[moved])
    return out


def effect_sizes(
    training: Training,
    terms: Sequence[TermColumns],
    coef: FloatArray,
    *,
    leak: Any = None,
    intercept: bool = True,
) -> FloatArray:
    """Compute the weighted standard deviation of each term's contribution.

    Parameters
    ----------
    training : Training
        The rows that were fitted.
    terms : sequence of TermColumns
        The terms.
    coef : ndarray of shape (p, K)
        Coefficients of the design columns.
    leak : sparse matrix, optional
        Shift of the margins by their interactions.
    intercept : bool
        Whether contributions are centred; without an intercept their root mean square is taken.

    Returns
    -------
    ndarray of shape (T, K)
        Exactly 0 for a term that is not selected.
    """
    share = training.weights / training.weights.sum()
    out = np.zeros((len(terms), coef.shape[1]))
    for position in _with_coefficient(terms, coef):
        values = contribution(training.X, terms[position], coef, leak=leak)
        if intercept:
            values = values - share @ values
        out[position] = np.sqrt(share @ values**2)
    return out


def _with_coefficient(terms: Sequence[TermColumns], coef: FloatArray) -> list[int]:
    """Return the positions of terms with a nonzero coefficient, for coef (p, K)."""
    index, starts = members(terms)
    owner = np.repeat(np.arange(len(terms)), np.diff(starts))
    found: list[int] = np.unique(owner[(coef[index] != 0).any(axis=1)]).tolist()
    return found


def norms_at(fit: PathFit, points: Points) -> FloatArray:
    """Return standardised norms of terms at M places, (M, T) or (M, T, K).

    A norm is not linear in lambda, so between solutions it is computed from the interpolated
    coefficients.
    """
    path = fit.norm_path
    out: FloatArray = path[points.left]
    between = np.flatnonzero(~points.solved)
    coef = points.take(fit.raw_coef)
    for place in between:
        size = _block_norms(fit, coef[place])
        out[place] = size if path.ndim == 3 else np.sqrt(np.sum(size**2, axis=1))
    return out


def _block_norms(fit: PathFit, coef: FloatArray) -> FloatArray:
    """Return the norms (T, K) of coefficients (p, K) on the scale that the penalty sees."""
    training, terms, centred = fit.training, fit.model.terms, fit.settings.centred
    if fit.settings.standardize == "group":
        return effect_sizes(training, terms, coef, leak=fit.leak, intercept=centred)
    squares = coef**2
    if fit.settings.standardize == "column":
        share = training.weights / training.weights.sum()
        X = training.X
        power = X.multiply(X) if hasattr(X, "multiply") else X**2
        variance = np.asarray(share @ power)
        if centred:
            variance = variance - np.asarray(share @ X) ** 2
        squares = squares * np.maximum(variance, 0.0)[:, None]
    index, starts = members(terms)
    sums = [segment_sums(column, starts) for column in squares[index].T]
    return np.sqrt(np.stack(sums, axis=1))
