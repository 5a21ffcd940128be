"""The two doors: a formula with data, or a matrix with a response; one record comes out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from grpsparse.api.factors import penalty_factors
from grpsparse.api.first_fit import adaptive_factors
from grpsparse.api.options import Options, Resolved
from grpsparse.api.overlap import check_overlap, read_lists, strong_hierarchy
from grpsparse.api.rows import per_row, read_offset, read_weights
from grpsparse.design import (
    Design,
    Standardised,
    assemble,
    matrix_model,
    read_response,
    standardise,
    unite,
)
from grpsparse.errors import DataError
from grpsparse.families import Response, encode_response, for_data, has_baseline, n_outputs
from grpsparse.groups import FloatArray, IntArray, Model, PlainTerms, TermColumns, members
from grpsparse.penalties import AdaptivePenalty
from grpsparse.problem import (
    Observed,
    PenaltySpec,
    Problem,
    build_problem,
    group_weights,
    overlap_spec,
)
from grpsparse.unions import Unions

__all__ = ["Opened", "open_door"]


@dataclass(frozen=True, slots=True)
class Opened:
    """Data that passed the door, ready to become a problem for any weights.

    Parameters
    ----------
    model : Model
    blocks : tuple
        Raw columns as the model made them.
    design : Design
    groups : sequence of TermColumns
        What the penalty sees: the terms, unions of them, or every column by itself.
    unions : Unions or None
        Which terms the groups are unions of.
    term_factor : ndarray
        Penalty factors of the model's terms, or of the unions.
    response : Response
    weights : ndarray of shape (n,)
        Observation weights, trials included.
    offset : ndarray of shape (n, K) or None
    offset_name : str or None
        Column that the offset came from.
    extra : mapping
        Further values per kept row, by role.
    rows, n_given, index, notes
        As in the model frame.
    intercept : bool
    options, resolved
        How the fit was asked for.
    """

    model: Model
    blocks: tuple[Any, ...]
    design: Design
    groups: Sequence[TermColumns]
    unions: Unions | None
    term_factor: FloatArray
    response: Response
    weights: FloatArray
    offset: FloatArray | None
    offset_name: str | None
    extra: Mapping[str, Any]
    rows: IntArray
    n_given: int
    index: Any
    notes: tuple[str, ...]
    intercept: bool
    options: Options
    resolved: Resolved

    @property
    def y(self) -> FloatArray:
        """Encoded response, (n, K)."""
        return self.response.y

    @property
    def baseline(self) -> bool:
        """Whether the family's baseline takes the place of an intercept."""
        return has_baseline(self.response.family)

    def _factor(self) -> FloatArray:
        """Return the penalty factors of the groups, (G,)."""
        if not self.resolved.by_column:
            return self.term_factor
        index, starts = members(self.model.terms)
        expanded = np.ones(len(self.groups))
        expanded[index] = np.repeat(self.term_factor, np.diff(starts))
        return expanded

    @property
    def norms_overlap(self) -> bool:
        """Whether the penalty is of norms of groups that overlap, and so of all columns at once."""
        unions = self.unions
        return self.resolved.penalty.overlap == "norms" and bool(unions and unions.overlapping)

    def coordinates(self, weights: FloatArray) -> Standardised:
        """Standardise the design under weights that sum to one."""
        unions, terms = self.unions, self.model.terms
        if self.norms_overlap:
            return self._standardised(_columns(self.model), weights)
        if unions is None or self.resolved.standardize != "group" or isinstance(terms, PlainTerms):
            return self.of_groups(weights)
        return unite(self._standardised(terms, weights), unions, weights)

    def of_groups(self, weights: FloatArray) -> Standardised:
        """Standardise the columns of every group by itself, under weights that sum to one."""
        return self._standardised(self.groups, weights)

    def _standardised(self, terms: Sequence[TermColumns], weights: FloatArray) -> Standardised:
        mode, centred = self.resolved.standardize, self.intercept or self.baseline
        return standardise(self.design, terms, weights, mode=mode, intercept=centred)

    def problem(self, weights: FloatArray) -> Problem:
        """Return the problem under weights (n,), on any scale.

        Raises
        ------
        GrpsparseError
            If these weights leave no row, or a response that the family cannot have.
        """
        self.response.check(weights, self.model.response)
        normalised = weights / weights.max()  # the sum of huge weights may overflow
        normalised /= normalised.sum()
        offset = self.offset
        if offset is None:
            offset = np.zeros((self.y.shape[0], n_outputs(self.response.family, self.y)))
        resolved, spec = self.resolved, self._spec()
        coordinates = self.coordinates(normalised)
        data = Observed(self.response.family, self.y, normalised, offset)
        if self.norms_overlap:
            spec = overlap_spec(self.of_groups(normalised), coordinates, data, spec)
        problem = self._built(coordinates, data, spec)
        if not isinstance(resolved.penalty, AdaptivePenalty):
            return problem
        factors = adaptive_factors(problem, resolved.penalty, solver=resolved.solver)
        return self._built(coordinates, data, replace(spec, factor=spec.factor * factors))

    def weighted_groups(self, data: Observed) -> tuple[Standardised, FloatArray]:
        """Return the groups' own coordinates under the data's weights, and their weights w_g."""
        groups = self.of_groups(data.weights)
        return groups, group_weights(groups, data, self._spec())

    def _spec(self) -> PenaltySpec:
        weighted = self.resolved.sqrt_df
        return PenaltySpec(self.resolved.penalty, self._factor(), weighted, self.resolved.shared)

    def _built(self, coordinates: Standardised, data: Observed, spec: PenaltySpec) -> Problem:
        names = _Names(_columns(self.model) if self.norms_overlap else self.groups)
        return build_problem(coordinates, data, spec, intercept=self.intercept, names=names)


