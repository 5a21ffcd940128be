"""Report coefficients in the words of the user.

The engine gives one coefficient per column of the design, where a factor has a column for each
level. A contrast that the user wrote changes how these are reported, not what was fitted:
level effects gamma become a and b with

    gamma = a + coding @ b,

b the reported coefficients, and a moves into the intercept. An interaction with a number was
made orthogonal to its margins, which shifts their coefficients by `leak @ coef`; reported
coefficients contain that shift, so that intercept + X @ coef is the linear predictor.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from grpsparse.groups import FloatArray, IntArray, PlainTerms, TermColumns, members

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Contrast", "Layout", "layout", "report"]


@dataclass(frozen=True, slots=True)
class Contrast:
    """One factor that is reported in a contrast.

    Parameters
    ----------
    term : int
        Position of the term.
    source : ndarray of int
        Its columns in the design, one per level.
    target : ndarray of int
        Its reported columns.
    solve : ndarray of shape (1 + targets, levels)
        Matrix that takes level effects to a (first row) and b.
    """

    term: int
    source: IntArray
    target: IntArray
    solve: FloatArray


@dataclass(frozen=True, slots=True)
class Layout:
    """Reported columns, and where they come from.

    Parameters
    ----------
    columns : sequence of str
        Names of the reported columns.
    term : ndarray of int
        Position of the term of each.
    kept, source : ndarray of int
        Reported columns that are columns of the design, and which.
    contrasts : tuple of Contrast
        The others.
    """

    columns: Sequence[str]
    term: IntArray
    kept: IntArray
    source: IntArray
    contrasts: tuple[Contrast, ...]


def layout(terms: Sequence[TermColumns], columns: Sequence[str], *, intercept: bool) -> Layout:
    """Lay out the reported columns, in the order of the design.

    Parameters
    ----------
    terms : sequence of TermColumns
        Every term.
    columns : sequence of str
        Columns of the design.
    intercept : bool
        Without an intercept nothing can take up the constant, and level effects are reported.

    Returns
    -------
    Layout
    """
    term_of = term_of_column(terms, len(columns))
    coded = {
        position
        for position, term in enumerate(() if isinstance(terms, PlainTerms) else terms)
        if intercept and term.report_coding is not None and term.report_columns is not None
    }
    if not coded:
        every = np.arange(len(columns))
        return Layout(columns, term_of, every, every, ())
    names: list[str] = []
    owner: list[int] = []
    kept: list[int] = []
    source: list[int] = []
    contrasts: list[Contrast] = []
    for column, position in enumerate(term_of.tolist()):
        term = terms[position]
        if position not in coded:
            kept.append(len(names))
            source.append(column)
            names.append(columns[column])
            owner.append(position)
        elif column == term.index[0] and term.report_columns and term.report_coding is not None:
            target = len(names) + np.arange(len(term.report_columns))
            contrasts.append(Contrast(position, term.index, target, _solver(term.report_coding)))
            names.extend(term.report_columns)
            owner.extend([position] * len(term.report_columns))
    return Layout(
        tuple(names),
        np.array(owner),
        np.array(kept, dtype=int),
        np.array(source, dtype=int),
        tuple(contrasts),
    )


def term_of_column(terms: Sequence[TermColumns], n_columns: int) -> IntArray:
    """Return the position of the term of every design column, (p,)."""
    index, starts = members(terms)
    term_of = np.zeros(n_columns, dtype=np.int64)
    term_of[index] = np.repeat(np.arange(len(terms)), np.diff(starts))
    return term_of


def report(
    plan: Layout, coef: FloatArray, intercept: FloatArray, *, leak: Any = None
) -> tuple[FloatArray, FloatArray]:
    """Change coefficients of design columns into reported ones.

    Parameters
    ----------
    plan : Layout
        The reported columns.
    coef : ndarray of shape (M, p, K)
        Coefficients of the design columns.
    intercept : ndarray of shape (M, K)
        Intercepts.
    leak : sparse matrix of shape (p, p), optional
        Shift of the margins by interactions that were made orthogonal to them.

    Returns
    -------
    coef : ndarray of shape (M, p', K)
    intercept : ndarray of shape (M, K)
    """
    coef = effective(coef, leak)
    if not plan.contrasts:
        return coef, intercept
    out = np.zeros((coef.shape[0], len(plan.columns), coef.shape[2]))
    out[:, plan.kept] = coef[:, plan.source]
    constant = intercept.copy()
    for contrast in plan.contrasts:
        solved = contrast.solve @ coef[:, contrast.source]
        constant += solved[:, 0]
        out[:, contrast.target] = solved[:, 1:]
    return out, constant


def effective(coef: FloatArray, leak: Any) -> FloatArray:
    """Return coefficients (M, p, K) of the plain columns: coef + leak @ coef."""
    if leak is None or leak.nnz == 0:
        return coef
    shift: FloatArray = np.stack([np.asarray(leak @ each) for each in coef])
    return coef + shift


def constants(plan: Layout, coef: FloatArray) -> dict[int, FloatArray]:
    """Return the constant a (M, K) that each contrast moves into the intercept, by term."""
    return {
        contrast.term: contrast.solve[0] @ coef[:, contrast.source] for contrast in plan.contrasts
    }


def _solver(coding: FloatArray) -> FloatArray:
    """Return the matrix that takes level effects to the constant and the contrast."""
    coding = np.asarray(coding, dtype=np.float64)
    full = np.column_stack([np.ones(coding.shape[0]), coding])
    inverse: FloatArray = (
        np.linalg.pinv(full) if full.shape[0] != full.shape[1] else (np.linalg.inv(full))
    )
    # Inverting integers leaves rounding where a clean contrast has exact zeros and ones.
    rounded = np.round(inverse)
    return np.where(np.abs(inverse - rounded) < 1e-14, rounded, inverse)
