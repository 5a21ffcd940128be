"""Standardised coordinates of the groups under one set of observation weights.

The solver never sees the columns of X but coordinates Z = (X - 1m') T with W = diag(w)/sum(w):

- ``"group"``: Z_g'WZ_g = I for every group, so that no fit depends on how a factor is coded.
  A factor needs no decomposition: its indicator columns over sqrt(frequency) are a
  (redundant) orthonormal frame of the same space, and penalising their coefficients is
  penalising the orthonormalised group. An interaction is first made orthogonal to its
  margins.
- ``"column"``: every column has unit weighted variance; ``"none"``: columns as they are.

T belongs to a set of weights: cross-validation and bootstrap refit it, while X is shared and
never copied.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from grpsparse.backend import segment_sums
from grpsparse.design.coordinates import Standardised
from grpsparse.design.dense import CONSTANT_BELOW, sample_rows
from grpsparse.design.margins import orthogonal_interaction, plain_because
from grpsparse.design.orthonormal import Columns, Turned, decompose, rank_of_groups
from grpsparse.design.pieces import Pieces
from grpsparse.design.storage import Design
from grpsparse.design.transform import ColumnScale
from grpsparse.groups import (
    BoolArray,
    Deferred,
    FloatArray,
    IntArray,
    PlainTerms,
    TermColumns,
    members,
)

__all__ = ["CONSTANT_BELOW", "Standardised", "standardise"]

FEW_ROWS = 8  # that prove of most columns that they vary


def standardise(
    design: Design,
    terms: Sequence[TermColumns],
    weights: FloatArray,
    *,
    mode: str,
    intercept: bool,
) -> Standardised:
    """Compute the standardised coordinates of a design under weights.

    Parameters
    ----------
    design : Design
    terms : sequence of TermColumns
        The groups.
    weights : ndarray of shape (n,)
        Non-negative, summing to one.
    mode : str
        ``"group"``, ``"column"`` or ``"none"``.
    intercept : bool
        Whether columns are centred under the weights.
    """
    mean = _means(design, weights) if intercept else np.zeros(design.shape[1])
    if mode == "none":
        varying = _vary(design, weights, mean, intercept=intercept)
        return _as_they_are(design, terms, weights, mean, varying, intercept=intercept)
    columns, raw = _measure(design, weights, mean, intercept=intercept)
    if mode == "column":
        unit = np.divide(1.0, columns.scale, out=np.zeros_like(mean), where=columns.scale > 0)
        return _scaled(columns, terms, unit, Deferred.of(columns))
    if not isinstance(terms, PlainTerms):
        for term in terms:
            if term.scale == "rms":
                constant = columns.scale[term.index] == 0
                columns.scale[term.index] = np.where(constant, 0.0, np.sqrt(raw[term.index]))
    return _orthonormal(columns, terms, intercept=intercept)


def _means(design: Design, weights: FloatArray) -> FloatArray:
    """Return the weighted means of the columns, (p,)."""
    known = None if design.dense is None or len(design.parts) > 1 else design.dense.mean
    if known is not None and weights.min() == weights.max():
        return known
    return design.correlate(weights[:, None])[:, 0]


def _measure(
    design: Design, weights: FloatArray, mean: FloatArray, *, intercept: bool
) -> tuple[Columns, FloatArray]:
    """Return the columns with their deviations, 0 for a constant one, and their mean squares.

    Mean squares are those of the columns as given.
    """
    spread = design.second_moments(weights, mean if intercept else -design.shift)
    raw = spread + (mean + design.shift) ** 2 if intercept else spread
    scale = np.sqrt(spread)
    # rows of weight zero may be all that a column varies in: its size is that of all rows
    scale[scale <= CONSTANT_BELOW * np.hypot(np.sqrt(raw), design.shift)] = 0.0
    return Columns(design, weights, mean, scale), raw


def _vary(design: Design, weights: FloatArray, mean: FloatArray, *, intercept: bool) -> BoolArray:
    """Return which columns are not constant, (p,).

    A few rows bound deviations from below, and only where they leave it in doubt are all rows
    looked at.
    """
    every = np.arange(design.shape[1])
    sample = sample_rows(design, every, FEW_ROWS)
    if sample is None:
        return _measure(design, weights, mean, intercept=intercept)[0].scale > 0
    values, rows = sample
    deviations = values - mean[:, None]
    lowest = np.einsum("jr,jr,r->j", deviations, deviations, weights[rows])
    shift = design.shift
    size = (mean + shift) ** 2 + shift**2
    varying = np.asarray(lowest > 2.0 * CONSTANT_BELOW**2 * size)
    if not varying.all():
        scale = _measure(design, weights, mean, intercept=intercept)[0].scale
        varying |= scale > 0
    return varying


def _as_they_are(
    design: Design,
    terms: Sequence[TermColumns],
    weights: FloatArray,
    mean: FloatArray,
    varying: BoolArray,
    *,
    intercept: bool,
) -> Standardised:
    """Return centred columns as coordinates."""
    measured = Deferred(lambda: _measure(design, weights, mean, intercept=intercept)[0])
    unit = varying.astype(np.float64)
    return _scaled(Columns(design, weights, mean, unit), terms, unit, measured)


def _scaled(
    columns: Columns, terms: Sequence[TermColumns], unit: FloatArray, measured: Deferred[Columns]
) -> Standardised:
    """Return the columns of positive `unit`, times it, as coordinates."""
    kept, sizes = _kept(terms, unit > 0)
    n_columns = columns.design.shape[1]
    scale = unit[kept]
    transform = ColumnScale.of(kept, scale, n_columns)
    return Standardised(
        columns.design,
        transform,
        transform,
        None,
        columns.centre[kept] * scale,
        np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64),
        Deferred(lambda: rank_of_groups(measured.value, sizes, kept)),
        np.zeros(sizes.size, dtype=np.bool_),
        (),
    )


def _kept(terms: Sequence[TermColumns], chosen: BoolArray) -> tuple[IntArray, IntArray]:
    """Return the chosen columns, group after group, and how many each group has."""
    index, starts = members(terms)
    mask = chosen[index]
    if mask.all():
        return index, np.diff(starts)
    return index[mask], segment_sums(mask.astype(np.float64), starts).astype(np.int64)


def _orthonormal(
    columns: Columns, terms: Sequence[TermColumns], *, intercept: bool
) -> Standardised:
    """Return coordinates that are orthonormal within every group."""
    pieces = Pieces(columns.design.shape[1], len(terms))
    index, sizes = _kept(terms, columns.scale > 0)
    general = sizes.copy()
    if not isinstance(terms, PlainTerms):
        ends = np.cumsum(sizes)
        for g in range(len(terms)):
            own = index[ends[g] - sizes[g] : ends[g]]
            if _special(pieces, columns, terms, g, own, intercept=intercept):
                general[g] = 0
        index = index[np.repeat(general == sizes, sizes)]
    for turned in decompose(columns, general, index):
        pieces.add(turned)
    return pieces.join(columns.design, columns.centre)


def _special(
    pieces: Pieces,
    columns: Columns,
    terms: Sequence[TermColumns],
    g: int,
    own: IntArray,
    *,
    intercept: bool,
) -> bool:
    """Add plain cells, or an interaction with its margins; say whether the group is one."""
    term = terms[g]
    plain = plain_because(terms, term, columns.design.shape[0])
    if plain is not None:
        pieces.notes.append(f"{term.name} keeps plain cells: {plain}")
    beyond = bool(term.margins) and plain is None
    if term.scale == "rms" and not beyond:
        rank = own.size - 1 if intercept else own.size
        if rank > 0:
            pieces.add_frame(g, own, 1.0 / columns.scale[own], rank)
            pieces.frame[g] = intercept
        return True
    if not beyond:
        return False
    made = orthogonal_interaction(columns, terms, term)
    if made.own.shape[1]:
        pieces.add(Turned(np.array([g]), term.index[None, :], made.own[None]))
        if made.margin_index.size:
            pieces.leaks.append((made.margin_index, term.index, made.leak))
    return True