@dataclass(frozen=True, slots=True, eq=False)
class _Names(Mapping[int, str]):
    """Names of groups by their number, for messages."""

    groups: Sequence[TermColumns]

    def __getitem__(self, g: int) -> str:
        return self.groups[g].name

    def __len__(self) -> int:
        return len(self.groups)

    def __iter__(self) -> Iterator[int]:
        return iter(range(len(self.groups)))


@dataclass(frozen=True, slots=True)
class _Frame:
    """What both doors give."""

    model: Model
    blocks: tuple[Any, ...]
    response: Any
    response_name: str
    extra: dict[str, Any]
    rows: IntArray
    n_given: int
    index: Any
    notes: tuple[str, ...]
    intercept: bool
    sums: FloatArray | None = None  # of the columns, where they are known


def open_door(
    first: Any,
    data: Any,
    options: Options,
    resolved: Resolved,
    *,
    scope: Mapping[str, Any],
    extra: Mapping[str, Any] | None = None,
) -> Opened:
    """Read formula and data, or matrix and response, and check everything that was given.

    Parameters
    ----------
    first, data
        A formula and its data, or X and y.
    options, resolved
    scope : mapping
        The caller's names, for a formula.
    extra : mapping, optional
        Further values by role: a column name (formula only) or an array over the rows given.

    Raises
    ------
    GrpsparseError
        Whatever is wrong with the input, by its kind.
    """
    given = {"weights": options.weights, "offset": options.offset, **(extra or {})}
    given = {role: value for role, value in given.items() if value is not None}
    if isinstance(first, str):
        frame = _formula_door(first, data, options, resolved, scope, given)
    else:
        frame = _matrix_door(first, data, options, resolved, given)
    weights = read_weights(frame.extra.get("weights"), frame.rows)
    response = encode_response(
        frame.response, family=options.family, name=frame.response_name, weights=weights
    )
    n, count = response.y.shape[0], n_outputs(response.family, response.y)
    baseline = has_baseline(response.family)
    if response.weights_factor is not None:
        weights = weights * response.weights_factor
    offsets = read_offset(frame.extra.get("offset"), frame.rows, count)
    family, chosen = for_data(response.family, response.y, weights, offsets)
    response = replace(response, family=family, notes=(*response.notes, *chosen))
    notes = response.notes
    if baseline and not frame.intercept:
        notes = (*notes, f"no intercept: a {family.name} model never has one, its baseline has it")
    unions = _unions(frame.model, resolved)
    offset = options.offset if isinstance(options.offset, str) else None
    return Opened(
        frame.model,
        frame.blocks,
        assemble(
            frame.blocks,
            n_rows=n,
            centred=frame.intercept or baseline,
            dtype=options.dtype,
            sums=frame.sums,
        ),
        _groups(frame.model, resolved, unions),
        unions,
        penalty_factors(options.penalty_factor, frame.model, unions),
        response,
        weights,
        offsets,
        offset,
        {role: frame.extra[role] for role in (extra or {}) if role in frame.extra},
        frame.rows,
        frame.n_given,
        frame.index,
        (*notes, *frame.notes),
        frame.intercept and not baseline,
        options,
        resolved,
    )


def _formula_door(
    formula: str,
    data: Any,
    options: Options,
    resolved: Resolved,
    scope: Mapping[str, Any],
    given: dict[str, Any],
) -> _Frame:
    from grpsparse.formula import build_model

    named = {role: value for role, value in given.items() if isinstance(value, str)}
    frame = build_model(
        formula,
        data,
        scope=scope,
        single_columns=resolved.single_columns,
        extra=named,
        na_action=options.na_action,
    )
    arrays = {
        role: per_row(value, name=role, rows=frame.rows, n_given=frame.n_given, index=frame.index)
        for role, value in given.items()
        if role not in named
    }
    model = frame.spec if options.intercept else replace(frame.spec, intercept=False)
    return _Frame(
        model,
        frame.blocks,
        frame.response,
        frame.response_name,
        {**frame.extra, **arrays},
        frame.rows,
        frame.n_given,
        frame.index,
        frame.notes,
        frame.spec.intercept and options.intercept,
    )


def _matrix_door(
    X: Any, y: Any, options: Options, resolved: Resolved, given: dict[str, Any]
) -> _Frame:
    for role, value in given.items():
        if isinstance(value, str):
            raise DataError(
                f"`{role}` is the name {value!r}, which needs a formula with data; beside a "
                "matrix give an array."
            )
    groups = "column" if resolved.labels is None else resolved.labels
    frame = matrix_model(X, groups=groups, single_columns=resolved.by_column)
    if y is None:
        raise DataError("a matrix needs a response: `fit(X, y)`; only a formula names its own.")
    response, name = read_response(y, frame.n, index=frame.index)
    rows = np.arange(frame.n)
    arrays = {
        role: per_row(value, name=role, rows=rows, n_given=frame.n, index=frame.index)
        for role, value in given.items()
    }
    spec = replace(frame.spec, response=name)
    return _Frame(
        spec,
        frame.blocks,
        response,
        name,
        arrays,
        rows,
        frame.n,
        frame.index,
        (),
        options.intercept,
        frame.sums,
    )


def _unions(model: Model, resolved: Resolved) -> Unions | None:
    """Return the groups that are unions of terms, if that is how they were asked for."""
    if resolved.hierarchical:
        return strong_hierarchy(model)
    if resolved.lists is None:
        return None
    unions = read_lists(resolved.lists, model)
    check_overlap(resolved.penalty, unions)
    return unions


def _groups(model: Model, resolved: Resolved, unions: Unions | None) -> Sequence[TermColumns]:
    """Return what the penalty sees."""
    if unions is not None:
        return unions.as_terms(model.terms, model.columns)
    return _columns(model) if resolved.by_column else model.terms


def _columns(model: Model) -> PlainTerms:
    """Return every column of the design as a group of its own."""
    every = np.arange(len(model.columns) + 1, dtype=np.int64)
    return PlainTerms("column", model.columns, model.columns, every[:-1], every)
